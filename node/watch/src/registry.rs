//! The registry: finds the watchers of a change.

use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use herd_crdt::QuantizedLocation;
use herd_grid::Area;
use parking_lot::RwLock;

use super::areas::{Areas, Cover};
use super::budget::Share;
use super::marks::{ClientId, Marked, MarkedClient, Watcher};
use super::prefixes::Prefixes;

/// A change of the map: the record of a client is another one, or gone. What is so now is read from the map.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The client.
    pub client: &'a [u8],
    /// About where it was; `None` if it was nowhere.
    pub from: Option<QuantizedLocation>,
    /// About where it is now; `None` if it is gone.
    pub to: Option<QuantizedLocation>,
}

/// Watchers that wait, and are to be woken when no lock is held.
#[derive(Debug, Default)]
#[must_use]
pub struct Wakes(Vec<Waker>);

impl Wakes {
    /// These too.
    pub fn add(&mut self, mut others: Wakes) {
        self.0.append(&mut others.0);
    }

    /// Wakes them.
    pub fn wake(self) {
        for waker in self.0 {
            waker.wake();
        }
    }
}

/// All watchers, found by their interests.
#[derive(Debug, Default)]
pub struct Watchers {
    count: AtomicUsize,
    index: RwLock<Index>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Index {
    by_client: HashMap<ClientId, Vec<Arc<Watcher>>>,
    prefixes: Prefixes,
    of_all: Vec<Arc<Watcher>>,
    areas: Areas,
}

/// Gives marks to the watchers of one change.
struct Marking<'a> {
    client: &'a [u8],
    hasher: &'a RandomState,
    /// The same, once a watcher has needed it.
    marked: Option<MarkedClient<'a>>,
    wakes: Wakes,
}

impl Marking<'_> {
    fn mark(&mut self, watcher: &Watcher) {
        let marked = self
            .marked
            .get_or_insert_with(|| MarkedClient::new(self.client, self.hasher));
        if let Marked::Wake(waker) = watcher.mark(marked) {
            self.wakes.0.push(waker);
        }
    }
}

impl Watchers {
    /// Whether anyone watches. To be asked under the lock of the client's shard. A new watcher waits for all who hold one
    /// before it looks: so it sees their changes, and later ones see it.
    #[inline]
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// How many watch.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether nobody watches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.is_any()
    }

    /// The map has changed. To be called under the lock of the client's shard, after the change.
    pub fn changed(&self, change: &Change<'_>) -> Wakes {
        if change.from.is_none() && change.to.is_none() {
            // Nothing was there, and nothing is.
            return Wakes::default();
        }
        let mut marking = Marking {
            client: change.client,
            hasher: &self.hasher,
            marked: None,
            wakes: Wakes::default(),
        };
        let index = self.index.read();
        if !index.by_client.is_empty()
            && let Some(watchers) = index.by_client.get(change.client)
        {
            watchers.iter().for_each(|watcher| marking.mark(watcher));
        }
        index
            .prefixes
            .each(change.client, |watcher| marking.mark(watcher));
        index
            .of_all
            .iter()
            .for_each(|watcher| marking.mark(watcher));
        index
            .areas
            .each(change.from, change.to, |watcher| marking.mark(watcher));
        marking.wakes
    }

    /// A new watcher without interests, with room for so many marks. It ends when the registration is dropped.
    #[must_use]
    pub fn register(self: &Arc<Self>, marks_max: usize, share: Share) -> Registration {
        self.count.fetch_add(1, Ordering::Relaxed);
        Registration {
            watchers: Arc::clone(self),
            watcher: Arc::new(Watcher::new(marks_max, share, self.hasher.clone())),
            client: None,
            prefix: None,
            watches_all: false,
            cover: None,
        }
    }
}

/// One watcher: its interests, and its marks.
#[derive(Debug)]
pub struct Registration {
    watchers: Arc<Watchers>,
    watcher: Arc<Watcher>,
    client: Option<ClientId>,
    prefix: Option<Arc<[u8]>>,
    watches_all: bool,
    cover: Option<Cover>,
}

impl Registration {
    /// All watchers, of which this is one.
    #[must_use]
    pub fn watchers(&self) -> &Arc<Watchers> {
        &self.watchers
    }

    /// Is marked when this client changes, and no other.
    pub fn watch_client(&mut self, client: &Arc<[u8]>) {
        let mut index = self.watchers.index.write();
        if let Some(before) = self.client.replace(Arc::clone(client)) {
            index.forget_client(&before, &self.watcher);
        }
        let watchers = index.by_client.entry(Arc::clone(client)).or_default();
        watchers.push(Arc::clone(&self.watcher));
    }

    /// Is marked when a client changes whose ID begins so, and not those of an earlier call.
    pub fn watch_prefix(&mut self, prefix: &Arc<[u8]>) {
        let mut index = self.watchers.index.write();
        if let Some(before) = self.prefix.replace(Arc::clone(prefix)) {
            index.prefixes.remove(&before, &self.watcher);
        }
        index.prefixes.insert(prefix, &self.watcher);
    }

    /// Is marked when any client changes.
    pub fn watch_all(&mut self) {
        if !std::mem::replace(&mut self.watches_all, true) {
            let mut index = self.watchers.index.write();
            index.of_all.push(Arc::clone(&self.watcher));
        }
    }

    /// Is marked when a client changes that is in this area or was, and not those of the area of an earlier call.
    pub fn watch_area(&mut self, area: Option<&Area>) {
        let cover = area.map(Cover::of);
        let mut index = self.watchers.index.write();
        if let Some(before) = self.cover.take() {
            index.areas.remove(&before, &self.watcher);
        }
        if let Some(cover) = &cover {
            index.areas.insert(cover, &self.watcher);
        }
        self.cover = cover;
    }

    /// The client's record is looked at under the lock of its shard, at this moment: a mark of it is needed no more.
    pub fn unmark(&self, client: &[u8]) {
        self.watcher.unmark(client);
    }

    /// Takes all marks.
    #[must_use]
    pub fn take_marks(&self) -> Vec<Arc<[u8]>> {
        self.watcher.take()
    }

    /// Takes back marks of those that [`Registration::take_marks`] gave, which were not looked at.
    pub fn give_back(&self, clients: impl IntoIterator<Item = Arc<[u8]>>) {
        self.watcher.give_back(clients);
    }

    /// Whether there were more marks than may be. Then none are kept.
    #[must_use]
    pub fn has_overflowed(&self) -> bool {
        self.watcher.has_overflowed()
    }

    /// Ready when there were too many marks.
    pub fn poll_overflowed(&self, context: &Context<'_>) -> Poll<()> {
        if self.watcher.has_overflowed_or_wakes(context.waker()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Ready when there are marks, or were too many.
    pub fn poll_marked(&self, context: &Context<'_>) -> Poll<()> {
        if self.watcher.is_marked_or_wakes(context.waker()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Index {
    fn forget_client(&mut self, client: &[u8], watcher: &Arc<Watcher>) {
        if let Some(watchers) = self.by_client.get_mut(client) {
            watchers.retain(|other| !Arc::ptr_eq(other, watcher));
            if watchers.is_empty() {
                self.by_client.remove(client);
            }
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut index = self.watchers.index.write();
        if let Some(client) = &self.client {
            index.forget_client(client, &self.watcher);
        }
        if let Some(prefix) = &self.prefix {
            index.prefixes.remove(prefix, &self.watcher);
        }
        if self.watches_all {
            index
                .of_all
                .retain(|other| !Arc::ptr_eq(other, &self.watcher));
        }
        if let Some(cover) = &self.cover {
            index.areas.remove(cover, &self.watcher);
        }
        drop(index);
        self.watchers.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
