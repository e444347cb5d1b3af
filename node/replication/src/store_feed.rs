//! What goes from gossip to the store, and how far that has come.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use herd_crdt::{ServerName, SlotId};
use parking_lot::Mutex;

use super::held_groups::HeldGroups;
use super::incarnation::Incarnation;
use herd_storage::{StorageWriter, Ticket, Write};

/// Batches that are remembered until they are on disk. More are counted with the newest.
const WAITING_MAX: usize = 64;

/// A group of another server, as gossip delivered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeliveredGroup {
    pub(super) incarnation: Incarnation,
    pub(super) slot: SlotId,
    /// The version of its publisher's state that it was set with.
    pub(super) version: u64,
    pub(super) group: Bytes,
}

/// Incarnations whose groups the store no longer needs. The receiver asks, the publisher does it:
/// only once a round that began after the request is on disk, and with it whatever replaced them.
#[derive(Clone, Debug, Default)]
pub(super) struct Unneeded {
    requests: Arc<Mutex<Requests>>,
}

/// A request to forget an incarnation: a later one for the same is another.
pub(super) type Request = (Incarnation, u64);

#[derive(Debug, Default)]
struct Requests {
    made: u64,
    open: BTreeMap<Incarnation, u64>,
}

impl Unneeded {
    pub(super) fn add(&self, incarnation: Incarnation) {
        let mut requests = self.requests.lock();
        let Requests { made, open } = &mut *requests;
        open.entry(incarnation).or_insert_with(|| {
            *made += 1;
            *made
        });
    }

    pub(super) fn all(&self) -> BTreeSet<Request> {
        let requests = self.requests.lock();
        let open = requests.open.iter();
        open.map(|(incarnation, number)| (incarnation.clone(), *number))
            .collect()
    }

    /// Does `forget`, and closes the request, if it is still open. Nothing else is written meanwhile.
    pub(super) fn close(&self, (incarnation, number): &Request, forget: impl FnOnce()) {
        let mut requests = self.requests.lock();
        if requests.open.get(incarnation) == Some(number) {
            requests.open.remove(incarnation);
            forget();
        }
    }

    /// Does `write`, which needs these incarnations: requests to forget them are withdrawn.
    fn withdraw<'a, T>(
        &self,
        needed: impl Iterator<Item = &'a Incarnation>,
        write: impl FnOnce() -> T,
    ) -> T {
        let mut requests = self.requests.lock();
        for incarnation in needed {
            requests.open.remove(incarnation);
        }
        write()
    }

    fn clear(&self) {
        self.requests.lock().open.clear();
    }
}

/// Puts groups of other servers into the store, each once. Outlives incarnations of this server.
pub(super) struct StoreFeed {
    me: ServerName,
    writer: Option<StorageWriter>,
    /// What the store has of others.
    pub(super) held: HeldGroups,
    /// For each incarnation, the version up to which the store was given all that it published.
    stored: BTreeMap<Incarnation, u64>,
    /// Incarnations of which the store holds groups that this version of herd cannot read.
    undecoded: BTreeSet<Incarnation>,
    unneeded: Unneeded,
    /// What was given to the store and is not on disk yet, in order.
    waiting: VecDeque<(Ticket, BTreeMap<Incarnation, u64>)>,
    durable: BTreeMap<Incarnation, u64>,
}

impl StoreFeed {
    /// A feed of no store.
    pub(super) fn new(me: ServerName) -> Self {
        StoreFeed {
            me,
            writer: None,
            held: HeldGroups::default(),
            stored: BTreeMap::new(),
            undecoded: BTreeSet::new(),
            unneeded: Unneeded::default(),
            waiting: VecDeque::new(),
            durable: BTreeMap::new(),
        }
    }

    /// From now on groups go to this store.
    pub(super) fn open(&mut self, writer: StorageWriter) {
        self.writer = Some(writer);
    }

    pub(super) fn writer(&self) -> Option<&StorageWriter> {
        self.writer.as_ref()
    }

    /// Who is to be forgotten by the store.
    pub(super) fn unneeded(&self) -> &Unneeded {
        &self.unneeded
    }

    /// The publisher puts groups of this server's own incarnation into the store.
    pub(super) fn note_own(&mut self, incarnation: &Incarnation) {
        if self.writer.is_some() {
            raise(&mut self.stored, incarnation, 0);
        }
    }

    /// Writes of this server's own, that no other server's groups are part of.
    pub(super) fn put_own(&mut self, writes: Vec<Write>) {
        if let Some(writer) = &self.writer
            && !writes.is_empty()
        {
            // Refused only by a store that has failed, as its watcher says.
            let _ = writer.write(writes);
        }
    }

    /// The store held this group when the server started.
    pub(super) fn note_loaded(&mut self, incarnation: &Incarnation, version: u64) {
        raise(&mut self.stored, incarnation, version);
    }

    /// The store holds a group of this incarnation that cannot be read: a newer version of herd can.
    pub(super) fn note_undecoded(&mut self, incarnation: &Incarnation) {
        self.undecoded.insert(incarnation.clone());
    }

    /// Whether the store is to have this group.
    ///
    /// It is not if the store has it already: after a start gossip delivers everything again, and perhaps from a
    /// neighbour who has fallen behind the store. Nor are those of this server's own earlier incarnations, for the
    /// same reason: their records are published and stored under the present one.
    pub(super) fn wants(&self, incarnation: &Incarnation, version: u64) -> bool {
        let known = || self.stored.get(incarnation).copied().unwrap_or(0);
        self.writer.is_some() && incarnation.server != self.me && version > known()
    }

    /// Gives the store all groups that it wants of what changed, and `more`, in one write that is stored as a
    /// whole or not at all; `versions` are how far each publisher's state has come with it, if it is all of that. To be
    /// called before any of it is merged: what a merge leads to (a slot overwritten, an incarnation forgotten) must
    /// not be on disk before it.
    pub(super) fn put(
        &mut self,
        groups: impl IntoIterator<Item = DeliveredGroup>,
        more: Vec<Write>,
        versions: Option<&[(Incarnation, u64)]>,
    ) {
        let Some(writer) = &self.writer else {
            return;
        };
        let groups: Vec<DeliveredGroup> = groups.into_iter().collect();
        let needed: BTreeSet<Incarnation> = groups
            .iter()
            .map(|group| group.incarnation.clone())
            .collect();
        let writes: Vec<Write> = groups
            .into_iter()
            .map(|delivered| Write::Put {
                incarnation: delivered.incarnation,
                slot: delivered.slot,
                version: delivered.version,
                group: delivered.group,
            })
            .chain(more)
            .collect();
        if writes.is_empty() && versions.is_none() {
            return;
        }
        let unneeded = &self.unneeded;
        // A store that takes nothing has failed, and its watcher says so.
        let Ok(ticket) = unneeded.withdraw(needed.iter(), || writer.write(writes)) else {
            let synced = writer.synced().borrow().synced;
            self.durable(synced);
            // What is left never will be, and nobody is to wait for it.
            self.waiting.clear();
            self.writer = None;
            self.unneeded.clear();
            return;
        };
        let Some(versions) = versions else {
            return;
        };
        for (incarnation, version) in versions {
            if incarnation.server != self.me {
                raise(&mut self.stored, incarnation, *version);
            }
        }
        let given: BTreeMap<Incarnation, u64> = versions.iter().cloned().collect();
        if self.waiting.len() >= WAITING_MAX
            && let Some(newest) = self.waiting.back_mut()
        {
            *newest = (ticket, given);
        } else {
            self.waiting.push_back((ticket, given));
        }
    }

    /// The first write that [`StoreFeed::durable`] waits for, by what it was told last; none once the store takes nothing.
    pub(super) fn first_unsynced(&self) -> Option<Ticket> {
        self.waiting.front().map(|(ticket, _)| *ticket)
    }

    /// For each incarnation the version up to which everything is on disk.
    pub(super) fn durable(&mut self, synced: Ticket) -> &BTreeMap<Incarnation, u64> {
        while let Some((ticket, versions)) = self.waiting.pop_front() {
            if ticket > synced {
                self.waiting.push_front((ticket, versions));
                break;
            }
            self.durable = versions;
        }
        &self.durable
    }

    /// Incarnations of which the store holds groups that it could do without, were it not for records
    /// that rely on them.
    pub(super) fn incarnations(&self) -> impl Iterator<Item = &Incarnation> {
        let readable = |incarnation: &&Incarnation| !self.undecoded.contains(*incarnation);
        self.stored.keys().filter(readable)
    }

    /// The store may forget this incarnation: no record relies on it.
    pub(super) fn forget(&mut self, incarnation: &Incarnation) {
        if self.undecoded.contains(incarnation) {
            return;
        }
        self.stored.remove(incarnation);
        self.held.forget(incarnation);
        if self.writer.is_some() {
            self.unneeded.add(incarnation.clone());
        }
    }
}

fn raise(versions: &mut BTreeMap<Incarnation, u64>, incarnation: &Incarnation, version: u64) {
    match versions.get_mut(incarnation) {
        Some(known) => *known = version.max(*known),
        None => {
            versions.insert(incarnation.clone(), version);
        }
    }
}

#[cfg(test)]
mod tests {
    use herd_storage::{CommitFault, ModelledDisk, Store as _, SyncPolicy};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_group_as_old_as_what_is_stored_is_not_wanted() {
        let mut store = ModelledDisk::new().open();
        store.load(&mut |_| {}).unwrap();
        let (writer, _task) =
            StorageWriter::spawn_on_runtime(store, SyncPolicy::EachCommit, Box::new(()));
        let mut feed = StoreFeed::new("Hill".into());
        feed.open(writer);
        let smith = Incarnation {
            server: "Smith".into(),
            generation: 1,
        };
        feed.note_loaded(&smith, 7);
        assert_eq!(
            [6, 7, 8].map(|version| feed.wants(&smith, version)),
            [false, false, true]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_store_that_takes_nothing_any_more() {
        let disk = ModelledDisk::new();
        let mut store = disk.open();
        store.load(&mut |_| {}).unwrap();
        let (writer, _task) =
            StorageWriter::spawn_on_runtime(store, SyncPolicy::EachCommit, Box::new(()));
        let mut feed = StoreFeed::new("Hill".into());
        feed.open(writer.clone());
        let smith = Incarnation {
            server: "Smith".into(),
            generation: 1,
        };
        let floor = |time_ns| vec![Write::Floor { time_ns }];
        feed.put([], floor(1), Some(&[(smith.clone(), 7)]));
        let first = feed.first_unsynced().unwrap();
        let mut state = writer.synced();
        state.wait_for(|state| state.synced >= first).await.unwrap();
        // It is on disk, and before anybody looks, the store fails and refuses what comes next.
        disk.fail_next_commits(1, CommitFault::Full);
        writer.write(floor(2)).unwrap();
        state
            .wait_for(|state| state.failure.is_some())
            .await
            .unwrap();
        feed.put([], floor(3), Some(&[(smith.clone(), 8)]));
        assert_eq!(feed.first_unsynced(), None);
        assert_eq!(feed.durable(Ticket::default()).get(&smith), Some(&7));
    }

    #[test]
    fn what_is_stored_again_withdraws_the_request_to_forget_it() {
        let unneeded = Unneeded::default();
        let smith = Incarnation {
            server: "Smith".into(),
            generation: 1,
        };
        let only = || unneeded.all().pop_first().unwrap();
        unneeded.add(smith.clone());
        let first = only();
        unneeded.add(smith.clone());
        assert_eq!(only(), first, "one request");
        assert_eq!(unneeded.withdraw([&smith].into_iter(), || 7), 7);
        assert_eq!(unneeded.all().len(), 0);
        let mut forgotten = 0;
        unneeded.close(&first, || forgotten += 1);
        unneeded.add(smith);
        // It is another one, for which other writes have to be on disk.
        unneeded.close(&first, || forgotten += 1);
        assert_eq!(forgotten, 0);
        unneeded.close(&only(), || forgotten += 1);
        assert_eq!((forgotten, unneeded.all().len()), (1, 0));
    }
}
