//! What befalls the servers of a herd: they end and start, stand still, lose links, and are healed.

use std::time::{Duration, Instant};

use herd_crdt::group::GroupFormat;

use super::disk::Disk;
use super::faults::{Fault, Position};
use super::herd::{Event, Herd, Trouble};
use super::server::{Server, Start};
use super::topology::TOPOLOGIES;
use crate::life::Ended;
use crate::timing::{LINK_SILENCE_MAX, LOOK_LATE_MAX};

/// While a herd is healed, one server after the other starts anew where that is needed, this far apart.
const RESTART_GAP: Duration = Duration::from_secs(20);

impl Herd {
    pub(super) fn befall(&mut self, fault: Fault) {
        self.was_lied_to |= matches!(fault, Fault::Lie(_));
        let Some(fault) = self.trouble.note(fault) else {
            return;
        };
        let now = self.clock.now;
        match fault {
            Fault::Crash(position) => self.stop(position),
            Fault::Start(position) => self.start(position),
            Fault::Cut { from, to } => {
                self.trouble.cut.extend([(from, to), (to, from)]);
                self.set_link(from, to, false);
            }
            Fault::Join { from, to } => {
                self.trouble.cut.remove(&(from, to));
                self.trouble.cut.remove(&(to, from));
                self.set_link(from, to, true);
            }
            Fault::Clock { server, ahead_ms } => {
                self.places[server].wall.jump_to(ahead_ms, now);
            }
            Fault::Drift { server, gains } => self.places[server].wall.drift(gains, now),
            Fault::Pause(position) if self.servers[position].is_some() => {
                let since = (now, Vec::new());
                self.trouble.paused.entry(position).or_insert(since);
            }
            Fault::Resume(position) => self.resume(position),
            Fault::Slow { server, time } => self.slow_disk(server, time),
            Fault::Answer { server, life } => self.answer(server, life),
            Fault::BeginAnew(position) => self.begin_anew(position),
            Fault::Upgrade(position) => {
                self.places[position].format = GroupFormat::next();
                self.restart(position);
            }
            Fault::Topology(topology) => self.announce(topology),
            Fault::Change(position) => self.change(position),
            // It is noted, or finds nobody.
            _ => {}
        }
    }

    fn announce(&mut self, topology: usize) {
        let servers = TOPOLOGIES[topology].servers;
        let mut stay = TOPOLOGIES[self.topology].servers.iter();
        self.keeps_all &= stay.all(|server| servers.contains(server));
        self.topology = topology;
    }

    /// A server goes on. Links that were silent for long have ended, and are made anew.
    fn resume(&mut self, position: Position) {
        let Some((since, came)) = self.trouble.paused.remove(&position) else {
            return;
        };
        let time = self.clock.now.duration_since(since);
        // Who stands still for less than this does not notice.
        if time > LOOK_LATE_MAX
            && let Some(server) = &mut self.servers[position]
        {
            server.signs.note_held_up(time);
        }
        if time < LINK_SILENCE_MAX {
            came.into_iter().for_each(|event| self.happen(event));
            return;
        }
        for (one, other) in self.links.clone() {
            if one == position || other == position {
                self.set_link(one, other, false);
                self.set_link(one, other, true);
            }
        }
    }

    /// Ends a link, or makes it if both servers have it in their topologies and nothing cuts it.
    fn set_link(&mut self, one: Position, other: Position, is_up: bool) {
        let now = self.clock.now;
        if self.servers[one].is_none() || self.servers[other].is_none() {
            return;
        }
        let has_link = |at: Position| TOPOLOGIES[self.places[at].topology].has_link(one, other);
        if is_up && (!has_link(one) || !has_link(other) || self.trouble.cut.contains(&(one, other)))
        {
            return;
        }
        for (here, there) in [(one, other), (other, one)] {
            let name = self.places[there].name.clone();
            if let Some(server) = &mut self.servers[here] {
                server.set_link(&name, is_up, now);
            }
        }
    }

    /// A server's process ends without warning.
    pub(super) fn stop(&mut self, position: Position) {
        for (one, other) in self.links.clone() {
            if one == position || other == position {
                self.set_link(one, other, false);
            }
        }
        self.trouble.paused.remove(&position);
        if let Some(server) = self.servers[position].take()
            && server.has_disk
        {
            self.places[position].disk = server.disk(self.reported.keys());
            self.check_disk(position);
        }
    }

    /// Starts a server that is down, if the last topology that it was told of has it.
    pub(super) fn start(&mut self, position: Position) {
        let place = &self.places[position];
        let topology = &TOPOLOGIES[place.topology];
        if self.servers[position].is_some() || !topology.servers.contains(&position) {
            return;
        }
        self.lives += 1;
        let has_disk = self.settings.has_disks;
        let hangs = self.trouble.hanging.remove(&position);
        let hangs = hangs.filter(|_| has_disk);
        let disk = (has_disk && hangs.is_none()).then(|| place.disk.clone());
        let on_disk = disk.as_ref().map_or(0, |disk| disk.generation);
        let server = Server::new(Start {
            name: &place.name,
            servers: &topology.names(),
            neighbours: &topology.neighbours(position),
            seed: self.clock.seed.rotate_left(32) ^ self.lives,
            clock: self.clock_of(position),
            disk,
            format: place.format,
            settings: self.settings,
        });
        self.generations.begin_process(&place.name, on_disk);
        let again = self.generations.begin(server.gossip.me(), 0);
        self.found.extend(again);
        let server = self.servers[position].insert(server);
        if let Some(time) = hangs {
            let life = self.lives;
            server.has_disk = false;
            server.waits_for_disk = Some(life);
            let server = position;
            self.fault_after(time, Fault::Answer { server, life });
        }
        if let Some(&time) = self.trouble.slow.get(&position) {
            self.slow_disk(position, time);
        }
        for (one, other) in self.links.clone() {
            if one == position || other == position {
                self.set_link(one, other, true);
            }
        }
    }

    fn restart(&mut self, position: Position) {
        if self.servers[position].is_some() {
            self.stop(position);
            self.start(position);
        }
    }

    /// The disk of a server that has started without it answers now.
    fn answer(&mut self, position: Position, life: u64) {
        let now = self.clock.now;
        let waits = self.servers[position].as_mut();
        let waits = waits.filter(|server| server.waits_for_disk == Some(life));
        let Some(server) = waits else {
            return;
        };
        let place = &mut self.places[position];
        let disk = std::mem::take(&mut place.disk);
        self.generations.begin_process(&place.name, disk.generation);
        let has_ended = server.read_late(disk, now);
        if has_ended {
            self.restart(position);
        }
    }

    fn slow_disk(&mut self, position: Position, time: Duration) {
        self.keeps_all &= time.is_zero();
        self.trouble.slow.insert(position, time);
        if let Some(server) = &mut self.servers[position]
            && server.has_disk
        {
            server.set_slow(time, self.reported.keys());
        }
    }

    /// The gossip of a server is replaced: it begins another incarnation.
    fn begin_anew(&mut self, position: Position) {
        let now = self.clock.now;
        if self.trouble.paused.contains_key(&position) {
            return;
        }
        if let Some(server) = &mut self.servers[position]
            && server.is_running()
            && server.end(&Ended::StoreBack, now)
        {
            self.restart(position);
        }
    }

    /// A server takes the last topology: it starts anew, for the first time perhaps, or is gone for good.
    fn change(&mut self, position: Position) {
        self.stop(position);
        self.places[position].topology = self.topology;
        self.start(position);
    }

    /// All links whole, fine weather, all servers up but this one, with the last topology, and with the later format if
    /// one has it. Takes some time where servers have to start anew.
    pub(super) fn heal(&mut self, gone: Option<Position>) {
        self.queue
            .retain(|_, event| !matches!(event, Event::Fault(_)));
        self.set_weather(0.0, 0.0);
        let trouble = std::mem::take(&mut self.trouble);
        self.trouble.paused = trouble.paused;
        for position in trouble.slow.into_keys() {
            self.slow_disk(position, Duration::ZERO);
        }
        self.trouble.slow.clear();
        for position in 0..self.servers.len() {
            self.resume(position);
            let wall = &mut self.places[position].wall;
            wall.drift(0, self.clock.now);
            if self.settings.expire_after.is_some() {
                wall.jump_to(0, self.clock.now);
            }
            match gone == Some(position) {
                true => self.stop(position),
                false => self.start(position),
            }
            let server = self.servers[position].as_ref();
            if let Some(life) = server.and_then(|server| server.waits_for_disk) {
                self.answer(position, life);
            }
        }
        for (one, other) in self.links.clone() {
            if trouble.cut.contains(&(one, other)) || trouble.cut.contains(&(other, one)) {
                self.set_link(one, other, true);
            }
        }
        self.bring_up_to_date(gone);
    }

    fn bring_up_to_date(&mut self, gone: Option<Position>) {
        let is_upgraded = |format: GroupFormat| format == GroupFormat::next();
        let format = match self.places.iter().any(|place| is_upgraded(place.format)) {
            true => GroupFormat::next(),
            false => GroupFormat::PRESENT,
        };
        for position in 0..self.places.len() {
            let place = &mut self.places[position];
            if place.format == format && place.topology == self.topology {
                continue;
            }
            place.format = format;
            if gone == Some(position) {
                continue;
            }
            self.run(RESTART_GAP);
            self.change(position);
        }
        if self.was_garbled {
            // What nobody can read is published again.
            for position in 0..self.places.len() {
                self.run(RESTART_GAP);
                self.begin_anew(position);
            }
        }
    }
}

impl Trouble {
    /// Notes a fault that shows later; returns any other.
    fn note(&mut self, fault: Fault) -> Option<Fault> {
        match fault {
            // Nobody is told.
            Fault::Silence { from, to } => {
                self.cut.insert((from, to));
            }
            Fault::Lie(position) => {
                self.liars.insert(position);
            }
            Fault::BeHonest(position) => {
                self.liars.remove(&position);
            }
            Fault::Garble { from, to } => {
                self.garbling.insert((from, to));
            }
            Fault::PassWhole { from, to } => {
                self.garbling.remove(&(from, to));
            }
            Fault::Delay { server, time } => {
                self.sluggish.insert(server, time);
            }
            Fault::Hang { server, time } => {
                self.hanging.insert(server, time);
            }
            other => return Some(other),
        }
        None
    }
}

impl Server {
    /// What the disk held when this server started without it. Returns whether the process ends.
    fn read_late(&mut self, disk: Disk, now: Instant) -> bool {
        self.waits_for_disk = None;
        self.has_disk = true;
        self.note_generation(disk.generation);
        self.load(disk, now);
        self.is_running() && self.end(&Ended::StoreRead, now)
    }
}
