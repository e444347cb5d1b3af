//! A herd, its network and its time.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use herd_crdt::{Record, ServerName};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::disk::Disk;
use super::faults::{Fault, Position, lie};
use super::links::Message;
use super::server::{Clock, Server};
use crate::incarnation::Incarnation;
use crate::timing::LINK_SILENCE_MAX;

/// A message takes up to this long.
const DELAY_MAX: Duration = Duration::from_millis(2);
/// How often a message that is late takes that long.
const LATE_FACTOR: u32 = 40;

/// Nothing happens so often at one moment.
const ACTS_AT_ONCE_MAX: u32 = 10_000;

/// What happens at a time.
enum Event {
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
    pub(super) second: u32,
    /// Zeros behind its fraction: the same time in other digits.
    pub(super) zeros: usize,
    pub(super) latitude: i32,
    pub(super) forgets: bool,
    pub(super) received_ns: i64,
}

/// See the module.
pub(super) struct Herd {
    clock: Clock,
    rng: SmallRng,
    seed: u64,
    /// How many servers were started.
    lives: u64,
    pub(super) names: Vec<ServerName>,
    links: Vec<(Position, Position)>,
    pub(super) servers: Vec<Option<Server>>,
    cut: BTreeSet<(Position, Position)>,
    /// By how much each wall clock is ahead.
    ahead_ms: Vec<i64>,
    /// Since when a server stands still, and what has come for it meanwhile.
    paused: BTreeMap<Position, (Instant, Vec<Event>)>,
    liars: BTreeSet<Position>,
    /// Of each server, if servers have disks.
    disks: Option<Vec<Disk>>,
    /// Rules that servers broke.
    pub(super) found: Vec<String>,
    /// Part of gossip that never arrives.
    lost: f64,
    /// Part of messages that are late.
    late: f64,
    queue: BTreeMap<(Instant, u64), Event>,
    queued: u64,
    /// Everything that was reported.
    pub(super) reported: BTreeMap<Vec<u8>, Vec<Record>>,
    /// Of everything that happened, in order.
    trace: DefaultHasher,
    pub(super) events: u64,
}

impl Herd {
    /// All servers up.
    pub(super) fn new(
        seed: u64,
        names: &[&str],
        links: &[(Position, Position)],
        has_disks: bool,
    ) -> Self {
        let start = crate::testing::start();
        let mut herd = Herd {
            clock: Clock {
                start,
                now: start,
                ahead_ms: 0,
            },
            rng: SmallRng::seed_from_u64(seed),
            seed,
            lives: 0,
            names: names.iter().map(|&name| name.into()).collect(),
            links: links.to_vec(),
            servers: names.iter().map(|_| None).collect(),
            cut: BTreeSet::new(),
            ahead_ms: vec![0; names.len()],
            paused: BTreeMap::new(),
            liars: BTreeSet::new(),
            disks: has_disks.then(|| names.iter().map(|_| Disk::default()).collect()),
            found: Vec::new(),
            lost: 0.0,
            late: 0.0,
            queue: BTreeMap::new(),
            queued: 0,
            reported: BTreeMap::new(),
            trace: DefaultHasher::new(),
            events: 0,
        };
        for position in 0..names.len() {
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

    fn queue(&mut self, at: Instant, event: Event) {
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
            let awake = servers.filter(|(position, _)| !self.paused.contains_key(position));
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
        }
    }

    fn clock_of(&self, position: Position) -> Clock {
        Clock {
            ahead_ms: self.ahead_ms[position],
            ..self.clock
        }
    }

    fn act(&mut self) {
        for position in 0..self.servers.len() {
            let clock = self.clock_of(position);
            if self.paused.contains_key(&position) {
                continue;
            }
            let Some(server) = &mut self.servers[position] else {
                continue;
            };
            if server.wakes_at(clock.now) > clock.now {
                continue;
            }
            let has_ended = server.act(clock);
            self.found.append(&mut server.found);
            self.flush(position);
            if has_ended {
                self.stop(position);
                self.start(position);
            }
        }
    }

    /// Sends what a server wants to be sent.
    fn flush(&mut self, from: Position) {
        let Some(server) = &mut self.servers[from] else {
            return;
        };
        for (name, message) in std::mem::take(&mut server.out) {
            let Some(to) = self.names.iter().position(|other| *other == name) else {
                continue;
            };
            let message = match self.liars.contains(&from) {
                true => lie(message, |i| !self.is_running(i), self.events),
                false => message,
            };
            let is_gossip = !matches!(message, Message::Report(..));
            let [lost, late, part] = [0; 3].map(|_| self.rng.random::<f64>());
            self.note(&(from, to, is_gossip, lost.to_bits()));
            if self.cut.contains(&(from, to)) || is_gossip && lost < self.lost {
                continue;
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
            let deliver = Event::Deliver { from, to, message };
            self.queue(self.clock.now + delay, deliver);
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

    fn happen(&mut self, event: Event) {
        let now = self.clock.now;
        match event {
            Event::Deliver { to, .. } if self.paused.contains_key(&to) => {
                if let Some((_, came)) = self.paused.get_mut(&to) {
                    came.push(event);
                }
            }
            Event::Deliver { from, to, message } => {
                let name = self.names[from].clone();
                if let Some(server) = &mut self.servers[to] {
                    server.take(&name, message, now);
                }
                self.flush(to);
            }
            Event::Report(report) => self.report(&report),
            Event::Fault(fault) => {
                self.note(&fault);
                self.befall(&fault);
            }
        }
    }

    fn report(&mut self, report: &Report) {
        self.note(report);
        if self.paused.contains_key(&report.server) {
            return;
        }
        let Some(server) = &self.servers[report.server] else {
            return;
        };
        let client = format!("client{}", report.client);
        let location = format!("{:+}+1", report.latitude);
        let time = match report.zeros {
            0 => report.second.to_string(),
            zeros => format!("{}.{}", report.second, "0".repeat(zeros)),
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
        server.map.report(record);
    }

    fn befall(&mut self, fault: &Fault) {
        match *fault {
            Fault::Crash(position) => self.stop(position),
            Fault::Start(position) => self.start(position),
            Fault::Cut { from, to } => {
                self.cut.insert((from, to));
                self.cut.insert((to, from));
                self.set_link(from, to, false);
            }
            // Nobody is told.
            Fault::Silence { from, to } => {
                self.cut.insert((from, to));
            }
            Fault::Join { from, to } => {
                self.cut.remove(&(from, to));
                self.cut.remove(&(to, from));
                self.set_link(from, to, true);
            }
            Fault::Clock { server, ahead_ms } => self.ahead_ms[server] = ahead_ms,
            Fault::Pause(position) => {
                if self.servers[position].is_some() {
                    let since = (self.clock.now, Vec::new());
                    self.paused.entry(position).or_insert(since);
                }
            }
            Fault::Resume(position) => self.resume(position),
            Fault::Lie(position) => {
                self.liars.insert(position);
            }
            Fault::BeHonest(position) => {
                self.liars.remove(&position);
            }
        }
    }

    /// A server goes on. Links that were silent for long have ended, and are made anew.
    fn resume(&mut self, position: Position) {
        let Some((since, came)) = self.paused.remove(&position) else {
            return;
        };
        let time = self.clock.now.duration_since(since);
        if let Some(server) = &mut self.servers[position] {
            server.signs.note_held_up(time);
        }
        if time < LINK_SILENCE_MAX {
            came.into_iter().for_each(|event| self.happen(event));
            return;
        }
        for (one, other) in self.links.clone() {
            if (one == position || other == position) && !self.cut.contains(&(one, other)) {
                self.set_link(one, other, false);
                self.set_link(one, other, true);
            }
        }
    }

    fn set_link(&mut self, one: Position, other: Position, is_up: bool) {
        let now = self.clock.now;
        if self.servers[one].is_none() || self.servers[other].is_none() {
            return;
        }
        for (here, there) in [(one, other), (other, one)] {
            let name = self.names[there].clone();
            if let Some(server) = &mut self.servers[here] {
                server.set_link(&name, is_up, now);
            }
        }
    }

    /// A server's process ends without warning.
    fn stop(&mut self, position: Position) {
        for (one, other) in self.links.clone() {
            if one == position || other == position {
                self.set_link(one, other, false);
            }
        }
        self.paused.remove(&position);
        let ended = self.servers[position].take();
        if let Some((disks, server)) = self.disks.as_mut().zip(ended) {
            disks[position] = server.disk(self.reported.keys());
        }
    }

    pub(super) fn start(&mut self, position: Position) {
        if self.servers[position].is_some() {
            return;
        }
        self.lives += 1;
        let links = self.links.clone();
        let neighbours = links.iter().filter_map(|&(a, b)| match position {
            _ if position == a => Some(self.names[b].clone()),
            _ if position == b => Some(self.names[a].clone()),
            _ => None,
        });
        let neighbours: Vec<ServerName> = neighbours.collect();
        let seed = self.seed.rotate_left(32) ^ self.lives;
        let name = &self.names[position];
        let disks = self.disks.as_mut();
        let disk = disks.map_or_else(Disk::default, |disks| std::mem::take(&mut disks[position]));
        let clock = Clock {
            ahead_ms: self.ahead_ms[position],
            ..self.clock
        };
        let server = Server::new(name, &self.names, &neighbours, seed, clock, disk);
        self.servers[position] = Some(server);
        for (one, other) in links {
            if (one == position || other == position) && !self.cut.contains(&(one, other)) {
                self.set_link(one, other, true);
            }
        }
    }

    /// All links whole, all servers up but this one, fine weather.
    pub(super) fn heal(&mut self, gone: Option<Position>) {
        self.queue
            .retain(|_, event| !matches!(event, Event::Fault(_)));
        self.set_weather(0.0, 0.0);
        self.liars.clear();
        for position in 0..self.servers.len() {
            self.resume(position);
            match gone == Some(position) {
                true => self.stop(position),
                false => self.start(position),
            }
        }
        for (from, to) in self.links.clone() {
            if self.cut.contains(&(from, to)) || self.cut.contains(&(to, from)) {
                self.befall(&Fault::Join { from, to });
            }
        }
    }
}
