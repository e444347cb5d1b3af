//! The links of a herd as its servers tell of them, and what a person is to hear of that. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use herd_topology::Topology;
use tokio::time::Instant;

/// For how long a lost link is not told of: it may be made anew at once, or be lost because a server ended.
const LOSS_TOLD_AFTER: Duration = Duration::from_millis(500);

/// The two ends of a link, in order.
type Ends = (String, String);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct HerdLinks {
    links: BTreeMap<Ends, LinkState>,
    /// Servers whose process has ended.
    ended: BTreeSet<String>,
    /// Whether all links have been up: only then is a change told of.
    begun: bool,
}

#[derive(Debug, Default)]
struct LinkState {
    /// The ends that hold the link for up.
    up_at: BTreeSet<String>,
    /// What the person knows.
    told_up: bool,
    /// Since when it is down without a word.
    lost_at: Option<Instant>,
}

impl LinkState {
    fn is_up(&self) -> bool {
        self.up_at.len() == 2
    }
}

impl HerdLinks {
    /// The links of a topology, all of them down.
    pub(super) fn of(topology: &Topology) -> Self {
        let servers = topology.servers();
        let links = topology.links().iter().map(|link| {
            let [a, b] = [link.a, link.b].map(|end| servers[end].name.to_string());
            (ends(&a, &b), LinkState::default())
        });
        HerdLinks {
            links: links.collect(),
            ..HerdLinks::default()
        }
    }

    /// How many there are, and how many of them are up.
    pub(super) fn counts(&self) -> (usize, usize) {
        let up = self.links.values().filter(|link| link.is_up()).count();
        (self.links.len(), up)
    }

    /// Whether changes are told of.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// From now on changes are told of.
    pub(super) fn begin(&mut self) {
        self.begun = true;
        for link in self.links.values_mut() {
            link.told_up = link.is_up();
        }
    }

    /// `server` says that its link to `neighbour` is up or down. Returns the sentence for the person, if there is one now.
    pub(super) fn note(
        &mut self,
        (server, neighbour): (&str, &str),
        up: bool,
        now: Instant,
    ) -> Option<String> {
        let link = self.links.get_mut(&ends(server, neighbour))?;
        if up {
            link.up_at.insert(server.to_owned());
        } else {
            link.up_at.remove(server);
        }
        if !link.is_up() {
            link.lost_at.get_or_insert(now);
            return None;
        }
        link.lost_at = None;
        let is_news = self.begun && !link.told_up;
        link.told_up = true;
        is_news.then(|| format!("{server} and {neighbour} are linked"))
    }

    /// The process of `server` has ended. That its links are down needs no words.
    pub(super) fn note_end(&mut self, server: &str) {
        self.ended.insert(server.to_owned());
        for ((a, b), link) in &mut self.links {
            if a == server || b == server {
                *link = LinkState::default();
            }
        }
    }

    /// The process of `server` has started.
    pub(super) fn note_start(&mut self, server: &str) {
        self.ended.remove(server);
    }

    /// When [`HerdLinks::losses`] has something to say, if nothing changes.
    pub(super) fn next_loss(&self) -> Option<Instant> {
        let lost = self.links.values().filter(|link| link.told_up);
        let lost = lost.filter_map(|link| link.lost_at).min()?;
        self.begun.then(|| lost + LOSS_TOLD_AFTER)
    }

    /// Sentences about links that have been down for a while and are not told of.
    pub(super) fn losses(&mut self, now: Instant) -> Vec<String> {
        let mut sentences = Vec::new();
        for ((a, b), link) in &mut self.links {
            let is_due = link
                .lost_at
                .is_some_and(|lost| now >= lost + LOSS_TOLD_AFTER);
            if !is_due || !std::mem::take(&mut link.told_up) {
                continue;
            }
            if !self.ended.contains(a) && !self.ended.contains(b) {
                sentences.push(format!(
                    "{a} and {b} are not linked any more; they try again"
                ));
            }
        }
        sentences
    }
}

fn ends(a: &str, b: &str) -> Ends {
    let (a, b) = if a <= b { (a, b) } else { (b, a) };
    (a.to_owned(), b.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use herd_topology::{PortBases, builtin};

    fn all_up(now: Instant) -> HerdLinks {
        let mut links = HerdLinks::of(&builtin(PortBases::default()));
        let all: Vec<Ends> = links.links.keys().cloned().collect();
        for (a, b) in &all {
            assert_eq!(links.note((a, b), true, now), None);
            assert_eq!(links.note((b, a), true, now), None);
        }
        links.begin();
        links
    }

    #[test]
    fn a_link_is_up_when_both_ends_say_so() {
        let now = Instant::now();
        let mut links = all_up(now);
        assert_eq!(links.counts(), (6, 6));
        assert_eq!(links.note(("Hill", "Smith"), false, now), None);
        assert_eq!(links.next_loss(), Some(now + LOSS_TOLD_AFTER));
        assert!(links.losses(now).is_empty());
        let later = now + LOSS_TOLD_AFTER;
        let told = ["Hill and Smith are not linked any more; they try again"];
        assert_eq!(links.losses(later), told);
        assert_eq!(links.next_loss(), None);
        assert!(links.losses(later).is_empty());
        links.note(("Smith", "Hill"), false, later);
        assert_eq!(links.note(("Smith", "Hill"), true, later), None);
        let linked = links.note(("Hill", "Smith"), true, later);
        assert_eq!(linked.as_deref(), Some("Hill and Smith are linked"));
    }

    #[test]
    fn a_link_that_is_made_anew_at_once_and_one_of_a_dead_server_need_no_words() {
        let now = Instant::now();
        let mut links = all_up(now);
        links.note(("Hill", "Smith"), false, now);
        assert_eq!(links.note(("Hill", "Smith"), true, now), None);
        links.note(("Campbell", "Smith"), false, now);
        links.note_end("Smith");
        links.note(("Hill", "Smith"), false, now);
        assert!(links.losses(now + LOSS_TOLD_AFTER).is_empty());
        links.note_start("Smith");
        links.note(("Smith", "Hill"), true, now);
        assert!(links.note(("Hill", "Smith"), true, now).is_some());
        assert_eq!(links.note(("Nobody", "Smith"), true, now), None);
    }
}
