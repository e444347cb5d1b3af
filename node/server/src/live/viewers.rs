//! The pages that are open: the question of each, and its newest answer.

use std::sync::Arc;

use herd_crdt::Record;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::question::PageQuestion;
use super::scene::Scene;

/// What one page is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// Its map.
    pub(super) scene: Scene,
    /// The record of the client that it has chosen, if that client is known.
    pub(super) chosen: Option<Record>,
}

/// All open pages.
#[derive(Debug)]
pub(super) struct Viewers {
    /// So many may be open.
    pub(super) max: usize,
    open: Mutex<OpenPages>,
    /// Another page has opened.
    opened: Notify,
}

#[derive(Debug, Default)]
struct OpenPages {
    last_number: u64,
    seats: Vec<Arc<OpenPage>>,
}

/// One open page.
#[derive(Debug)]
pub(super) struct OpenPage {
    number: u64,
    /// Its question.
    pub(super) question: PageQuestion,
    /// Replaced by each round of the sampler: a page that takes nothing for a while finds the newest.
    pub(super) found: watch::Sender<Arc<View>>,
}

/// Held for as long as a page is open.
#[derive(Debug)]
pub(super) struct Viewer {
    viewers: Arc<Viewers>,
    seat: Arc<OpenPage>,
}

impl Viewers {
    pub(super) fn new(max: usize) -> Self {
        Viewers {
            max,
            open: Mutex::default(),
            opened: Notify::new(),
        }
    }

    /// Lets another page in; `None` if the limit is reached.
    #[must_use]
    pub(super) fn admit(self: &Arc<Self>, question: PageQuestion) -> Option<Viewer> {
        let mut open = self.open.lock();
        if open.seats.len() >= self.max {
            return None;
        }
        open.last_number += 1;
        let seat = Arc::new(OpenPage {
            number: open.last_number,
            question,
            found: watch::Sender::default(),
        });
        open.seats.push(seat.clone());
        drop(open);
        self.opened.notify_one();
        Some(Viewer {
            viewers: self.clone(),
            seat,
        })
    }

    /// All that are open now.
    #[must_use]
    pub(super) fn seats(&self) -> Vec<Arc<OpenPage>> {
        self.open.lock().seats.clone()
    }

    /// Resolves when a page has opened since the last call. For one task.
    pub(super) async fn opened(&self) {
        self.opened.notified().await;
    }
}

impl Viewer {
    /// Its question, and the answer.
    #[must_use]
    pub(super) fn seat(&self) -> &OpenPage {
        &self.seat
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let mut open = self.viewers.open.lock();
        open.seats.retain(|seat| seat.number != self.seat.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_beyond_the_limit_gets_in_when_another_leaves() {
        let viewers = Arc::new(Viewers::new(16));
        let question = PageQuestion::parse("").unwrap();
        let mut inside: Vec<_> = (0..16)
            .map(|_| viewers.admit(question.clone()).unwrap())
            .collect();
        assert!(viewers.admit(question.clone()).is_none());
        inside.remove(3);
        assert!(viewers.admit(question).is_some());
        assert_eq!(viewers.seats().len(), 15, "it has left again");
    }
}
