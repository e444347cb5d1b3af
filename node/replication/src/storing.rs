//! The store of a server from its opening to its close: loading it, and who is told how it fares.

use std::sync::{Arc, Weak};
use std::time::Duration;

use herd_crdt::group::GroupFormat;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::store_handle::StoreHandle;
use super::stored_groups::{Merger, Unmerged};
use herd_acknowledgement::{Acknowledgements, PeerProgress};
use herd_gossip::links::Links;
use herd_locations::Locations;
use herd_replica::membership::Membership;
use herd_replica::store_feed::StoreFeed;
use herd_storage::{
    CloseError, LoadReport, ModelledStore, StorageTask, StorageThread, StorageWriter, Store,
    StoreError, StoreObserver, StoredGroup, SyncPolicy, SyncState, Ticket,
};

/// Groups on their way from the disk to the [`Merger`].
const LOADED_GROUPS_MAX: usize = 64;

/// Opens a store; runs in a thread that may block. Called again after a failure that may pass.
pub type OpenStore = Arc<dyn Fn() -> Result<Box<dyn Store>, StoreError> + Send + Sync>;

/// Where a server keeps its groups.
pub enum StoreSource {
    /// On a disk, by threads that wait for it.
    Disk(OpenStore, SyncPolicy),
    /// On a modelled one, by tasks of the runtime: for simulations.
    Modelled(ModelledStore, SyncPolicy),
}

/// Makes the source of a store again whose first opening has failed for want of something.
pub(super) type SourceAgain = Box<dyn Fn() -> StoreSource + Send + Sync>;

impl StoreSource {
    pub(super) fn again(&self) -> SourceAgain {
        match self {
            StoreSource::Disk(open, policy) => {
                let (open, policy) = (open.clone(), *policy);
                Box::new(move || StoreSource::Disk(open.clone(), policy))
            }
            StoreSource::Modelled(store, policy) => {
                let (disk, policy) = (store.disk(), *policy);
                Box::new(move || StoreSource::Modelled(disk.open(), policy))
            }
        }
    }
}

/// What has become of the store.
#[derive(Clone, Debug, Default)]
pub enum StorageState {
    /// There is none: everything is in memory only.
    #[default]
    Ephemeral,
    /// It is being read. Whoever asks for a client waits for the groups that hold it.
    Loading,
    /// It takes everything that is published.
    Open,
    /// It cannot be read or written; the server goes on from memory and its neighbours.
    Failed(Arc<StoreError>),
}

/// Ends the writing to a store.
pub(super) enum StorageDriver {
    Thread(StorageThread),
    Task(StorageTask),
}

impl StorageDriver {
    pub(super) async fn close(self, deadline: Duration) -> Result<SyncState, CloseError> {
        match self {
            StorageDriver::Thread(thread) => thread.close(deadline).await,
            StorageDriver::Task(task) => task.close(deadline).await,
        }
    }
}

/// Tells the acknowledgements, and whoever asks, how the store fares.
pub(super) struct StoreWatch {
    pub(super) acknowledgements: Arc<Acknowledgements>,
    /// It holds the writer, which holds this.
    pub(super) store: Weak<StoreHandle>,
}

impl StoreObserver for StoreWatch {
    fn synced(&self, through: Ticket) {
        self.acknowledgements.note_synced(through.0);
    }

    fn failed(&self, failure: &Arc<StoreError>) {
        self.acknowledgements.note_disk_failed();
        if failure.is_passing() {
            error!(error = %failure, "the store has failed; this server goes on from memory, and tries again");
        } else {
            error!(error = %failure, "the store has failed; this server goes on from memory");
        }
        if let Some(store) = self.store.upgrade() {
            store.set_state(StorageState::Failed(failure.clone()));
        }
    }
}

/// A store that was read, and takes writes.
pub(super) struct OpenedStore {
    pub(super) writer: StorageWriter,
    pub(super) driver: StorageDriver,
    pub(super) report: LoadReport,
}

/// A store that is being read.
pub(super) struct StoreLoad {
    policy: SyncPolicy,
    read: mpsc::Receiver<StoredGroup>,
    done: oneshot::Receiver<Result<Read, StoreError>>,
    unmerged: Unmerged,
    records: usize,
    steps: usize,
    start: Instant,
    /// Reads a modelled store; a thread that hangs in the system can be ended by nobody.
    _task: JoinSet<()>,
}

/// All of a store is read.
struct Read {
    store: ReadStore,
    report: LoadReport,
}

enum ReadStore {
    Disk(Box<dyn Store>),
    Modelled(ModelledStore),
}

/// What a load fills.
pub(super) struct LoadInto<'a> {
    pub(super) format: GroupFormat,
    /// The floor that the store holds applies before anything of it is answered.
    pub(super) expires: bool,
    pub(super) locations: &'a Locations,
    pub(super) membership: &'a mut Membership,
    pub(super) feed: &'a mut StoreFeed,
}

impl StoreLoad {
    /// Begins to read.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(super) fn begin(source: StoreSource) -> Result<StoreLoad, StoreError> {
        let (groups, read) = mpsc::channel(LOADED_GROUPS_MAX);
        let (done, result) = oneshot::channel();
        let mut task = JoinSet::new();
        let policy = match source {
            StoreSource::Disk(open, policy) => {
                // Nobody waits for its end: the disk may hang for ever.
                let reading = std::thread::Builder::new().name("herd-load".to_owned());
                reading
                    .spawn(move || {
                        let _ = done.send(read_all(&open, &groups));
                    })
                    .map_err(StoreError::NoThread)?;
                policy
            }
            StoreSource::Modelled(store, policy) => {
                task.spawn(async move {
                    let _ = done.send(read_model(store, &groups).await);
                });
                policy
            }
        };
        Ok(StoreLoad {
            policy,
            read,
            done: result,
            unmerged: Unmerged::default(),
            records: 0,
            steps: 0,
            start: Instant::now(),
            _task: task,
        })
    }

    /// Merges what is read. Clients that are asked for meanwhile are merged first. Says whether all was read: a disk
    /// that hangs is waited for until nothing came for [`super::timing::STORE_QUIET_MAX`] or `until` is over.
    pub(super) async fn merge_read(
        &mut self,
        into: &mut LoadInto<'_>,
        until: impl Future<Output = ()>,
    ) -> bool {
        let mut merger = self.merger(into);
        let Self { read, unmerged, .. } = self;
        let all = merger.merge_until_asked(read, unmerged, until).await;
        (self.records, self.steps) = (merger.records, merger.steps);
        all
    }

    /// Whether there is no more to read.
    pub(super) fn is_read(&self) -> bool {
        self.read.is_closed() && self.read.is_empty()
    }

    /// Takes what is read into memory, to its end. May be called again if it was not waited for.
    pub(super) async fn gather(&mut self) {
        while let Some(group) = self.read.recv().await {
            self.unmerged.groups.push(group);
        }
    }

    /// Waits until it is known whether all could be read.
    ///
    /// # Errors
    /// If it could not.
    pub(super) async fn settle(&mut self) -> Result<(), StoreError> {
        let done = std::mem::replace(&mut self.done, oneshot::channel().1);
        // The thread panicked if it said nothing.
        let read = done.await.unwrap_or(Err(StoreError::WriterEnded))?;
        let (settled, done) = oneshot::channel();
        // Its receiver is here.
        let _ = settled.send(Ok(read));
        self.done = done;
        Ok(())
    }

    /// Merges the rest of what was read, and opens the store for writing. `observer` is told of what is written from
    /// then on.
    ///
    /// # Errors
    /// If it cannot be read to its end or written. What was read is in the map: each group is good by
    /// itself.
    pub(super) async fn finish(
        mut self,
        into: &mut LoadInto<'_>,
        observer: Box<dyn StoreObserver>,
    ) -> Result<OpenedStore, StoreError> {
        let done = std::mem::replace(&mut self.done, oneshot::channel().1);
        // The thread panicked if it said nothing.
        let read = done.await.unwrap_or(Err(StoreError::WriterEnded));
        if let Ok(Read { report, .. }) = &read
            && let Some(floor_ns) = report.floor_ns.filter(|_| into.expires)
        {
            into.locations.raise_floor(floor_ns).await;
        }
        let unmerged = std::mem::take(&mut self.unmerged);
        let mut merger = self.merger(into);
        merger.merge_left(unmerged).await;
        let records = merger.records;
        let Read { store, report } = read?;
        let (writer, driver) = match store {
            ReadStore::Disk(store) => {
                let spawned = StorageWriter::spawn(store, self.policy, observer);
                let (writer, thread) = spawned.map_err(StoreError::NoThread)?;
                (writer, StorageDriver::Thread(thread))
            }
            ReadStore::Modelled(store) => {
                let (writer, task) = StorageWriter::spawn_on_runtime(store, self.policy, observer);
                (writer, StorageDriver::Task(task))
            }
        };
        if report.torn_tail_bytes > 0 {
            warn!(
                bytes = report.torn_tail_bytes,
                "the end of the store was cut off by a crash; none of it had been reported as stored"
            );
        }
        info!(
            groups = report.groups,
            bytes = report.bytes,
            records,
            known_clients = into.locations.len(),
            took_ms = self.start.elapsed().as_millis() as u64,
            "store loaded"
        );
        Ok(OpenedStore {
            writer,
            driver,
            report,
        })
    }

    fn merger<'a>(&self, into: &'a mut LoadInto<'_>) -> Merger<'a> {
        Merger {
            format: into.format,
            locations: into.locations,
            membership: into.membership,
            feed: into.feed,
            records: self.records,
            steps: self.steps,
        }
    }
}

/// Runs in a thread of its own.
fn read_all(open: &OpenStore, groups: &mpsc::Sender<StoredGroup>) -> Result<Read, StoreError> {
    let mut store = open()?;
    let report = store.load(&mut |group| {
        // If the server stops meanwhile nobody takes it, and nobody misses it.
        let _ = groups.blocking_send(group);
    })?;
    let store = ReadStore::Disk(store);
    Ok(Read { store, report })
}

/// The same, in a task.
async fn read_model(
    mut store: ModelledStore,
    groups: &mpsc::Sender<StoredGroup>,
) -> Result<Read, StoreError> {
    store.before_load().await;
    let mut read = Vec::new();
    let report = store.load(&mut |group| read.push(group))?;
    for group in read {
        let _ = groups.send(group).await;
        store.between_groups().await;
    }
    let store = ReadStore::Modelled(store);
    Ok(Read { store, report })
}

/// Tells the acknowledgements how far neighbours have come, for as long as it runs; and the publisher, where clients
/// wait at the gate until they have come further.
pub(super) async fn watch_neighbours(
    acknowledgements: Arc<Acknowledgements>,
    links: Arc<Links>,
    locations: Arc<Locations>,
) {
    loop {
        for peer in progress(&links) {
            acknowledgements.note_peer(peer);
        }
        if locations.admission().is_overloaded() {
            locations.nudge();
        }
        links.reported().await;
    }
}

/// How far each neighbour has got with what this server's incarnation publishes.
fn progress(links: &Links) -> impl Iterator<Item = PeerProgress> {
    let me = links.incarnation();
    links.neighbours().iter().filter_map(move |neighbour| {
        let answered = neighbour.answered();
        let applied = neighbour.applied(&me)?;
        Some(PeerProgress {
            generation: me.generation,
            merged: applied.merged,
            durable: applied.durable,
            answered,
        })
    })
}

#[cfg(test)]
mod tests {
    use herd_crdt::group::GroupBuilder;
    use herd_crdt::{Record, ServerName, SlotId};
    use parking_lot::Mutex;

    use super::super::incarnation::Incarnation;
    use super::*;
    use herd_storage::{ModelledDisk, Write};

    /// A store with the clients `1` to `9`, of these times, and a floor of 5.
    fn disk() -> ModelledDisk {
        let mut builder = GroupBuilder::default();
        for second in 1..10 {
            let second = second.to_string();
            let record = Record::new(
                second.as_bytes(),
                b"+1+1",
                second.as_bytes(),
                "Smith".into(),
                0,
            );
            assert!(builder.try_push(&record.unwrap()));
        }
        let put = Write::Put {
            incarnation: Incarnation {
                server: "Smith".into(),
                generation: 1,
            },
            slot: SlotId(0),
            version: 1,
            group: builder.finish().into(),
        };
        let floor = Write::Floor {
            time_ns: 5_000_000_000,
        };
        let disk = ModelledDisk::new();
        let mut store = disk.open();
        store.load(&mut |_| {}).unwrap();
        store.commit(&[put, floor]).unwrap();
        store.sync().unwrap();
        disk
    }

    #[tokio::test]
    async fn the_stored_floor_applies_before_the_first_answer() {
        let hill = ServerName::from("Hill");
        let policy = SyncPolicy::EachCommit;
        for (expires, found) in [(true, 5..10), (false, 1..10)] {
            for on_disk in [true, false] {
                let store = disk().open();
                let source = if on_disk {
                    let store = Mutex::new(Some(store));
                    let open = move || Ok(Box::new(store.lock().take().unwrap()) as Box<dyn Store>);
                    StoreSource::Disk(Arc::new(open), policy)
                } else {
                    StoreSource::Modelled(store, policy)
                };
                let locations = Locations::default();
                let loading = locations.loading();
                loading.begin();
                let after = loading.ask(b"4");
                let format = GroupFormat::PRESENT;
                let mut membership = Membership::new(hill.clone(), vec![hill.clone()]);
                let mut feed = StoreFeed::new(hill.clone());
                let answered = async {
                    loading.answerable(after).await;
                    locations.find(b"4").is_some()
                };
                let load = async {
                    let mut into = LoadInto {
                        format,
                        expires,
                        locations: &locations,
                        membership: &mut membership,
                        feed: &mut feed,
                    };
                    let mut load = StoreLoad::begin(source).unwrap();
                    assert!(load.merge_read(&mut into, std::future::pending()).await);
                    let opened = load.finish(&mut into, Box::new(())).await.unwrap();
                    loading.end();
                    opened.driver.close(Duration::from_secs(30)).await.unwrap();
                };
                let (is_found, ()) = tokio::join!(answered, load);
                assert_eq!(is_found, !expires);
                let clients = (1..10).filter(|second: &i32| {
                    let client = second.to_string();
                    locations.find(client.as_bytes()).is_some()
                });
                assert!(clients.eq(found.clone()), "{expires} {on_disk}");
            }
        }
    }
}
