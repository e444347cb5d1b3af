//! The servers of a simulation, up and down, and everything that can be done to them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use herd_clock::clock::WallClock as _;
use herd_crdt::{Publication, Record, ServerName};
use herd_gossip::link::offer::Offer;
use herd_gossip::links::HerdView;
use herd_gossip::neighbour::NeighbourConfig;
use herd_locations::{Forget, Locations, TombstonesRead};
use herd_replication::run::ReplicationEnd;
use herd_storage::{Crash, ModelledDisk, Store as _};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::checkers::Found;
use super::checkers::monotony::Monotony;
use super::clock::SimClock;
use super::fate::Weather;
use super::ledger::{Acked, Ledger, Map, join};
use super::network::{SimNetwork, Way};
use super::operation::{Cut, DiskFault, Operation, Position, Report};
use super::process::{Process, Start};
use super::promise::{HarmKind, Harms};
use super::scenario::Scenario;
use super::trace::Trace;
use super::word::Published;

/// How long a disk takes for a commit and a sync.
const COMMIT_TIME: Duration = Duration::from_micros(300);
const SYNC_TIME: Duration = Duration::from_millis(2);

/// A server, whether it runs or not.
pub(super) struct Server {
    pub(super) name: ServerName,
    clock: Arc<SimClock>,
    pub(super) disk: Option<ModelledDisk>,
    pub(super) process: Option<Process>,
    lives: u64,
    pub(super) monotony: Monotony,
    /// What the disk had to keep when the last process ended, and why: the next one is compared with it once it
    /// has read its store.
    pub(super) word: Vec<(Record, String)>,
    /// When power was lost last while the disk wrote in any order.
    pub(super) reordered_at: Option<Duration>,
    /// The disk was found to be unreadable: at the next start it is set aside.
    unreadable: bool,
    /// A fault of the disk that nothing has run into yet.
    fault_to_come: bool,
    /// Its clock was set back: a newer generation of its name may seem to be alive.
    pub(super) clock_was_set: bool,
    /// Reports that it was given, and when.
    pub(super) reports: Vec<Duration>,
}

/// See the module.
pub(super) struct Herd {
    pub(super) scenario: Scenario,
    start: Instant,
    network: SimNetwork,
    pub(super) servers: Vec<Server>,
    pub(super) ledger: Arc<Mutex<Ledger>>,
    pub(super) harms: Harms,
    trace: Trace,
}

impl Herd {
    /// All servers up, at the beginning of time.
    pub(super) fn new(scenario: &Scenario, trace: &Trace) -> Herd {
        let start = Instant::now();
        let servers = scenario.shape.names.iter().map(|&name| {
            let disk = scenario.has_disks.then(|| {
                let disk = ModelledDisk::new();
                disk.set_latency(COMMIT_TIME, SYNC_TIME);
                disk
            });
            Server {
                name: name.into(),
                clock: Arc::new(SimClock::new(start)),
                disk,
                process: None,
                lives: 0,
                monotony: Monotony::default(),
                word: Vec::new(),
                reordered_at: None,
                unreadable: false,
                fault_to_come: false,
                clock_was_set: false,
                reports: Vec::new(),
            }
        });
        let mut herd = Herd {
            start,
            network: SimNetwork::traced(scenario.seed, trace.clone()),
            servers: servers.collect(),
            ledger: Arc::default(),
            trace: trace.clone(),
            harms: Harms::new(scenario.shape.names.len(), scenario.has_disks),
            scenario: scenario.clone(),
        };
        for server in 0..herd.servers.len() {
            herd.start(server);
        }
        herd
    }

    /// Since the simulation began.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(super) fn set_weather(&self, weather: Weather) {
        self.network.set_weather(weather);
    }

    /// Does what the operation says.
    ///
    /// # Errors
    /// If a server does not stop as it should.
    pub(super) async fn apply(&mut self, operation: &Operation) -> Found {
        tracing::debug!(target: "herd_sim", %operation, "now");
        self.trace.add(|| operation.to_string());
        match operation {
            Operation::Report(report) => self.report(report),
            Operation::Crash { server, crash } => self.crash(*server, *crash).await,
            Operation::Stop { server } => return self.stop(*server).await,
            Operation::Start { server } => self.start(*server),
            Operation::Cut { from, to, cut } => self.cut(*from, *to, *cut),
            Operation::Join { from, to } => {
                self.set_way(*from, *to, Way::Open);
                self.set_way(*to, *from, Way::Open);
            }
            Operation::SetClock { server, ahead_s } => {
                self.servers[*server].clock.set_ahead(*ahead_s);
                self.servers[*server].clock_was_set = true;
            }
            Operation::Stall { server, for_ms } => {
                let time = Duration::from_millis(*for_ms);
                self.note(*server, HarmKind::Stalled(time));
                self.disk(*server, |disk| disk.stall_for(time));
            }
            Operation::FailDisk { server, fault } => self.fail_disk(*server, *fault),
        }
        Ok(())
    }

    fn note(&mut self, server: Position, kind: HarmKind) {
        let now = self.now();
        self.harms.note(server, now, kind);
    }

    fn disk(&self, server: Position, act: impl FnOnce(&ModelledDisk)) {
        if let Some(disk) = &self.servers[server].disk {
            act(disk);
        }
    }

    fn set_way(&self, from: Position, to: Position, way: Way) {
        let (from, to) = (&self.servers[from].name, &self.servers[to].name);
        self.network.set(from, to, way);
    }

    fn cut(&self, from: Position, to: Position, cut: Cut) {
        let (there, back) = match cut {
            Cut::Off => (Way::Off, Way::Off),
            Cut::Silent => (Way::Silent, Way::Silent),
            Cut::SilentOneWay => (Way::Silent, Way::Open),
        };
        self.set_way(from, to, there);
        self.set_way(to, from, back);
    }

    fn fail_disk(&mut self, server: Position, fault: DiskFault) {
        // From now on something may not be written.
        self.note(server, HarmKind::DiskFull);
        self.servers[server].fault_to_come = true;
        match fault {
            DiskFault::Commit(fault) => {
                self.disk(server, |disk| disk.fail_next_commits(1, fault));
            }
            DiskFault::Sync => {
                self.note(server, HarmKind::Unreadable);
                self.disk(server, ModelledDisk::fail_sync);
            }
        }
    }

    /// As a client's `IAMAT` or `FORGET`: the record is in the map, and whoever sent it is told when it is as safe
    /// as the server was asked to make it.
    fn report(&mut self, report: &Report) {
        let now = self.now();
        let server = &mut self.servers[report.server];
        let Some(process) = &server.process else {
            return;
        };
        if report.location.is_none() && process.locations.tombstones_read() != TombstonesRead::ByAll
        {
            return;
        }
        let client = report.client_id();
        let received_ns = server.clock.now_ns();
        server.reports.push(now);
        let since = process.acknowledgements.begun();
        let record = match &report.location {
            Some(location) => {
                let (location, time) = (location.as_bytes(), report.time.as_bytes());
                let record = Record::new(&client, location, time, server.name.clone(), received_ns);
                let record = record.unwrap();
                process.locations.report(record.clone());
                Some(record)
            }
            None => {
                let forget = Forget {
                    client: &client,
                    server: &server.name,
                    received_ns,
                };
                let forgotten = process.locations.begin_reports().forget(&forget);
                assert!(forgotten.unwrap().outcome.changed());
                process.locations.held(&client)
            }
        };
        self.ledger.lock().note_reported(&record.unwrap());
        let known = process.locations.held(&client);
        let ticket = process.acknowledgements.ticket_since(since);
        let (acknowledgements, ended) = (process.acknowledgements.clone(), process.ended.clone());
        let (ledger, start, server) = (self.ledger.clone(), self.start, report.server);
        let trace = self.trace.clone();
        tokio::spawn(async move {
            let confirmed = tokio::select! {
                biased;
                () = ended.cancelled() => false,
                confirmed = acknowledgements.confirmed(ticket) => confirmed.is_ok(),
            };
            tracing::debug!(target: "herd_sim", ?known, server, confirmed, "replied");
            trace.add(|| format!("{server} replied {confirmed} {known:?}"));
            let mut ledger = ledger.lock();
            match known {
                Some(record) if confirmed => ledger.note_acked(Acked {
                    record,
                    server,
                    at: start.elapsed(),
                }),
                _ => ledger.unacknowledged += 1,
            }
        });
    }

    async fn crash(&mut self, server: Position, crash: Crash) {
        let Some(process) = self.servers[server].process.take() else {
            return;
        };
        let loses_power = crash != Crash::Process;
        self.note_disk_state(server, &process);
        // First of all: nothing that the process does from here on counts.
        process.ended.cancel();
        let published = Published::of(self.map_of(&process.locations), &process.locations);
        if matches!(crash, Crash::Reorder { .. }) {
            self.servers[server].reordered_at = Some(self.now());
        }
        self.disk(server, |disk| disk.crash(crash));
        self.note(
            server,
            if loses_power {
                HarmKind::PowerLost
            } else {
                HarmKind::ProcessEnded
            },
        );
        if crash == Crash::Wipe {
            self.note(server, HarmKind::DiskLost);
            self.servers[server].unreadable = false;
            self.servers[server].fault_to_come = false;
        }
        process.kill(loses_power).await;
        self.note_word(server, &published);
    }

    /// A disk that cannot be read is set aside at the second start: at the first nobody knows.
    fn note_disk_state(&mut self, server: Position, process: &Process) {
        if process.store_has_failed() {
            self.servers[server].fault_to_come = false;
            self.servers[server].unreadable = self.is_unreadable(server);
        }
    }

    fn is_unreadable(&self, server: Position) -> bool {
        let disk = self.servers[server].disk.as_ref();
        disk.is_some_and(|disk| disk.open().load(&mut |_| {}).is_err())
    }

    /// Tells a server to stop, and waits until it has.
    ///
    /// # Errors
    /// If it ends in another way than it should.
    async fn stop(&mut self, server: Position) -> Found {
        let Some(process) = self.servers[server].process.take() else {
            return Ok(());
        };
        self.note_disk_state(server, &process);
        let locations = process.locations.clone();
        let end = process.stop().await;
        // What its store had not written in time is gone.
        self.disk(server, |disk| drop(disk.open()));
        // In good order it loses nothing, if it can write at all.
        if !self.harms.can_write(server) {
            self.note(server, HarmKind::ProcessEnded);
        }
        let published = Published::of(self.map_of(&locations), &locations);
        self.note_word(server, &published);
        self.ended(server, end)
    }

    fn ended(&self, server: Position, end: ReplicationEnd) -> Found {
        let server = &self.servers[server];
        match end {
            ReplicationEnd::Stopped => Ok(()),
            ReplicationEnd::Superseded if server.clock_was_set => Ok(()),
            ReplicationEnd::Superseded => Err(format!("{} took itself for another", server.name)),
        }
    }

    /// A server that found a newer process of its name starts anew, as whoever runs it would do it.
    ///
    /// # Errors
    /// If a server has ended for no reason.
    pub(super) async fn restart_the_ended(&mut self) -> Found {
        for server in 0..self.servers.len() {
            let process = self.servers[server].process.as_ref();
            if process.is_some_and(Process::has_ended) {
                let was_set = self.servers[server].clock_was_set;
                let name = &self.servers[server].name;
                if !was_set {
                    return Err(format!("{name} has ended by itself"));
                }
                self.stop(server).await?;
                self.start(server);
            }
        }
        Ok(())
    }

    fn start(&mut self, position: Position) {
        let neighbours = self.scenario.shape.neighbours(position).map(|other| {
            let name = self.servers[other].name.clone();
            NeighbourConfig {
                address: name.to_string(),
                name,
                dials: position < other,
            }
        });
        let view = HerdView {
            cluster: "simulation".to_owned(),
            me: self.servers[position].name.clone(),
            servers: self.servers.iter().map(|s| s.name.clone()).collect(),
            neighbours: neighbours.collect(),
        };
        let server = &mut self.servers[position];
        if server.process.is_some() {
            return;
        }
        if std::mem::take(&mut server.unreadable)
            && let Some(disk) = &server.disk
        {
            disk.crash(Crash::Wipe);
        }
        let is_former = server.lives < self.scenario.former_lives[position];
        server.lives += 1;
        let life = server.lives * self.scenario.shape.names.len() as u64 + position as u64;
        server.process = Some(Process::start(Start {
            view,
            level: self.scenario.level,
            clock: server.clock.clone(),
            disk: server.disk.as_ref(),
            network: &self.network,
            offer: match is_former {
                true => Offer::FORMER,
                false => Offer::PRESENT,
            },
            seed: self.scenario.seed.rotate_left(32) ^ life,
        }));
        server.monotony = Monotony::default();
        self.note(position, HarmKind::ProcessBegan);
    }

    /// All links whole, all servers up, all disks good, fine weather.
    ///
    /// # Errors
    /// If a server does not stop as it should.
    pub(super) async fn heal(&mut self) -> Found {
        self.network.open_all();
        self.set_weather(Weather::FINE);
        for server in 0..self.servers.len() {
            self.start(server);
        }
        Ok(())
    }

    /// Restarts servers whose stores have failed, with new disks where the old ones cannot be read. Says
    /// whether there were any.
    ///
    /// # Errors
    /// If a server does not stop as it should.
    pub(super) async fn mend_stores(&mut self) -> Result<bool, String> {
        let mut mended = false;
        for server in 0..self.servers.len() {
            let process = self.servers[server].process.as_ref();
            if process.is_some_and(Process::store_has_failed) {
                mended = true;
                self.stop(server).await?;
                self.start(server);
            }
        }
        Ok(mended)
    }

    /// All that any server held is with all of them: what befell them counts no more, but for what is
    /// still to come.
    pub(super) fn forget_harms(&mut self) {
        self.harms.clear();
        for server in 0..self.servers.len() {
            if self.servers[server].fault_to_come {
                self.note(server, HarmKind::DiskFull);
                self.note(server, HarmKind::Unreadable);
            }
        }
    }

    /// What a running server answers, for all clients there are.
    pub(super) fn map_of(&self, locations: &Locations) -> Map {
        let mut map = Map::new();
        for client in 0..self.scenario.clients {
            let id = format!("client{client}").into_bytes();
            if let Some(record) = locations.held(&id) {
                join(&mut map, &record);
            }
        }
        map
    }

    pub(super) fn running(&self) -> impl Iterator<Item = (&Server, &Process)> {
        self.servers
            .iter()
            .filter_map(|server| Some((server, server.process.as_ref()?)))
    }

    /// For each client the running servers in whose slots its record is.
    pub(super) fn publishers(&self) -> BTreeMap<Vec<u8>, Vec<&str>> {
        let mut publishers: BTreeMap<Vec<u8>, Vec<&str>> = BTreeMap::new();
        for client in 0..self.scenario.clients {
            let id = format!("client{client}").into_bytes();
            for (server, process) in self.running() {
                let publication = process.locations.publication(&id);
                if let Some((Publication::InSlot(_), _)) = publication {
                    publishers.entry(id.clone()).or_default().push(&server.name);
                }
            }
        }
        publishers
    }
}
