//! The disk of a simulated server: what its store hands to its next process. It may be slow, and loses then all that it
//! had not synced when the process and its machine ended.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use herd_crdt::{Publication, PublisherId, Record};

use super::floor::{Floor, at_once};
use super::server::Server;
use crate::incarnation::Incarnation;
use crate::publishing::WrittenRound;
use crate::store::WriteNumber;

/// A slow disk begins a sync this long after the last one, if that is over.
const SYNC_GAP: Duration = Duration::from_millis(500);

/// What is on a disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    /// The last generation of the server's own.
    pub(super) generation: u64,
    /// The floor of expiry, if there is one.
    pub(super) floor_ns: Option<i64>,
    /// Each record with the incarnation whose group it is in.
    pub(super) records: Vec<(Incarnation, Record)>,
}

/// What a server knows of its disk.
#[derive(Debug, Default)]
pub(super) struct Syncing {
    /// A sync takes so long.
    slow: Duration,
    writes: u64,
    synced: u64,
    /// What is on disk; the present state, if the disk is not slow.
    stored: Option<Disk>,
    /// The sync that is under way: when it is over, up to which write, and with what.
    under_way: Option<(Instant, u64, Disk)>,
    next: Option<Instant>,
    /// Reports with the round that has to be on disk before their replies go out, in order.
    waiting: VecDeque<(u64, Record)>,
    /// And those whose round is over, with its last write.
    written: VecDeque<(u64, Record)>,
    /// Reports whose replies went out.
    pub(super) acknowledged: Vec<Record>,
}

impl Syncing {
    /// From now on a sync takes so long; at once, if it takes no time. `present` is what is to be on disk.
    pub(super) fn set_slow(&mut self, slow: Duration, present: Disk) {
        self.slow = slow;
        self.under_way = None;
        if slow.is_zero() {
            self.stored = None;
            self.sync_all();
        } else {
            self.stored.get_or_insert(present);
        }
    }

    fn is_slow(&self) -> bool {
        !self.slow.is_zero()
    }

    /// Groups were given to the store.
    pub(super) fn note_writes(&mut self, writes: usize) {
        self.writes += writes as u64;
        if !self.is_slow() {
            self.sync_all();
        }
    }

    fn sync_all(&mut self) {
        self.synced = self.writes;
        self.acknowledge();
    }

    pub(super) fn last_write(&self) -> WriteNumber {
        WriteNumber(self.writes)
    }

    pub(super) fn synced(&self) -> WriteNumber {
        WriteNumber(self.synced)
    }

    /// A client waits for its report to be on disk: some round after this one has it.
    pub(super) fn note_report(&mut self, round: u64, record: Record) {
        self.waiting.push_back((round + 1, record));
    }

    pub(super) fn note_written(&mut self, written: WrittenRound) {
        for (_, record) in up_to(&mut self.waiting, written.round) {
            self.written.push_back((written.last_write.0, record));
        }
        self.acknowledge();
    }

    fn acknowledge(&mut self) {
        let acknowledged = up_to(&mut self.written, self.synced).into_iter();
        self.acknowledged
            .extend(acknowledged.map(|(_, record)| record));
    }

    /// When the sync that is under way is over, or the next one begins.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        let ends = self.under_way.as_ref().map(|(ends, ..)| *ends);
        ends.or(self.next).filter(|_| self.is_slow())
    }

    /// Ends the sync that is due. Says whether the next one is to begin.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        if !self.is_slow() {
            return false;
        }
        if let Some((_, writes, disk)) = self.under_way.take_if(|(ends, ..)| now >= *ends) {
            self.synced = writes;
            self.stored = Some(disk);
            self.next = Some(now + SYNC_GAP);
            self.acknowledge();
        }
        self.under_way.is_none() && self.next.is_none_or(|next| now >= next)
    }

    /// Begins a sync of this.
    pub(super) fn begin(&mut self, present: Disk, now: Instant) {
        self.under_way = Some((now + self.slow, self.writes, present));
    }
}

/// Takes those in front whose number is at most this.
fn up_to(queue: &mut VecDeque<(u64, Record)>, last: u64) -> Vec<(u64, Record)> {
    let count = queue.iter().take_while(|(number, _)| *number <= last);
    let count = count.count();
    queue.drain(..count).collect()
}

impl Server {
    /// What is to be on its disk of these clients.
    fn present<'a>(&self, clients: impl Iterator<Item = &'a Vec<u8>>) -> Disk {
        let me = self.gossip.me();
        let stored = clients.filter_map(|client| {
            let record = self.map.held(client)?;
            let (publication, publisher) = self.map.publication(client)?;
            let is_own =
                matches!(publication, Publication::InSlot(_)) || publisher == PublisherId::NOBODY;
            let other = self.known.membership.incarnation(publisher);
            let incarnation = other.filter(|_| !is_own).unwrap_or(me);
            Some((incarnation.clone(), record))
        });
        let floor_ns = self.map.floor_ns();
        Disk {
            generation: me.generation,
            floor_ns: (floor_ns > i64::MIN).then_some(floor_ns),
            records: stored.collect(),
        }
    }

    /// What is on its disk of these clients.
    pub(super) fn disk<'a>(&self, clients: impl Iterator<Item = &'a Vec<u8>>) -> Disk {
        let stored = self.syncing.stored.clone();
        stored.unwrap_or_else(|| self.present(clients))
    }

    /// The disk becomes slow, or fast again.
    pub(super) fn set_slow<'a>(
        &mut self,
        slow: Duration,
        clients: impl Iterator<Item = &'a Vec<u8>>,
    ) {
        let present = self.present(clients);
        self.syncing.set_slow(slow, present);
    }

    /// Syncs what is due.
    pub(super) fn sync<'a>(&mut self, clients: impl Iterator<Item = &'a Vec<u8>>, now: Instant) {
        if self.syncing.look(now) {
            let present = self.present(clients);
            self.syncing.begin(present, now);
        }
    }

    /// Reads the disk into the map.
    pub(super) fn load(&mut self, disk: Disk, now: Instant) {
        if let Some(floor_ns) = disk.floor_ns {
            at_once(self.map.raise_floor(floor_ns));
            if let Some(after) = self.expire_after {
                self.floor = Some(Floor::new(after, Some(floor_ns), now));
            }
        }
        for (incarnation, record) in disk.records {
            self.signs.note_heard_of(&incarnation, now);
            let membership = &mut self.known.membership;
            let publisher = membership.id_of(&incarnation, now);
            self.map.deliver([record], publisher, &*membership);
        }
    }
}
