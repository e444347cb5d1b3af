//! A herd, its network and its time.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use herd_crdt::group::GroupFormat;
use herd_crdt::{NANOSECONDS_PER_SECOND, Outcome, Record, ServerName};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::checks::acknowledged::are_there;
use super::checks::copies::a_server_has_few;
use super::checks::expiry::{Times, is_not_early};
use super::checks::generations::Generations;
use super::checks::rival::is_rival;
use super::clock::{Clock, Wall};
use super::disk::Disk;
use super::erasing::old_servers;
use super::faults::{Fault, Position, lie};
use super::links::Message;
use super::server::{Server, Settings};
use super::topology::{NAMES, all_links};
use super::watchers::Watchers;
use crate::incarnation::Incarnation;

/// A message takes up to this long.
const DELAY_MAX: Duration = Duration::from_millis(2);
/// How often a message that is late takes that long.
const LATE_FACTOR: u32 = 40;

/// A slowed client is read after this.
const READ_DELAY: Duration = Duration::from_millis(100);

/// Nothing happens so often at one moment.
const ACTS_AT_ONCE_MAX: u32 = 10_000;

/// What happens at a time.
pub(super) enum Event {
    Deliver {
        from: Position,
        to: Position,
        message: Message,
    },
    Report(Report),
    Fault(Fault),
}

/// A client's report, or that it is forgotten.
#[derive(Clone, Debug, Hash)]
pub(super) struct Report {
    pub(super) server: Position,
    pub(super) client: u32,
    pub(super) time: ReportTime,
    /// Zeros behind its fraction: the same time in other digits.
    pub(super) zeros: usize,
    pub(super) latitude: i32,
    pub(super) forgets: bool,
    pub(super) received_ns: i64,
}

/// The time in a report.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) enum ReportTime {
    /// In seconds since the epoch.
    Second(u32),
    /// So many seconds before the client reports.
    Ago(i64),
}

/// What is wrong between some servers, or with some of them, at present.
#[derive(Default)]
pub(super) struct Trouble {
    /// Ways over which nothing arrives.
    pub(super) cut: BTreeSet<(Position, Position)>,
    /// Since when a server stands still, and what has come for it meanwhile.
    pub(super) paused: BTreeMap<Position, (Instant, Vec<Event>)>,
    pub(super) liars: BTreeSet<Position>,
    /// Ways over which groups are garbled.
    pub(super) garbling: BTreeSet<(Position, Position)>,
    /// Servers that everything reaches so late.
    pub(super) sluggish: BTreeMap<Position, Duration>,
    /// Servers whose disks will answer so long after their next start.
    pub(super) hanging: BTreeMap<Position, Duration>,
    /// Servers whose disks are so slow.
    pub(super) slow: BTreeMap<Position, Duration>,
}

/// What a server is when it starts next, or is.
pub(super) struct Place {
    pub(super) name: ServerName,
    pub(super) wall: Wall,
    /// Its topology.
    pub(super) topology: usize,
    pub(super) format: GroupFormat,
    pub(super) disk: Disk,
    /// Reports that were acknowledged by its disk.
    pub(super) acknowledged: Vec<Record>,
}

/// See the module.
pub(super) struct Herd {
    pub(super) clock: Clock,
    pub(super) rng: SmallRng,
    pub(super) settings: Settings,
    /// How many servers were started.
    pub(super) lives: u64,
    pub(super) places: Vec<Place>,
    /// The last topology that was made known.
    pub(super) topology: usize,
    pub(super) links: Vec<(Position, Position)>,
    pub(super) servers: Vec<Option<Server>>,
    pub(super) trouble: Trouble,
    pub(super) watchers: Watchers,
    pub(super) generations: Generations,
    /// Nothing befell it that a record on a disk cannot outlive.
    pub(super) keeps_all: bool,
    /// A server lied once.
    pub(super) was_lied_to: bool,
    /// Groups were garbled once.
    pub(super) was_garbled: bool,
    /// All faults so far, and when.
    pub(super) befallen: Vec<(Duration, Fault)>,
    /// Rules that servers broke.
    pub(super) found: Vec<String>,
    /// Part of gossip that never arrives.
    lost: f64,
    /// Part of messages that are late.
    late: f64,
    pub(super) queue: BTreeMap<(Instant, u64), Event>,
    queued: u64,
    /// Everything that was reported.
    pub(super) reported: BTreeMap<Vec<u8>, Vec<Record>>,
    /// Of everything that happened, in order.
    trace: DefaultHasher,
    pub(super) events: u64,
}

impl Herd {
    /// All servers of the first topology up.
    pub(super) fn new(seed: u64, settings: Settings) -> Self {
        let start = crate::testing::start();
        let old = match settings.crashes {
            true => old_servers(seed),
            false => Vec::new(),
        };
        let place = |(position, &name): (Position, &&str)| Place {
            name: name.into(),
            wall: Wall::right(start),
            topology: 0,
            format: match old.contains(&position) {
                true => GroupFormat::before_tombstones(),
                false => GroupFormat::PRESENT,
            },
            disk: Disk::default(),
            acknowledged: Vec::new(),
        };
        let mut herd = Herd {
            clock: Clock {
                seed,
                start,
                now: start,
                ahead_ns: 0,
            },
            rng: SmallRng::seed_from_u64(seed),
            settings,
            lives: 0,
            places: NAMES.iter().enumerate().map(place).collect(),
            topology: 0,
            links: all_links(),
            servers: NAMES.iter().map(|_| None).collect(),
            trouble: Trouble::default(),
            watchers: Watchers::new(seed, start),
            generations: Generations::default(),
            keeps_all: true,
            was_lied_to: false,
            was_garbled: false,
            befallen: Vec::new(),
            found: Vec::new(),
            lost: 0.0,
            late: 0.0,
            queue: BTreeMap::new(),
            queued: 0,
            reported: BTreeMap::new(),
            trace: DefaultHasher::new(),
            events: 0,
        };
        for position in 0..herd.places.len() {
            herd.start(position);
        }
        herd
    }

    /// A number that stands for everything that has happened.
    pub(super) fn trace(&self) -> u64 {
        self.trace.finish()
    }

    /// Part of messages that are lost, and part that are late.
    pub(super) fn set_weather(&mut self, lost: f64, late: f64) {
        (self.lost, self.late) = (lost, late);
    }

    pub(super) fn queue(&mut self, at: Instant, event: Event) {
        self.queued += 1;
        self.queue.insert((at, self.queued), event);
    }

    /// A client reports, so long after now.
    pub(super) fn report_after(&mut self, time: Duration, report: Report) {
        self.queue(self.clock.now + time, Event::Report(report));
    }

    /// Something goes wrong, so long after now.
    pub(super) fn fault_after(&mut self, time: Duration, fault: Fault) {
        self.queue(self.clock.now + time, Event::Fault(fault));
    }

    /// Lets so much time pass.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.clock.now + time;
        let mut acts = 0;
        loop {
            let now = self.clock.now;
            let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
            let servers = self.servers.iter().enumerate();
            let paused = &self.trouble.paused;
            let awake = servers.filter(|(position, _)| !paused.contains_key(position));
            let awake = awake.filter_map(|(_, server)| server.as_ref());
            let wakes = awake.map(|server| server.wakes_at(now)).min();
            let next = [queued, wakes].into_iter().flatten().min();
            let Some(at) = next.filter(|at| *at <= end) else {
                self.clock.now = end;
                return;
            };
            acts = if at > now { 0 } else { acts + 1 };
            assert!(acts < ACTS_AT_ONCE_MAX, "time stands still");
            self.clock.now = now.max(at);
            if queued.is_some_and(|queued| queued <= at)
                && let Some((_, event)) = self.queue.pop_first()
            {
                self.happen(event);
            }
            self.act();
            let told = self.watchers.look(&self.servers, &self.trouble, at);
            self.found.extend(told.err());
        }
    }

    pub(super) fn clock_of(&self, position: Position) -> Clock {
        Clock {
            ahead_ns: self.places[position].wall.ahead_ns(self.clock.now),
            ..self.clock
        }
    }

    /// The times by which expiry is judged, if records expire.
    pub(super) fn times(&self) -> Option<Times> {
        Some(Times {
            true_ns: self.clock.true_ns(),
            passed_ns: self.clock.since_start_ns(),
            expire_after: self.settings.expire_after?,
        })
    }

    fn act(&mut self) {
        for position in 0..self.servers.len() {
            let clock = self.clock_of(position);
            if self.trouble.paused.contains_key(&position) {
                continue;
            }
            let Some(server) = &mut self.servers[position] else {
                continue;
            };
            if server.wakes_at(clock.now) > clock.now {
                continue;
            }
            let before = server.gossip.me().clone();
            let known = server.known_generation();
            let has_ended = server.act(clock);
            let me = server.gossip.me();
            if *me != before {
                let again = self.generations.begin(me, known);
                self.found.extend(again);
            }
            server.sync(self.reported.keys(), clock.now);
            self.found.append(&mut server.found);
            self.found.extend(a_server_has_few(server).err());
            self.note_acknowledged(position);
            self.check_floor(position);
            self.flush(position);
            if has_ended {
                let name = &self.places[position].name;
                self.found.extend(is_rival(name, self.was_lied_to).err());
                self.stop(position);
                self.start(position);
            }
        }
    }

    fn note_acknowledged(&mut self, position: Position) {
        if let Some(server) = &mut self.servers[position] {
            let acknowledged = &mut self.places[position].acknowledged;
            acknowledged.append(&mut server.syncing.acknowledged);
        }
    }

    fn check_floor(&mut self, position: Position) {
        let times = self.times();
        if let Some((server, times)) = self.servers[position].as_ref().zip(times)
            && let Err(found) = is_not_early(server.map.floor_ns(), times)
        {
            self.found.push(format!("{}: {found}", server.name));
        }
    }

    /// What a disk holds has to be all that it acknowledged, or more.
    pub(super) fn check_disk(&mut self, position: Position) {
        let place = &self.places[position];
        let there = place.disk.records.iter().map(|(_, record)| record);
        let floor_ns = place.disk.floor_ns.unwrap_or(i64::MIN);
        let mut acknowledged = place.acknowledged.clone();
        acknowledged.retain(|record| record.time().ns() >= floor_ns);
        if let Err(found) = are_there(&acknowledged, there) {
            self.found.push(format!("disk of {}: {found}", place.name));
        }
    }

    /// Sends what a server wants to be sent.
    fn flush(&mut self, from: Position) {
        let Some(server) = &mut self.servers[from] else {
            return;
        };
        for (name, message) in std::mem::take(&mut server.out) {
            let Some(to) = self.places.iter().position(|other| other.name == name) else {
                continue;
            };
            let mut message = match self.trouble.liars.contains(&from) {
                true => lie(message, |i| !self.is_running(i), self.events),
                false => message,
            };
            let is_gossip = !matches!(message, Message::Report(..));
            let [lost, late, part] = [0; 3].map(|_| self.rng.random::<f64>());
            self.note(&(from, to, is_gossip, lost.to_bits()));
            if self.trouble.cut.contains(&(from, to)) || is_gossip && lost < self.lost {
                continue;
            }
            if self.trouble.garbling.contains(&(from, to)) {
                message.garble(|| self.rng.random());
                self.was_garbled = true;
            }
            // Reports arrive in order, as over TCP.
            let factor = if is_gossip && late < self.late {
                LATE_FACTOR
            } else {
                1
            };
            let delay = match is_gossip {
                true => DELAY_MAX.mul_f64(part) * factor,
                false => DELAY_MAX,
            };
            let sluggish = self.trouble.sluggish.get(&to).copied();
            let arrives = self.clock.now + delay + sluggish.unwrap_or_default();
            let deliver = Event::Deliver { from, to, message };
            self.queue(arrives, deliver);
        }
    }

    fn is_running(&self, incarnation: &Incarnation) -> bool {
        let mut servers = self.servers.iter().flatten();
        servers.any(|server| server.gossip.me() == incarnation)
    }

    fn note(&mut self, what: &impl std::hash::Hash) {
        let since_start = self.clock.now.duration_since(self.clock.start);
        (since_start, what).hash(&mut self.trace);
        self.events += 1;
    }

    pub(super) fn happen(&mut self, event: Event) {
        let now = self.clock.now;
        match event {
            Event::Deliver { to, .. } if self.trouble.paused.contains_key(&to) => {
                if let Some((_, came)) = self.trouble.paused.get_mut(&to) {
                    came.push(event);
                }
            }
            Event::Deliver { from, to, message } => {
                let name = self.places[from].name.clone();
                if let Some(server) = &mut self.servers[to] {
                    server.take(&name, message, now);
                }
                self.flush(to);
            }
            Event::Report(report) => self.report(report),
            Event::Fault(fault) => {
                self.note(&fault);
                let since_start = now.duration_since(self.clock.start);
                self.befallen.push((since_start, fault.clone()));
                self.befall(fault);
            }
        }
    }

    fn report(&mut self, report: Report) {
        self.note(&report);
        if self.trouble.paused.contains_key(&report.server) {
            return;
        }
        if report.forgets && !self.may_forget(report.server) {
            return;
        }
        let Some(server) = &mut self.servers[report.server] else {
            return;
        };
        if server.is_slowing {
            // Its client is read later.
            self.report_after(READ_DELAY, report);
            return;
        }
        let client = format!("client{}", report.client);
        let location = format!("{:+}+1", report.latitude);
        let second = match report.time {
            ReportTime::Second(second) => i64::from(second),
            ReportTime::Ago(seconds) => self.clock.true_ns() / NANOSECONDS_PER_SECOND - seconds,
        };
        let time = match report.zeros {
            0 => second.to_string(),
            zeros => format!("{second}.{}", "0".repeat(zeros)),
        };
        let (id, time) = (client.as_bytes(), time.as_bytes());
        let (name, received_ns) = (server.name.clone(), report.received_ns);
        let record = match report.forgets {
            true => Record::tombstone_of(id, time, name, received_ns),
            false => Record::new(id, location.as_bytes(), time, name, received_ns),
        };
        let record = record.unwrap();
        let reported = self.reported.entry(client.into_bytes()).or_default();
        reported.push(record.clone());
        if server.map.report(record.clone()) != Outcome::Expired && server.has_disk {
            server.syncing.note_report(server.rounds, record);
        }
    }
}
