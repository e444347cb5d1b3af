//! What the map has for the publisher.

use std::sync::atomic::Ordering;

use herd_crdt::Death;

use super::Locations;
use super::shard::Shard;

impl Locations {
    /// Resolves when a record has become pending since the last call.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// Wakes whoever waits for [`Locations::news`].
    pub fn nudge(&self) {
        self.news.notify_one();
    }

    /// Roughly how many records wait to be published.
    pub fn pending_len(&self) -> usize {
        usize::try_from(self.pending_len.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Whether a report has changed nothing since the last call, where replies promise more than memory. To be called after
    /// a round has begun: then that round, or one before it, is told of every report that its reply waits for.
    pub fn take_repeated(&self) -> bool {
        self.repeated.swap(false, Ordering::SeqCst)
    }

    /// Takes the records that died in our slots. To be called before [`Locations::take_pending`]:
    /// then whatever superseded them is among what that call takes, or was published before.
    pub fn take_deaths(&self) -> Vec<Death> {
        let mut deaths = Vec::new();
        for shard in &self.shards {
            shard.lock().take_deaths(&mut deaths);
        }
        deaths
    }

    /// Takes the hashes of the clients whose records are pending.
    pub fn take_pending(&self) -> Vec<u64> {
        let mut pending = Vec::new();
        for shard in &self.shards {
            shard.lock().take_pending(&mut pending);
        }
        let taken = pending.len() as isize;
        self.pending_len.fetch_sub(taken, Ordering::Relaxed);
        pending
    }

    /// Queues everything that this server publishes, for a new incarnation with empty slots.
    pub fn republish_all(&self) {
        self.requeue(Shard::republish_all);
        self.news.notify_one();
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
            change(&mut shard);
            let after = shard.pending_len() as isize;
            self.pending_len
                .fetch_add(after - before, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use herd_crdt::{Publication, Record, SlotId};

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
        assert!(locations.take_pending().is_empty());
        report(&locations, "2");
        assert_eq!(locations.pending_len(), 0);
        assert!(locations.take_pending().is_empty());
        assert_eq!(locations.find(b"kiwi").unwrap().time_text(), b"2");
    }

    #[test]
    fn deaths_of_what_was_published_before_are_of_no_use_to_anybody() {
        let locations = Locations::default();
        report(&locations, "1");
        let mut map = &locations;
        for hash in locations.take_pending() {
            herd_crdt::Publications::place_pending(&mut map, hash, &mut |_| SlotId(3));
        }
        locations.publish_nothing();
        report(&locations, "2");
        assert!(locations.take_deaths().is_empty());
    }

    #[test]
    fn a_new_incarnation_publishes_what_did_not_wait() {
        let locations = Locations::default();
        locations.publish_nothing();
        report(&locations, "1");
        locations.republish_all();
        assert_eq!(locations.pending_len(), 1);
        assert_eq!(locations.take_pending().len(), 1);
        let publication = locations.publication(b"kiwi").unwrap().0;
        assert_eq!(publication, Publication::Pending);
        report(&locations, "2");
        assert_eq!(locations.pending_len(), 0, "it is pending as it was");
    }
}
