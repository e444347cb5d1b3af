//! The decisions of a writer: the queue of writes and the state of the store, without a store and without
//! waiting. A thread and a task on a runtime are driven by it alike.

use std::time::Duration;

use tokio::time::Instant;

use super::super::Write;
use super::coalesce::coalesce;
use super::state::{SyncPolicy, Ticket, WriteRefused};

/// How long written things wait for others to be committed with, unless each commit is synced.
pub const COMMIT_GAP: Duration = Duration::from_millis(10);

/// How much may wait in the queue before it is looked through for writes that later ones made void.
/// Only the last write to each slot counts, so a queue that a disk leaves waiting grows no larger
/// than twice the state that is being stored, and this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// By [`Write::queue_bytes`].
    pub bytes_max: usize,
    /// The number of writes.
    pub writes_max: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        QueueLimits {
            bytes_max: 8 * 1024 * 1024,
            writes_max: 8_192,
        }
    }
}

/// The next action of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriterStep {
    /// Take the queued writes and commit them.
    Commit,
    /// Sync the committed writes.
    Sync,
    /// Nothing before this time, or before a write or the close if there is none.
    Wait(Option<Instant>),
    /// End: closed with everything done, or failed.
    Stop,
}

/// Writes that are committed together.
#[derive(Debug)]
pub(super) struct WriteBatch {
    pub(super) writes: Vec<Write>,
    /// The last ticket in it.
    pub(super) through: Ticket,
}

#[derive(Debug)]
pub(super) struct WriterCore {
    policy: SyncPolicy,
    limits: QueueLimits,
    queue: Vec<Write>,
    queue_bytes: usize,
    /// The size of the queue after it was last compacted.
    coalesced_bytes: usize,
    coalesced_writes: usize,
    /// When the first write came into the empty queue.
    queued_since: Option<Instant>,
    last: Ticket,
    committed: Ticket,
    synced: Ticket,
    synced_at: Option<Instant>,
    failed: bool,
    closing: bool,
}

impl WriterCore {
    pub(super) fn new(policy: SyncPolicy, limits: QueueLimits) -> Self {
        WriterCore {
            policy,
            limits,
            queue: Vec::new(),
            queue_bytes: 0,
            coalesced_bytes: 0,
            coalesced_writes: 0,
            queued_since: None,
            last: Ticket(0),
            committed: Ticket(0),
            synced: Ticket(0),
            synced_at: None,
            failed: false,
            closing: false,
        }
    }

    pub(super) fn last(&self) -> Ticket {
        self.last
    }

    pub(super) fn committed(&self) -> Ticket {
        self.committed
    }

    pub(super) fn synced(&self) -> Ticket {
        self.synced
    }

    /// Writes and bytes in the queue.
    pub(super) fn queued(&self) -> (usize, usize) {
        (self.queue.len(), self.queue_bytes)
    }

    /// Takes writes into the queue: all, or none.
    pub(super) fn push(
        &mut self,
        writes: Vec<Write>,
        now: Instant,
    ) -> Result<Ticket, WriteRefused> {
        if self.failed {
            return Err(WriteRefused::Failed(writes));
        }
        if self.closing {
            return Err(WriteRefused::Closed(writes));
        }
        if !writes.is_empty() {
            self.queue_bytes += queue_bytes(&writes);
            self.queue.extend(writes);
            // Each look halves the queue, or doubles the bytes that have to come before the next look.
            if self.queue_bytes > self.limits.bytes_max + 2 * self.coalesced_bytes
                || self.queue.len() > self.limits.writes_max + 2 * self.coalesced_writes
            {
                self.queue = coalesce(std::mem::take(&mut self.queue));
                self.queue_bytes = queue_bytes(&self.queue);
                self.coalesced_bytes = self.queue_bytes;
                self.coalesced_writes = self.queue.len();
            }
            self.last.0 += 1;
            self.queued_since.get_or_insert(now);
        }
        Ok(self.last)
    }

    pub(super) fn next_step(&self, now: Instant) -> WriterStep {
        if self.failed {
            return WriterStep::Stop;
        }
        let (commit_at, sync_at) = (self.commit_at(now), self.sync_at(now));
        if sync_at.is_some_and(|at| at <= now) {
            return WriterStep::Sync;
        }
        if commit_at.is_some_and(|at| at <= now) {
            return WriterStep::Commit;
        }
        if self.closing {
            return WriterStep::Stop;
        }
        WriterStep::Wait(match (commit_at, sync_at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        })
    }

    fn commit_at(&self, now: Instant) -> Option<Instant> {
        let since = self.queued_since?;
        let at_once = self.closing
            || matches!(self.policy, SyncPolicy::EachCommit)
            || self.queue_bytes >= self.limits.bytes_max / 2
            || self.queue.len() >= self.limits.writes_max / 2;
        Some(if at_once { now } else { since + COMMIT_GAP })
    }

    fn sync_at(&self, now: Instant) -> Option<Instant> {
        if self.committed == self.synced {
            return None;
        }
        Some(match self.policy {
            // Closing, one sync behind the last commit is enough.
            _ if self.closing && self.queued_since.is_some() => return None,
            _ if self.closing => now,
            SyncPolicy::EachCommit => now,
            SyncPolicy::Every(interval) => self.synced_at.map_or(now, |at| at + interval),
        })
    }

    /// The queued writes; a later write to a slot replaces an earlier one.
    pub(super) fn take_batch(&mut self) -> WriteBatch {
        self.queue_bytes = 0;
        self.coalesced_bytes = 0;
        self.coalesced_writes = 0;
        self.queued_since = None;
        WriteBatch {
            writes: coalesce(std::mem::take(&mut self.queue)),
            through: self.last,
        }
    }

    pub(super) fn note_committed(&mut self, through: Ticket) {
        self.committed = through;
    }

    pub(super) fn note_synced(&mut self, through: Ticket, now: Instant) {
        self.synced = through;
        self.synced_at = Some(now);
    }

    /// Ends everything for good. The queued writes are dropped: nobody would write them any more.
    pub(super) fn fail(&mut self) {
        self.failed = true;
        self.queue = Vec::new();
        self.queue_bytes = 0;
        self.queued_since = None;
    }

    /// Accepts no more writes; the queued ones are still to be committed and synced.
    pub(super) fn close(&mut self) {
        self.closing = true;
    }
}

fn queue_bytes(writes: &[Write]) -> usize {
    writes.iter().map(Write::queue_bytes).sum()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use herd_crdt::SlotId;

    use super::*;
    use herd_topology::Incarnation;

    fn put(slot: u32, bytes: usize) -> Vec<Write> {
        vec![Write::Put {
            incarnation: Incarnation {
                server: "Hill".into(),
                generation: 1,
            },
            slot: SlotId(slot),
            version: 0,
            group: Bytes::from(vec![0; bytes]),
        }]
    }

    fn after(ms: u64, start: Instant) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn each_commit_is_synced_before_the_next_one() {
        let now = Instant::now();
        let mut core = WriterCore::new(SyncPolicy::EachCommit, QueueLimits::default());
        assert_eq!(core.next_step(now), WriterStep::Wait(None));
        assert_eq!(core.push(put(0, 1), now).unwrap(), Ticket(1));
        assert_eq!(core.push(put(1, 1), now).unwrap(), Ticket(2));
        assert_eq!(core.next_step(now), WriterStep::Commit);
        let batch = core.take_batch();
        assert_eq!((batch.writes.len(), batch.through), (2, Ticket(2)));
        core.push(put(2, 1), now).unwrap();
        core.note_committed(batch.through);
        assert_eq!(core.next_step(now), WriterStep::Sync);
        core.note_synced(batch.through, now);
        assert_eq!(core.next_step(now), WriterStep::Commit);
    }

    #[test]
    fn commits_gather_for_a_while_and_syncs_are_rare() {
        let start = Instant::now();
        let every = SyncPolicy::Every(Duration::from_secs(1));
        let mut core = WriterCore::new(every, QueueLimits::default());
        core.push(put(0, 1), start).unwrap();
        let due = start + COMMIT_GAP;
        assert_eq!(core.next_step(start), WriterStep::Wait(Some(due)));
        assert_eq!(core.next_step(due), WriterStep::Commit);
        let first = core.take_batch();
        core.note_committed(first.through);
        assert_eq!(core.next_step(due), WriterStep::Sync);
        core.note_synced(first.through, due);
        core.push(put(0, 1), after(20, start)).unwrap();
        let second = core.take_batch();
        core.note_committed(second.through);
        let sync_due = due + Duration::from_secs(1);
        let now = after(30, start);
        assert_eq!(core.next_step(now), WriterStep::Wait(Some(sync_due)));
        assert_eq!(core.next_step(sync_due), WriterStep::Sync);
    }

    #[test]
    fn a_waiting_queue_is_bounded_by_the_number_of_slots() {
        let now = Instant::now();
        let limits = QueueLimits {
            bytes_max: 10_000,
            writes_max: 50,
        };
        let mut core = WriterCore::new(SyncPolicy::EachCommit, limits);
        for round in 0..1_000_u64 {
            for slot in 0..100 {
                let ticket = core.push(put(slot, 100), now).unwrap();
                assert_eq!(ticket.0, round * 100 + u64::from(slot) + 1);
            }
            let (writes, bytes) = core.queued();
            assert!(writes <= 50 + 3 * 100 && bytes <= 10_000 + 3 * 100 * 164);
        }
        let batch = core.take_batch();
        assert_eq!((batch.writes.len(), batch.through), (100, Ticket(100_000)));
        assert_eq!(core.queued(), (0, 0));
    }

    #[test]
    fn closing_commits_and_syncs_the_rest_and_then_stops() {
        let now = Instant::now();
        let every = SyncPolicy::Every(Duration::from_secs(100));
        let mut core = WriterCore::new(every, QueueLimits::default());
        core.note_synced(Ticket(0), now);
        core.push(put(0, 1), now).unwrap();
        core.close();
        assert!(matches!(
            core.push(put(0, 1), now),
            Err(WriteRefused::Closed(_))
        ));
        assert_eq!(core.next_step(now), WriterStep::Commit);
        let batch = core.take_batch();
        core.note_committed(batch.through);
        assert_eq!(core.next_step(now), WriterStep::Sync);
        core.note_synced(batch.through, now);
        assert_eq!(core.next_step(now), WriterStep::Stop);
    }

    #[test]
    fn a_failure_is_for_good() {
        let now = Instant::now();
        let mut core = WriterCore::new(SyncPolicy::EachCommit, QueueLimits::default());
        core.push(put(0, 1), now).unwrap();
        core.fail();
        assert_eq!(core.queued(), (0, 0));
        assert_eq!(core.next_step(now), WriterStep::Stop);
        assert!(matches!(
            core.push(put(0, 1), now),
            Err(WriteRefused::Failed(_))
        ));
    }
}
