//! The outbox: the work that the map has for the publisher.

use std::sync::atomic::Ordering;

use herd_crdt::{PublisherId, Record, Work};

use super::Locations;
use super::shard::Shard;

/// Takes work from one shard after the other, while clients report to any of them. The deaths of all shards are taken
/// before the pending records of any: the other way round, a report between the two would leave its death here and not
/// itself, and the publisher would overwrite the slot of the record before its successor is out.
#[derive(Debug, Default)]
struct Taking {
    /// Shards that were visited: each twice.
    visits: usize,
    work: Work,
}

impl Taking {
    /// Visits a shard; says whether there are more to visit.
    fn step(&mut self, locations: &Locations) -> bool {
        let shards = locations.shards.len();
        let Some(shard) = locations.shards.get(self.visits % shards) else {
            return false;
        };
        let mut shard = shard.lock();
        match self.visits < shards {
            true => shard.take_deaths(&mut self.work.deaths),
            false => shard.take_pending(&mut self.work.pending),
        }
        self.visits += 1;
        self.visits < 2 * shards
    }
}

impl Locations {
    /// Resolves when a record has become pending since the last call.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// Wakes the task that waits for [`Locations::news`].
    pub fn nudge(&self) {
        self.news.notify_one();
    }

    /// Roughly how many records wait to be published.
    pub fn pending_len(&self) -> usize {
        usize::try_from(self.pending_len.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Whether a report has changed nothing since the last call, where replies promise more than memory. To be called
    /// after a round has begun: then that round, or one before it, is told of every report that its reply waits for.
    pub fn take_repeated(&self) -> bool {
        self.repeated.swap(false, Ordering::SeqCst)
    }

    /// Takes the work for a round of the publisher.
    pub fn take_work(&self) -> Work {
        let mut taking = Taking::default();
        while taking.step(self) {}
        let taken = taking.work.pending.len() as isize;
        self.pending_len.fetch_sub(taken, Ordering::Relaxed);
        taking.work
    }

    /// Puts into the backlog every record that is published elsewhere and that `is_ours` picks. Returns how many.
    pub fn adopt(&self, mut is_ours: impl FnMut(&Record, PublisherId) -> bool) -> usize {
        let mut adopted = 0;
        for shard in &self.shards {
            let mut shard = shard.lock();
            let hashes = shard.map.adopt(&mut is_ours);
            adopted += hashes.len();
            let put_back = shard.put_back(hashes);
            self.backlog_len.fetch_add(put_back, Ordering::SeqCst);
        }
        if adopted > 0 {
            self.news.notify_one();
        }
        adopted
    }

    /// How many records this server has taken over, from others or from its incarnation before, and not published yet.
    /// No client waits for one, or it is pending. None of what was taken before a call that finds none is left.
    pub fn backlog_len(&self) -> usize {
        self.backlog_len.load(Ordering::SeqCst)
    }

    /// Takes the hashes of at most `max` clients from the backlog.
    pub fn take_backlog(&self, max: usize) -> Vec<u64> {
        let mut taken = Vec::new();
        for shard in &self.shards {
            if taken.len() == max || self.backlog_len() == 0 {
                break;
            }
            let before = taken.len();
            let mut shard = shard.lock();
            shard.take_backlog(max - before, &mut taken);
            self.backlog_len
                .fetch_sub(taken.len() - before, Ordering::SeqCst);
        }
        taken
    }

    /// Puts everything that this server publishes into the backlog, for a new incarnation with empty slots; what is
    /// pending stays so. Returns how long the backlog is.
    pub fn republish_all(&self) -> usize {
        self.requeue(Shard::republish_all);
        self.news.notify_one();
        self.backlog_len()
    }

    /// Until the next [`Locations::republish_all`] nothing waits for a publisher: there is nobody to publish for. What
    /// waited is forgotten.
    pub fn publish_nothing(&self) {
        self.requeue(Shard::publish_nothing);
    }

    fn requeue(&self, change: impl Fn(&mut Shard)) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let before = shard.pending_len() as isize;
            self.backlog_len
                .fetch_sub(shard.backlog_len(), Ordering::SeqCst);
            change(&mut shard);
            self.backlog_len
                .fetch_add(shard.backlog_len(), Ordering::SeqCst);
            let after = shard.pending_len() as isize;
            self.pending_len
                .fetch_add(after - before, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use herd_crdt::{Publication, SlotId};

    use super::*;

    fn report(locations: &Locations, time: &str) {
        let record = Record::new(b"kiwi", b"+1+1", time.as_bytes(), "Hill".into(), 0);
        locations.report(record.unwrap());
    }

    #[test]
    fn where_nobody_publishes_nothing_waits_and_all_is_found() {
        let locations = Locations::default();
        report(&locations, "1");
        assert_eq!(locations.pending_len(), 1);
        locations.publish_nothing();
        assert_eq!(locations.pending_len(), 0);
        assert!(locations.take_work().pending.is_empty());
        report(&locations, "2");
        assert_eq!(locations.pending_len(), 0);
        assert!(locations.take_work().pending.is_empty());
        assert_eq!(locations.find(b"kiwi").unwrap().time_text(), b"2");
    }

    #[test]
    fn without_a_publisher_no_deaths_are_kept() {
        let locations = Locations::default();
        report(&locations, "1");
        let mut map = &locations;
        for hash in locations.take_work().pending {
            herd_crdt::Publications::place_pending(&mut map, hash, &mut |_| SlotId(3));
        }
        locations.publish_nothing();
        report(&locations, "2");
        assert!(locations.take_work().deaths.is_empty());
    }

    /// All orders in which a report and the visits of the publisher can follow each other. Shards do not depend on each
    /// other, so one client stands for all.
    #[test]
    fn no_death_is_taken_without_its_successor() {
        let visits = 2 * Locations::default().shards.len();
        let mut successors_taken = 0;
        for before in 0..=visits {
            let locations = Locations::default();
            report(&locations, "1");
            let mut map = &locations;
            for hash in locations.take_work().pending {
                herd_crdt::Publications::place_pending(&mut map, hash, &mut |_| SlotId(3));
            }
            let mut taking = Taking::default();
            for _ in 0..before {
                taking.step(&locations);
            }
            report(&locations, "2");
            if before < visits {
                while taking.step(&locations) {}
            }
            let Work { deaths, pending } = taking.work;
            assert!(pending.len() >= deaths.len(), "after {before} visits");
            successors_taken += pending.len();
        }
        assert!((1..visits).contains(&successors_taken));
    }

    #[test]
    fn a_new_incarnation_publishes_records_that_did_not_wait() {
        let locations = Locations::default();
        locations.publish_nothing();
        report(&locations, "1");
        assert_eq!(locations.republish_all(), 1);
        assert_eq!((locations.pending_len(), locations.backlog_len()), (0, 1));
        assert_eq!(locations.take_backlog(9).len(), 1);
        assert_eq!(locations.backlog_len(), 0);
        let publication = locations.publication(b"kiwi").unwrap().0;
        assert_eq!(publication, Publication::Pending);
        report(&locations, "2");
        assert_eq!(locations.pending_len(), 1, "somebody waits for it now");
        report(&locations, "3");
        assert_eq!(locations.pending_len(), 1, "it is pending as it was");
    }

    #[test]
    fn reports_go_before_the_backlog_which_goes_in_pieces() {
        let locations = Locations::default();
        let client = |number: usize| {
            let client = format!("client{number}");
            let record = Record::new(client.as_bytes(), b"+1+1", b"1", "Hill".into(), 0);
            record.unwrap()
        };
        for number in 0..1_000 {
            locations.report(client(number));
        }
        let mut map = &locations;
        for hash in locations.take_work().pending {
            herd_crdt::Publications::place_pending(&mut map, hash, &mut |_| SlotId(3));
        }
        report(&locations, "1");
        assert_eq!(locations.republish_all(), 1_000);
        // What waited goes on waiting, in front of the rest, and is not in the backlog too.
        let pending = locations.take_work().pending;
        assert_eq!(pending.len(), 1);
        herd_crdt::Publications::place_pending(&mut map, pending[0], &mut |_| SlotId(4));
        let kiwi = locations.publication(b"kiwi").unwrap().0;
        assert_eq!(kiwi, Publication::InSlot(SlotId(4)));
        let mut left = 1_000;
        while left > 0 {
            let piece = locations.take_backlog(64);
            assert!(piece.len() == 64 || piece.len() == left);
            left -= piece.len();
            assert_eq!(locations.backlog_len(), left);
        }
        assert!(locations.take_backlog(64).is_empty());
    }
}
