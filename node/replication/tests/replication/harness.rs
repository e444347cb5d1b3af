//! Herds of servers that have a map and replication, but no clients.

use std::sync::Arc;
use std::time::Duration;

use herd_acknowledgement::{AckLevel, Acknowledgements};
use herd_clock::clock::{SystemClock, WallClock as _};
use herd_crdt::group::GroupFormat;
use herd_crdt::{Publication, Record, ServerName};
use herd_expiry::{Expiry, FloorStore, HerdClocks};
use herd_gossip::entropy::Entropy;
use herd_gossip::link::offer::Offer;
use herd_gossip::links::{HerdView, Links};
use herd_gossip::neighbour::NeighbourConfig;
use herd_locations::{Forget, Locations};
use herd_replication::expiry_views::Rejoin;
use herd_replication::figures::Figures;
use herd_replication::reach::Reach;
use herd_replication::run::{Replication, ReplicationEnd};
use herd_replication::store_handle::StoreHandle;
use herd_replication::stored_floor::StoredFloor;
use herd_replication::storing::StoreSource;
use herd_replication::view::ReplicationView;
use herd_storage::{Crash, ModelledDisk, SyncPolicy};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::clock::{MemoryFloor, TestClock};
use super::network::{MemoryNetwork, Stretch};

/// What a condition may take before the test fails, in the test's own time, which passes as fast as
/// the machine allows.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// What clients would wait for at most, if there were any.
const ACK_WAIT_MAX: Duration = Duration::from_secs(2);

/// How often a disk is synced that no reply waits for.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// One running server.
pub(super) struct Server {
    pub(super) name: ServerName,
    pub(super) locations: Arc<Locations>,
    pub(super) links: Arc<Links>,
    pub(super) figures: Arc<Figures>,
    pub(super) store: Arc<StoreHandle>,
    pub(super) reach: Reach,
    pub(super) acknowledgements: Arc<Acknowledgements>,
    stop: CancellationToken,
    task: JoinHandle<ReplicationEnd>,
}

/// Servers and the links between them, by position.
pub(super) struct Herd {
    pub(super) servers: Vec<Option<Server>>,
    names: Vec<ServerName>,
    links: Vec<(usize, usize)>,
    pub(super) network: MemoryNetwork,
    /// Each server's wall clock.
    pub(super) clocks: Vec<Arc<TestClock>>,
    /// Each server's disk, as far as the floor of expiry goes.
    pub(super) floors: Vec<Arc<MemoryFloor>>,
    /// After how long records expire, on servers that start from now on.
    pub(super) expire_after: Option<Duration>,
    /// What each server speaks when it is started next.
    pub(super) formats: Vec<GroupFormat>,
    /// What each server offers over links when it is started next.
    pub(super) offers: Vec<Offer>,
    /// How far clocks may differ before it is told, on servers that start from now on.
    pub(super) allowed_skew: Option<Duration>,
    /// What a reply promises, on servers that start from now on.
    pub(super) ack: AckLevel,
    /// Each server's disk; `None` for one that is ephemeral.
    pub(super) disks: Vec<Option<ModelledDisk>>,
}

impl Herd {
    /// Starts a server for each name. Links go from the earlier server to the later one.
    pub(super) fn start(names: &[&str], links: &[(usize, usize)]) -> Herd {
        let mut herd = Herd::stopped(names, links);
        herd.start_all();
        herd
    }

    /// The same with no server running yet.
    pub(super) fn stopped(names: &[&str], links: &[(usize, usize)]) -> Herd {
        let start = Instant::now();
        Herd {
            clocks: names
                .iter()
                .map(|_| Arc::new(TestClock::new(start)))
                .collect(),
            floors: names.iter().map(|_| Arc::default()).collect(),
            expire_after: None,
            formats: vec![GroupFormat::PRESENT; names.len()],
            offers: vec![Offer::PRESENT; names.len()],
            allowed_skew: None,
            ack: AckLevel::Memory,
            disks: names.iter().map(|_| None).collect(),
            servers: names.iter().map(|_| None).collect(),
            names: names.iter().map(|&name| name.into()).collect(),
            links: links.iter().map(|&(a, b)| (a.min(b), a.max(b))).collect(),
            network: MemoryNetwork::default(),
        }
    }

    /// The five servers and six links of the protocol: Hill 0, Jaquez 1, Smith 2, Campbell 3,
    /// Singleton 4.
    pub(super) fn five() -> Herd {
        let mut herd = Herd::five_stopped();
        herd.start_all();
        herd
    }

    /// The same with none of them running yet.
    pub(super) fn five_stopped() -> Herd {
        let links = [(0, 1), (0, 2), (1, 4), (2, 4), (3, 4), (2, 3)];
        Herd::stopped(
            &["Hill", "Jaquez", "Smith", "Campbell", "Singleton"],
            &links,
        )
    }

    /// Gives every server an empty disk, and promises this, from the next start on.
    pub(super) fn keep_on_disk(&mut self, ack: AckLevel) {
        self.ack = ack;
        self.disks = self
            .names
            .iter()
            .map(|_| Some(ModelledDisk::new()))
            .collect();
    }

    pub(super) fn start_all(&mut self) {
        for position in 0..self.names.len() {
            self.restart(position);
        }
    }

    /// The herd as the server at `position` sees it: it dials those that a link names second.
    fn view(&self, position: usize) -> HerdView {
        let neighbours = self
            .links
            .iter()
            .filter_map(|&(a, b)| match position {
                p if p == a => Some((b, true)),
                p if p == b => Some((a, false)),
                _ => None,
            })
            .map(|(other, dials)| {
                let name = self.names[other].clone();
                NeighbourConfig {
                    address: name.to_string(),
                    name,
                    dials,
                }
            })
            .collect();
        HerdView {
            cluster: "test".to_owned(),
            me: self.names[position].clone(),
            servers: self.names.clone(),
            neighbours,
        }
    }

    /// A server at `position`, which takes the network over from an earlier one there.
    pub(super) fn run(&self, position: usize) -> Server {
        let name = self.names[position].clone();
        let view = self.view(position);
        let locations = Arc::new(Locations::default());
        let acknowledgements = Arc::new(Acknowledgements::new(self.ack, ACK_WAIT_MAX));
        let entropy = Entropy::new(self.clocks[position].clone(), rand::random());
        let (known, acks) = (locations.clone(), acknowledgements.clone());
        let mut replication = Replication::new(view, known, entropy, None, acks)
            .with_allowed_skew(self.allowed_skew)
            .with_group_format(self.formats[position]);
        if let Some(disk) = &self.disks[position] {
            let policy = if self.ack.needs_disk() {
                SyncPolicy::EachCommit
            } else {
                SyncPolicy::Every(SYNC_INTERVAL)
            };
            replication = replication.with_store(StoreSource::Modelled(disk.open(), policy));
        }
        let ReplicationView {
            links,
            figures,
            store,
            reach,
            ..
        } = replication.view();
        links.set_offer(self.offers[position]);
        let stop = CancellationToken::new();
        let herd = self.herd_clocks(position, links.clone(), replication.rejoin());
        if let Some(expiry) = self.expiry(position, &locations, herd, &store, stop.clone()) {
            tokio::spawn(expiry);
        }
        let endpoint = Arc::new(self.network.endpoint(&name));
        let task = tokio::spawn(replication.run(endpoint, stop.clone()));
        Server {
            name,
            locations,
            links,
            figures,
            store,
            reach,
            acknowledgements,
            stop,
            task,
        }
    }

    /// Expiry of a server, if records expire. Its floor is in its store if it has one.
    fn expiry(
        &self,
        position: usize,
        locations: &Arc<Locations>,
        herd: HerdClocks,
        store: &Arc<StoreHandle>,
        stop: CancellationToken,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let after = self.expire_after?;
        let locations = locations.clone();
        let clock = self.clocks[position].clone();
        let in_store = self.disks[position].is_some();
        let in_store = in_store.then(|| StoredFloor::new(store.clone()));
        let in_memory = self.floors[position].clone();
        Some(async move {
            let (at_start, floor): (_, Arc<dyn FloorStore>) = match in_store {
                Some(store) => (store.at_start().await, Arc::new(store)),
                None => (in_memory.stored(), in_memory),
            };
            let expiry = Expiry::new(after, at_start, locations, clock, floor, herd).await;
            expiry.run(stop).await;
        })
    }

    /// What the links would tell of the neighbours' clocks.
    fn herd_clocks(&self, position: usize, links: Arc<Links>, rejoin: Rejoin) -> HerdClocks {
        let own = self.clocks[position].clone();
        let others: Vec<(ServerName, Arc<TestClock>)> = self
            .names
            .iter()
            .cloned()
            .zip(self.clocks.clone())
            .collect();
        HerdClocks {
            has_neighbours: !links.neighbours().is_empty(),
            offsets_ns: Box::new(move || {
                let connected = |name: &str| links.neighbour(name).is_some_and(|n| n.is_up());
                let connected = others.iter().filter(|(name, _)| connected(name));
                connected
                    .map(|(_, clock)| clock.now_ns() - own.now_ns())
                    .collect()
            }),
            rejoin: Box::new(move || rejoin.ask()),
        }
    }

    /// The names of all servers of the topology.
    pub(super) fn names(&self) -> &[ServerName] {
        &self.names
    }

    /// A running server.
    pub(super) fn server(&self, position: usize) -> &Server {
        self.servers[position].as_ref().unwrap()
    }

    /// All running servers.
    pub(super) fn running(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter().flatten()
    }

    /// Stops a server; its memory is gone.
    pub(super) async fn stop(&mut self, position: usize) {
        let server = self.servers[position].take().unwrap();
        assert_eq!(server.stop().await, ReplicationEnd::Stopped);
    }

    /// Ends a server where it stands, and perhaps its disk with it.
    pub(super) async fn crash(&mut self, position: usize, crash: Crash) {
        let server = self.servers[position].take().unwrap();
        if let Some(disk) = &self.disks[position] {
            disk.crash(crash);
        }
        server.task.abort();
        assert!(server.task.await.unwrap_err().is_cancelled());
        // Ends what looks after the floor.
        server.stop.cancel();
    }

    /// Starts a stopped server, with nothing in memory.
    pub(super) fn restart(&mut self, position: usize) {
        self.servers[position] = Some(self.run(position));
    }

    /// Stops a server, and starts it again with nothing in memory, speaking another format.
    pub(super) async fn upgrade(&mut self, position: usize, format: GroupFormat) {
        self.stop(position).await;
        self.formats[position] = format;
        self.restart(position);
    }

    /// Stops a server, and starts it again with nothing in memory, offering something else over links.
    pub(super) async fn change_offer(&mut self, position: usize, offer: Offer) {
        self.stop(position).await;
        self.offers[position] = offer;
        self.restart(position);
    }

    /// Cuts all links of a server, or joins them again.
    pub(super) fn isolate(&self, position: usize, stretch: Stretch) {
        for &(a, b) in &self.links {
            if a == position || b == position {
                self.network.set(&self.names[a], &self.names[b], stretch);
            }
        }
    }

    /// Waits until all running servers hold `clients` clients.
    pub(super) async fn all_hold(&self, clients: usize) {
        for server in self.running() {
            eventually(&format!("{} holds {clients} clients", server.name), || {
                server.locations.len() == clients
            })
            .await;
        }
    }

    /// Waits until every link between running servers is up.
    pub(super) async fn linked(&self) {
        for server in self.running() {
            for neighbour in server.links.neighbours() {
                let other = self
                    .names
                    .iter()
                    .position(|n| *n == neighbour.config.name)
                    .unwrap();
                if self.servers[other].is_some() {
                    let what = format!("{} is linked to {}", server.name, neighbour.config.name);
                    eventually(&what, || neighbour.is_up()).await;
                }
            }
        }
    }

    /// Which running servers publish this client's record.
    pub(super) fn publishers(&self, client: &str) -> Vec<&str> {
        self.running()
            .filter(|server| {
                matches!(
                    server.locations.publication(client.as_bytes()),
                    Some((Publication::InSlot(_), _))
                )
            })
            .map(|server| &*server.name)
            .collect()
    }
}

impl Server {
    /// Reports a client here.
    pub(super) fn report(&self, client: &str, time: u64) {
        self.locations.report(record(&self.name, client, time));
    }

    /// Reports a client here, and waits until all that is in the map is told; says whether that was an AT line.
    pub(super) async fn report_acknowledged(&self, client: &str, time: u64) -> bool {
        self.report(client, time);
        let ticket = self.acknowledgements.ticket();
        self.acknowledgements.confirmed(ticket).await.is_ok()
    }

    /// As a client waits: for this report alone, whatever else this server has to publish.
    pub(super) async fn report_acknowledged_alone(&self, client: &str, time: u64) -> bool {
        let since = self.acknowledgements.begun();
        self.report(client, time);
        let ticket = self.acknowledgements.ticket_since(since);
        self.acknowledgements.confirmed(ticket).await.is_ok()
    }

    /// Forgets a client here, at this time by the clock, in nanoseconds.
    pub(super) fn forget(&self, client: &str, now_ns: i64) {
        let forget = Forget {
            client: client.as_bytes(),
            server: &self.name,
            received_ns: now_ns,
        };
        let forgotten = self.locations.begin_reports().forget(&forget);
        assert!(forgotten.unwrap().outcome.changed());
    }

    /// Forgets a client here, and waits until that is told; says whether that was a GONE line.
    pub(super) async fn forget_acknowledged(&self, client: &str) -> bool {
        self.forget(client, 0);
        let ticket = self.acknowledgements.ticket();
        self.acknowledgements.confirmed(ticket).await.is_ok()
    }

    /// The time of a client's record here.
    pub(super) fn time_of(&self, client: &str) -> Option<String> {
        let record = self.locations.find(client.as_bytes())?;
        Some(String::from_utf8_lossy(record.time_text()).into_owned())
    }

    /// Stops it, and waits for its end.
    pub(super) async fn stop(self) -> ReplicationEnd {
        self.stop.cancel();
        self.task.await.unwrap()
    }

    /// Waits for it to end by itself.
    pub(super) async fn end(self) -> ReplicationEnd {
        self.task.await.unwrap()
    }
}

/// Ids by the clock, and jitter that differs from server to server.
pub(super) fn entropy() -> Entropy {
    Entropy::new(Arc::new(SystemClock), rand::random())
}

/// A record of `client` at second `time`, heard by `server`.
pub(super) fn record(server: &ServerName, client: &str, time: u64) -> Record {
    Record::new(
        client.as_bytes(),
        b"+34.068930-118.445127",
        time.to_string().as_bytes(),
        server.clone(),
        i64::try_from(time).unwrap() * 1_000_000_000,
    )
    .unwrap()
}

/// Waits for a condition, and fails with its name.
pub(super) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
