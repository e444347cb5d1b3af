//! The way of the receiver to the store.

use std::collections::BTreeSet;

use super::incarnation::Incarnation;
use super::unneeded::Unneeded;
use herd_replica::store::{Store, StoreGroup, WriteNumber};
use herd_storage::{StorageWriter, Write};

/// Writes to the store, if there is one. Outlives incarnations of this server.
#[derive(Default)]
pub(super) struct StoreWriter {
    writer: Option<StorageWriter>,
    unneeded: Unneeded,
}

impl StoreWriter {
    /// From now on groups go to this store.
    pub(super) fn open(&mut self, writer: StorageWriter) {
        self.writer = Some(writer);
    }

    /// The store, if it takes groups.
    pub(super) fn writer(&self) -> Option<&StorageWriter> {
        self.writer.as_ref()
    }

    /// Whom the store is to forget.
    pub(super) fn unneeded(&self) -> &Unneeded {
        &self.unneeded
    }
}

impl Store for StoreWriter {
    fn put(&mut self, groups: Vec<StoreGroup>) -> Option<WriteNumber> {
        let writer = self.writer.as_ref()?;
        let publishers = groups.iter().map(|group| group.incarnation.clone());
        let needed: BTreeSet<Incarnation> = publishers.collect();
        let put = |group: StoreGroup| Write::Put {
            incarnation: group.incarnation,
            slot: group.slot,
            version: group.version,
            group: group.group,
        };
        let writes = groups.into_iter().map(put).collect();
        let written = self
            .unneeded
            .withdraw(needed.iter(), || writer.write(writes));
        written.ok().map(|ticket| WriteNumber(ticket.0))
    }

    fn synced(&self) -> WriteNumber {
        let synced = |writer: &StorageWriter| writer.synced().borrow().synced;
        let synced = self.writer.as_ref().map(synced);
        synced.map_or(WriteNumber::default(), |ticket| WriteNumber(ticket.0))
    }

    fn give_up(&mut self) {
        self.writer = None;
        self.unneeded.clear();
    }

    fn request_to_forget(&mut self, incarnation: &Incarnation) {
        self.unneeded.add(incarnation.clone());
    }
}

#[cfg(test)]
mod tests {
    use herd_crdt::SlotId;
    use herd_storage::{CommitFault, ModelledDisk, Store as _, SyncPolicy};

    use super::*;

    fn group(generation: u64) -> StoreGroup {
        StoreGroup {
            incarnation: Incarnation {
                server: "Smith".into(),
                generation,
            },
            slot: SlotId(0),
            version: 7,
            group: herd_crdt::group::empty_group().into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_withdraws_requests_until_the_store_fails() {
        let disk = ModelledDisk::new();
        let mut store = disk.open();
        store.load(&mut |_| {}).unwrap();
        let (writer, _task) =
            StorageWriter::spawn_on_runtime(store, SyncPolicy::EachCommit, Box::new(()));
        let mut way = StoreWriter::default();
        assert_eq!(way.put(vec![group(1)]), None, "there is no store");
        way.open(writer.clone());
        for generation in [1, 2] {
            way.request_to_forget(&group(generation).incarnation);
        }
        let first = way.put(vec![group(1)]).unwrap();
        let mut left = way.unneeded().all().into_iter();
        assert_eq!(
            left.next().map(|request| request.0),
            Some(group(2).incarnation)
        );
        assert_eq!(left.next(), None);
        let mut state = writer.synced();
        let is_synced = |state: &herd_storage::SyncState| state.synced.0 >= first.0;
        state.wait_for(is_synced).await.unwrap();
        assert_eq!(way.synced(), first);
        disk.fail_next_commits(1, CommitFault::Full);
        way.put(vec![group(1)]).unwrap();
        state
            .wait_for(|state| state.failure.is_some())
            .await
            .unwrap();
        assert_eq!(way.put(vec![group(1)]), None);
        assert_eq!(way.synced(), first, "it is there");
        way.give_up();
        assert!(way.writer().is_none() && way.unneeded().all().is_empty());
    }
}
