//! The groups of a store on their way into the map: those first that hold a client that is asked for.

use bytes::Bytes;
use herd_crdt::SlotAddress;
use herd_crdt::group::{GroupError, GroupFormat};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::{error, warn};

use super::driver::now;
use super::timing::STORE_QUIET_MAX;
use herd_locations::{ClientSearch, Locations};
use herd_replica::membership::Membership;
use herd_replica::store_feed::StoreFeed;
use herd_storage::StoredGroup;

/// Groups that are merged or searched between two looks at whether other tasks want the processor.
const GROUPS_PER_YIELD: usize = 16;

/// After a search, one in so many of the groups that are left is merged before the next search: all
/// searches together look at no more than so many times the groups of the store, however many clients
/// are asked for.
const SEARCHES_PER_GROUP_MAX: usize = 8;

/// Groups that were read and are not merged yet.
#[derive(Debug, Default)]
pub(super) struct Unmerged {
    pub(super) groups: Vec<StoredGroup>,
    /// What is over when all of them are searched that hold a client of it.
    search: Option<ClientSearch>,
}

/// Merges stored groups, each once.
pub(super) struct Merger<'a> {
    pub(super) format: GroupFormat,
    pub(super) locations: &'a Locations,
    pub(super) membership: &'a mut Membership,
    pub(super) feed: &'a mut StoreFeed,
    /// Records in the groups that were merged.
    pub(super) records: usize,
    /// Groups that were merged or searched.
    pub(super) steps: usize,
}

impl Merger<'_> {
    /// Merges what is read until somebody asks for a client. From then on groups are gathered, since reading is
    /// fast, and no search is over before all are read; those are merged that hold clients of the first search, which
    /// is so over with the last group. The others are added to `unmerged`.
    ///
    /// Says whether all were read: it gives up when nothing comes for [`STORE_QUIET_MAX`], or `until` is over.
    pub(super) async fn merge_until_asked(
        &mut self,
        read: &mut mpsc::Receiver<StoredGroup>,
        unmerged: &mut Unmerged,
        until: impl Future<Output = ()>,
    ) -> bool {
        tokio::pin!(until);
        loop {
            let group = tokio::select! {
                biased;
                () = &mut until => return false,
                group = read.recv() => group,
                () = sleep(STORE_QUIET_MAX) => return false,
            };
            let Some(group) = group else {
                break;
            };
            let Unmerged { groups, search } = unmerged;
            if search.is_none() {
                *search = self.locations.loading().begin_search();
            }
            match search {
                Some(search) if !may_hold(self.format, &group.group, search) => groups.push(group),
                Some(_) | None => self.merge(group),
            }
            self.step().await;
        }
        if let Some(search) = unmerged.search.take() {
            self.locations.loading().end_search(search);
        }
        true
    }

    /// Merges the rest of the groups, and lets those go first that hold clients that are asked for.
    pub(super) async fn merge_left(&mut self, unmerged: Unmerged) {
        let Unmerged {
            groups: mut left,
            search,
        } = unmerged;
        if let Some(search) = search {
            left = self.merge_holders(&search, left).await;
            self.locations.loading().end_search(search);
        }
        let mut merges_before_search = 0;
        loop {
            if merges_before_search == 0
                && let Some(search) = self.locations.loading().begin_search()
            {
                left = self.merge_holders(&search, left).await;
                self.locations.loading().end_search(search);
                merges_before_search = left.len() / SEARCHES_PER_GROUP_MAX;
            }
            let Some(group) = left.pop() else {
                return;
            };
            self.merge(group);
            self.step().await;
            merges_before_search = merges_before_search.saturating_sub(1);
        }
    }

    /// Merges all groups that hold a client of the search; returns the others.
    async fn merge_holders(
        &mut self,
        search: &ClientSearch,
        groups: Vec<StoredGroup>,
    ) -> Vec<StoredGroup> {
        let mut others = Vec::with_capacity(groups.len());
        for group in groups {
            if may_hold(self.format, &group.group, search) {
                self.merge(group);
            } else {
                others.push(group);
            }
            self.step().await;
        }
        others
    }

    /// Merges one group, and notes that the store has it.
    pub(super) fn merge(&mut self, stored: StoredGroup) {
        let StoredGroup {
            ref incarnation,
            slot,
            version,
            ref group,
        } = stored;
        self.feed.note_loaded(incarnation, version);
        // What cannot be read was never in the map, and holds nothing that could lose its place.
        let mut hashes = Vec::new();
        let read = self.format.read(group);
        let is_merged = read.is_ok();
        match read {
            Ok(group) => {
                self.records += group.len();
                let locations = self.locations;
                hashes.extend(
                    group
                        .records()
                        .map(|record| locations.hash_of(record.client())),
                );
                let publisher = self.membership.id_of(incarnation, now());
                locations.deliver_hashed(
                    hashes.iter().copied().zip(group.records()),
                    SlotAddress { publisher, slot },
                    &*self.membership,
                );
            }
            Err(GroupError::UnknownVersion(version)) => {
                warn!(%incarnation, version, "a group of a newer format is kept in the store, but not merged: upgrade this server");
                self.feed.note_undecoded(incarnation);
            }
            Err(error) => {
                error!(%incarnation, %error, "a group in the store cannot be read; it is kept, and left unmerged");
                self.feed.note_undecoded(incarnation);
            }
        }
        self.feed.held.hold(incarnation, slot, version, hashes);
        if is_merged {
            self.feed.held.note_merged(incarnation, slot, version);
        }
    }

    async fn step(&mut self) {
        self.steps += 1;
        if self.steps.is_multiple_of(GROUPS_PER_YIELD) {
            tokio::task::yield_now().await;
        }
    }
}

/// Whether a client of the search may be in the group. One that cannot be read may hold anyone, so its
/// turn to be told of comes at once.
fn may_hold(format: GroupFormat, group: &Bytes, search: &ClientSearch) -> bool {
    format
        .has_client(group, |client| search.is_for(client))
        .unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::FutureExt as _;
    use herd_crdt::group::GroupBuilder;
    use herd_crdt::{Record, ServerName, SlotId};
    use tokio::task::yield_now;
    use tokio::time::Instant;

    use super::super::incarnation::Incarnation;
    use super::*;

    const GROUPS: usize = 400;
    /// The first of them, with the lesser record of `kiwi`.
    const LESSER: usize = 0;
    /// The one with the greater record.
    const GREATER: usize = 200;
    /// The one that `emu` is in.
    const EMU: usize = 100;

    struct LoadingServer {
        locations: Locations,
        membership: Membership,
        feed: StoreFeed,
    }

    impl LoadingServer {
        fn new() -> Self {
            let hill = ServerName::from("Hill");
            let locations = Locations::default();
            locations.loading().begin();
            LoadingServer {
                locations,
                membership: Membership::new(hill.clone(), vec![hill.clone(), "Smith".into()]),
                feed: StoreFeed::new(hill),
            }
        }

        /// The merger, and the map by itself.
        fn merger(&mut self) -> (Merger<'_>, &Locations) {
            let merger = Merger {
                format: GroupFormat::PRESENT,
                locations: &self.locations,
                membership: &mut self.membership,
                feed: &mut self.feed,
                records: 0,
                steps: 0,
            };
            (merger, &self.locations)
        }
    }

    fn stored(slot: usize, group: Vec<u8>) -> StoredGroup {
        StoredGroup {
            incarnation: Incarnation {
                server: "Smith".into(),
                generation: 1,
            },
            slot: SlotId(slot as u32),
            version: slot as u64 + 1,
            group: group.into(),
        }
    }

    fn group_of(slot: usize, clients: &[(&str, &str)]) -> StoredGroup {
        let mut builder = GroupBuilder::default();
        for (client, time) in clients {
            let (client, time) = (client.as_bytes(), time.as_bytes());
            let record = Record::new(client, b"+1+1", time, "Smith".into(), 0).unwrap();
            assert!(builder.try_push(&record));
        }
        stored(slot, builder.finish())
    }

    fn groups() -> Vec<StoredGroup> {
        let group = |slot| {
            let own = format!("client{slot}");
            let other = match slot {
                LESSER => ("kiwi", "1"),
                GREATER => ("kiwi", "7"),
                EMU => ("emu", "3"),
                _ => ("everywhere", "1"),
            };
            group_of(slot, &[(&own, "1"), other])
        };
        (0..GROUPS).map(group).collect()
    }

    fn unmerged(groups: Vec<StoredGroup>) -> Unmerged {
        Unmerged {
            groups,
            search: None,
        }
    }

    fn time_of(locations: &Locations, client: &str) -> Option<String> {
        let record = locations.find(client.as_bytes())?;
        Some(String::from_utf8_lossy(record.time_text()).into_owned())
    }

    #[tokio::test]
    async fn a_client_is_answered_rightly_while_groups_are_unmerged() {
        let mut server = LoadingServer::new();
        let (mut merger, locations) = server.merger();
        let loading = locations.loading();
        let (send, mut read) = mpsc::channel(GROUPS);
        let clients = async {
            let mut groups = groups().into_iter();
            // Nobody asks yet: what is read is merged.
            for group in groups.by_ref().take(50) {
                send.send(group).await.unwrap();
            }
            while locations.len() < 50 {
                yield_now().await;
            }
            assert_eq!(time_of(locations, "kiwi").as_deref(), Some("1"));
            let (kiwi, moa) = (loading.ask(b"kiwi"), loading.ask(b"moa"));
            // The disk takes its time with the rest, in which anything may be.
            for _ in 0..100 {
                yield_now().await;
            }
            for after in [kiwi, moa] {
                assert_eq!(loading.answerable(after).now_or_never(), None);
            }
            for group in groups {
                send.send(group).await.unwrap();
            }
            drop(send);
            loading.answerable(kiwi).await;
            assert_eq!(time_of(locations, "kiwi").as_deref(), Some("7"));
            assert_eq!(loading.answerable(moa).now_or_never(), Some(()));
            assert_eq!(time_of(locations, "moa"), None);
            assert!(locations.len() < GROUPS / 2, "the others wait");
            // Asked for later, and answered in the course of it too.
            assert_eq!(time_of(locations, "emu"), None);
            loading.answerable(loading.ask(b"emu")).await;
            assert_eq!(time_of(locations, "emu").as_deref(), Some("3"));
            assert!(loading.is_running() && locations.len() < GROUPS);
        };
        let load = async {
            let mut left = Unmerged::default();
            let all = merger.merge_until_asked(&mut read, &mut left, pending());
            assert!(all.await);
            assert!(left.groups.len() > GROUPS / 2);
            merger.merge_left(left).await;
            loading.end();
        };
        tokio::join!(clients, load);
        assert_eq!(merger.records, 2 * GROUPS, "each group once");
        assert_eq!(locations.len(), GROUPS + 3);
        assert_eq!(time_of(locations, "kiwi").as_deref(), Some("7"));
    }

    #[tokio::test]
    async fn without_questions_groups_are_merged_as_they_are_read() {
        let mut server = LoadingServer::new();
        let (mut merger, locations) = server.merger();
        let (send, mut read) = mpsc::channel(1);
        let store = async move {
            for group in groups() {
                send.send(group).await.unwrap();
            }
        };
        let mut left = Unmerged::default();
        let merging = merger.merge_until_asked(&mut read, &mut left, pending());
        let (all, ()) = tokio::join!(merging, store);
        assert!(all && left.groups.is_empty());
        assert_eq!(locations.len(), GROUPS + 3);
    }

    #[tokio::test]
    async fn questions_without_end_do_not_hold_up_the_load() {
        let mut server = LoadingServer::new();
        let (mut merger, locations) = server.merger();
        let loading = locations.loading();
        let clients = async {
            let mut answered = 0;
            while loading.is_running() {
                loading.answerable(loading.ask(b"moa")).await;
                answered += 1;
            }
            answered
        };
        let load = async {
            merger.merge_left(unmerged(groups())).await;
            loading.end();
        };
        // Whoever asks is polled first.
        let (answered, ()) = tokio::join!(biased; clients, load);
        assert!(answered > 8, "{answered}");
        let steps_max = GROUPS * (SEARCHES_PER_GROUP_MAX + 2);
        assert!(merger.steps <= steps_max, "{} steps", merger.steps);
        assert_eq!(locations.len(), GROUPS + 3);
    }

    #[tokio::test]
    async fn a_group_that_cannot_be_read_holds_up_nobody_and_is_kept() {
        let mut next = GroupBuilder::new(GroupFormat::next());
        let moa = Record::new(b"moa", b"+1+1", b"1", "Smith".into(), 0).unwrap();
        assert!(next.try_push(&moa));
        let unreadable = [next.finish(), b"\x01garbled".to_vec(), Vec::new()];
        for bytes in unreadable {
            let mut server = LoadingServer::new();
            let (mut merger, locations) = server.merger();
            let loading = locations.loading();
            let (kiwi, moa) = (loading.ask(b"kiwi"), loading.ask(b"moa"));
            let mut groups = groups();
            groups.insert(GREATER, stored(GROUPS, bytes));
            merger.merge_left(unmerged(groups)).await;
            for after in [kiwi, moa] {
                assert_eq!(loading.answerable(after).now_or_never(), Some(()));
            }
            assert_eq!(time_of(locations, "kiwi").as_deref(), Some("7"));
            assert_eq!(time_of(locations, "moa"), None);
            assert_eq!(merger.records, 2 * GROUPS);
            assert_eq!(server.feed.incarnations().count(), 0, "not to be forgotten");
        }
    }

    /// What was asked for before the disk hung is answered when it answers.
    #[tokio::test(start_paused = true)]
    async fn a_search_waits_for_a_disk_that_hung_and_answers() {
        let mut server = LoadingServer::new();
        let (mut merger, locations) = server.merger();
        let loading = locations.loading();
        let kiwi = loading.ask(b"kiwi");
        let (send, mut read) = mpsc::channel(GROUPS);
        let mut groups = groups().into_iter();
        for group in groups.by_ref().take(50) {
            send.send(group).await.unwrap();
        }
        let mut left = Unmerged::default();
        let start = Instant::now();
        let all = merger.merge_until_asked(&mut read, &mut left, pending());
        assert!(!all.await);
        assert_eq!(start.elapsed(), STORE_QUIET_MAX);
        assert_eq!(loading.answerable(kiwi).now_or_never(), None);
        left.groups.extend(groups);
        let (merging, told) = (merger.merge_left(left), loading.answerable(kiwi));
        tokio::join!(merging, async {
            told.await;
            assert_eq!(time_of(locations, "kiwi").as_deref(), Some("7"));
        });
        assert_eq!(merger.records, 2 * GROUPS, "each group once");
    }
}
