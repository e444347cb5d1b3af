//! One server of a simulated herd: its values, and what a driver keeps beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use herd_crdt::group::GroupFormat;
use herd_crdt::{Publisher, ServerName};

use super::checks::admission::Slowing;
use super::checks::burials::{Burial, SignsOfLife, is_due};
use super::checks::garbled::overreported;
use super::checks::pace::Pace;
use super::checks::room::Room;
use super::clock::Clock;
use super::disk::{Disk, Syncing};
use super::eraser::Eraser;
use super::floor::Floor;
use super::gossip::Gossip;
use super::links::{Message, Neighbour};
use crate::changes::Change;
use crate::incarnation::Incarnation;
use crate::life::{Ended, Facts, Life, Then};
use crate::membership::{Membership, Sighting};
use crate::pacing::Pacing;
use crate::publishing::Publishing;
use crate::receiving::{self, Effect, Ground, Known, Readers, Receiving};
use crate::settlement::Settlements;
use crate::store::WriteNumber;
use crate::store_feed::StoreFeed;
use crate::timing::{RECEIVER_TICK, REPORT_GAP, REPORT_INTERVAL};
use crate::verdict::IncarnationVerdict;
use herd_locations::{HashKeys, Locations, TombstonesRead};

/// Records of a backlog that are published at a time.
const BACKLOG_RECORDS: usize = 3;

/// What a process is started with.
pub(super) struct Start<'a> {
    pub(super) name: &'a ServerName,
    /// All servers of its topology.
    pub(super) servers: &'a [ServerName],
    pub(super) neighbours: &'a [ServerName],
    pub(super) seed: u64,
    pub(super) clock: Clock,
    /// Its disk, if it has one that answers.
    pub(super) disk: Option<Disk>,
    pub(super) format: GroupFormat,
    pub(super) settings: Settings,
}

/// What all servers of a herd have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// Servers have disks.
    pub(super) has_disks: bool,
    /// Processes may end.
    pub(super) crashes: bool,
    /// The most values in one delta.
    pub(super) values_max: usize,
    pub(super) expire_after: Option<Duration>,
}

/// See the module.
pub(super) struct Server {
    pub(super) name: ServerName,
    servers: Vec<ServerName>,
    pub(super) map: Arc<Locations>,
    pub(super) known: Known,
    settlements: Settlements,
    life: Life,
    pace: Pace,
    receiving: Receiving,
    pub(super) publishing: Publishing,
    pub(super) gossip: Gossip,
    pub(super) neighbours: BTreeMap<ServerName, Neighbour>,
    pub(super) next_look: Instant,
    pub(super) next_publish: Instant,
    next_report: Instant,
    /// Something was merged since the last report.
    has_merged: bool,
    /// Of each server's name the greatest generation that is known.
    generations: BTreeMap<ServerName, u64>,
    /// An incarnation begins then, if none runs.
    begins: Option<Instant>,
    pub(super) rounds: u64,
    pub(super) format: GroupFormat,
    pub(super) has_disk: bool,
    /// Its disk has not answered since this process began, which has this number.
    pub(super) waits_for_disk: Option<u64>,
    pub(super) expire_after: Option<Duration>,
    pub(super) floor: Option<Floor>,
    pub(super) syncing: Syncing,
    /// The clock went back: what others publish is to be merged again.
    pub(super) rejoins: bool,
    /// A neighbour claims more of this incarnation than there is.
    pub(super) is_overstated: bool,
    /// Rises with what it has merged.
    pub(super) progress_made: u64,
    /// Clients are slowed down.
    pub(super) is_slowing: bool,
    pub(super) slowing: Slowing,
    pub(super) signs: SignsOfLife,
    pub(super) eraser: Eraser,
    /// Whom it saw alive when it looked last, and had groups of.
    pub(super) seen: BTreeSet<Incarnation>,
    room: Room,
    /// Rules that it broke.
    pub(super) found: Vec<String>,
    pub(super) out: Vec<(ServerName, Message)>,
}

impl Server {
    pub(super) fn new(start: Start<'_>) -> Self {
        let Start {
            name,
            servers,
            clock,
            format,
            settings,
            ..
        } = start;
        let now = clock.now;
        let generation = start.disk.as_ref().map_or(0, |disk| disk.generation);
        let me = clock.incarnation(name, generation);
        let neighbours = start.neighbours.iter();
        let neighbours = neighbours.map(|other| (other.clone(), Neighbour::new(name < other, now)));
        let mut server = Server {
            name: name.clone(),
            servers: servers.to_vec(),
            map: Arc::new(Locations::with_hash_keys(HashKeys::from_seed(start.seed))),
            known: Known {
                membership: Membership::new(name.clone(), servers.to_vec()),
                feed: StoreFeed::new(name.clone()),
                readers: Readers::default(),
            },
            settlements: Settlements::default(),
            life: Life::begin(now),
            pace: Pace::begin(now),
            receiving: receiving_of(&me, servers, format, now),
            publishing: publishing_at(format, now),
            gossip: Gossip::begin(me.clone(), servers, settings.values_max, format, now),
            neighbours: neighbours.collect(),
            next_look: now,
            next_publish: now,
            next_report: now,
            has_merged: true,
            generations: BTreeMap::new(),
            begins: None,
            rounds: 0,
            format,
            has_disk: settings.has_disks,
            waits_for_disk: None,
            expire_after: settings.expire_after,
            floor: floor_of(settings.expire_after, now),
            syncing: Syncing::default(),
            rejoins: false,
            is_overstated: false,
            progress_made: 0,
            is_slowing: false,
            slowing: Slowing::default(),
            signs: SignsOfLife::default(),
            eraser: Eraser::begin(now),
            seen: BTreeSet::new(),
            room: Room::default(),
            found: Vec::new(),
            out: Vec::new(),
        };
        // Until it has heard of the others.
        server.map.set_tombstones_read(TombstonesRead::Unknown);
        if let Some(disk) = start.disk {
            server.load(disk, now);
        }
        server.begin(me, now);
        server
    }

    /// The greatest generation of its own name that it knows.
    pub(super) fn known_generation(&self) -> u64 {
        let known = self.generations.get(&self.name).copied().unwrap_or(0);
        known.max(self.gossip.me().generation)
    }

    /// Its own name had this generation.
    pub(super) fn note_generation(&mut self, generation: u64) {
        raise(&mut self.generations, &self.name, generation);
    }

    fn note_seen(&mut self, sightings: &[Sighting]) {
        let seen = sightings.iter().filter(|one| one.live && one.holds_slots);
        self.seen = seen.map(|one| one.incarnation.clone()).collect();
    }

    /// Whether an incarnation runs.
    pub(super) fn is_running(&self) -> bool {
        self.begins.is_none()
    }

    fn begin(&mut self, me: Incarnation, now: Instant) {
        self.begins = None;
        self.life.next(now);
        self.pace.note_begun(now);
        self.receiving = receiving_of(&me, &self.servers, self.format, now);
        self.publishing = publishing_at(self.format, now);
        self.slowing = Slowing::default();
        self.is_overstated = false;
        self.gossip.begin_anew(me, now);
        self.has_merged = true;
        self.map.republish_all();
        for (name, neighbour) in &mut self.neighbours {
            neighbour.pacing = Pacing::new(self.name < *name, now);
            neighbour.round = None;
            neighbour.rests = false;
            neighbour.wakes = now;
        }
        self.next_look = now;
    }

    /// The link to a neighbour is made or lost.
    pub(super) fn set_link(&mut self, neighbour: &ServerName, is_up: bool, now: Instant) {
        if let Some(neighbour) = self.neighbours.get_mut(neighbour) {
            neighbour.is_up = is_up;
            neighbour.report = None;
            neighbour.connection += 1;
            neighbour.kicked = is_up;
            neighbour.wakes = now;
        }
        self.next_report = now;
        self.has_merged = true;
    }

    /// What became of an incarnation: the next one begins later, or the process ends, which this returns.
    pub(super) fn end(&mut self, end: &Ended, now: Instant) -> bool {
        self.receiving.end(&self.known.feed, &mut &*self.map);
        self.stop_erasing(now);
        let own = self.gossip.me().generation;
        let facts = Facts {
            now,
            own_generation: own,
            known_generation: self.generations.get(&self.name).copied().unwrap_or(0),
            has_suspect: false,
            jitter: 0.5,
        };
        match self.life.after(end, facts) {
            Then::Stop | Then::GiveWay => return true,
            Then::Begin { exceed, pause, .. } => {
                let early = self.pace.note_ended(end, pause, now).err();
                let early = early.map(|found| format!("{}: {found}", self.name));
                self.found.extend(early);
                self.generations.insert(self.name.clone(), exceed);
                self.begins = Some(now + pause);
            }
        }
        false
    }

    /// When there is something to do next.
    pub(super) fn wakes_at(&self, now: Instant) -> Instant {
        if let Some(begins) = self.begins {
            return begins;
        }
        let publishes = match self.map.pending_len() {
            0 => self.next_publish.max(self.publishing.due()),
            _ => self.publishing.due(),
        };
        let reports = match self.has_merged {
            true => self.next_report,
            false => self.next_report + REPORT_INTERVAL,
        };
        let neighbours = self.neighbours.values();
        let paces = neighbours
            .filter_map(|neighbour| neighbour.wakes_at(now))
            .min();
        let merges = self.gossip.has_changed().then_some(now);
        let floor = self.floor.as_ref().map(|floor| floor.next_look);
        let disk = self.syncing.wakes_at();
        let eraser = self.eraser.wakes_at();
        let others = [paces, merges, floor, disk, eraser].into_iter().flatten();
        let others = others.min().unwrap_or(self.next_look);
        reports.min(publishes).min(self.next_look).min(others)
    }

    /// Does what is due now. Returns whether the process has ended.
    pub(super) fn act(&mut self, clock: Clock) -> bool {
        let now = clock.now;
        if let Some(begins) = self.begins {
            if now < begins {
                return false;
            }
            let exceed = self.generations.get(&self.name).copied().unwrap_or(0);
            self.begin(clock.incarnation(&self.name, exceed), now);
        }
        self.look_at_floor(clock);
        if let Some(end) = self.receive(now) {
            return self.end(&end, now);
        }
        self.publish(now);
        self.erase(now);
        self.report(clock);
        let names: Vec<ServerName> = self.neighbours.keys().cloned().collect();
        for name in names {
            self.pace(&name, now);
        }
        false
    }

    fn receive(&mut self, now: Instant) -> Option<Ended> {
        if self.gossip.take_changed() {
            let again = self.gossip.take_again();
            let taken = self.gossip.take_changes();
            for changes in again.chunks(8).chain(taken.changes.chunks(8)) {
                let merged = self.decide(|receiving, ground| receiving.merge(changes, now, ground));
                match merged {
                    (ControlFlow::Break(by), _) => return Some(Ended::BuriedBy(by)),
                    (ControlFlow::Continue(news), _) if news => self.kick_all(),
                    _ => {}
                }
            }
            self.receiving.note_merged(taken.versions);
            self.progress_made += 1;
            self.has_merged = true;
        }
        if self.is_overstated {
            return Some(Ended::Overstated);
        }
        if now < self.next_look {
            return None;
        }
        self.next_look = now + RECEIVER_TICK;
        self.gossip.beat();
        let sightings = self.gossip.sightings(now);
        self.signs.note(&sightings, now);
        self.note_seen(&sightings);
        let mut live = BTreeMap::new();
        for sighting in &sightings {
            let Incarnation { server, generation } = &sighting.incarnation;
            raise(&mut self.generations, server, *generation);
            if sighting.live {
                raise(&mut live, server, *generation);
            }
        }
        for (name, neighbour) in &self.neighbours {
            if let Some(reported) = &neighbour.report {
                raise(&mut live, name, reported.incarnation.generation);
            }
        }
        let ids_were_full = self.gossip.take_was_full();
        let full = self.room.note(ids_were_full, now).err();
        let full = full.map(|found| format!("{}: {found}", self.name));
        self.found.extend(full);
        let generations = self.generations.clone();
        let of = |map: &BTreeMap<ServerName, u64>, name: &str| map.get(name).copied().unwrap_or(0);
        let around = receiving::Surroundings {
            now,
            sightings: &sightings,
            live_generation: &|name| of(&live, name),
            known_generation: &|name| of(&generations, name),
            links: Vec::new(),
            rounds: self.rounds,
            rejoin: std::mem::take(&mut self.rejoins),
            ids_were_full,
        };
        let ((), effects) = self.decide(|receiving, ground| receiving.look(around, ground));
        effects
            .into_iter()
            .find_map(|effect| self.apply(effect, now))
    }

    fn decide<T>(
        &mut self,
        decide: impl FnOnce(&mut Receiving, &mut Ground<'_, &Locations>) -> T,
    ) -> (T, Vec<Effect>) {
        let mut effects = Vec::new();
        let mut ground = Ground {
            map: &mut &*self.map,
            known: &mut self.known,
            store: &mut (),
            settlements: &mut self.settlements,
            effects: &mut effects,
        };
        let said = decide(&mut self.receiving, &mut ground);
        (said, effects)
    }

    fn apply(&mut self, effect: Effect, now: Instant) -> Option<Ended> {
        match effect {
            Effect::KickOthers(_) => self.kick_all(),
            Effect::NoteAgain(incarnation) => self.gossip.note_again(&incarnation),
            Effect::Bury(incarnation) => {
                self.check_burial(&incarnation, now);
                self.gossip.bury(&incarnation);
            }
            Effect::NameBuried(buried) => {
                self.gossip.set(Change::Buried(buried), now);
            }
            Effect::TellSettlement(settlement) => self.gossip.tell(settlement, now),
            Effect::Forget(incarnations) => self.gossip.forget(&incarnations),
            Effect::End(IncarnationVerdict::MustExceed(known)) => {
                return Some(Ended::MustExceed(known));
            }
            Effect::End(IncarnationVerdict::Superseded(known)) => {
                return Some(Ended::Superseded(known));
            }
            Effect::End(IncarnationVerdict::Overstated(_)) => return Some(Ended::Overstated),
            Effect::Recount => self.gossip.recount(),
            Effect::TombstonesUnreadBy(server) => {
                let read = server.map_or(TombstonesRead::ByAll, TombstonesRead::NotBy);
                self.map.set_tombstones_read(read);
            }
            Effect::TellLinks(_) | Effect::Travelled { .. } | Effect::Show(_) => {}
        }
        None
    }

    fn check_burial(&mut self, incarnation: &Incarnation, now: Instant) {
        let Incarnation { server, generation } = incarnation;
        let newest = self.generations.get(server).copied().unwrap_or(0);
        let own = self.gossip.me();
        let newest = if *server == own.server {
            newest.max(own.generation)
        } else {
            newest
        };
        let id = self.known.membership.id_of(incarnation, now);
        let burial = is_due(Burial {
            silent: self.signs.silent_for(incarnation, now),
            is_superseded: newest > *generation,
            relying: self.map.relying_on(id),
            holds_unread: self.gossip.holds_unread(incarnation, self.format),
        });
        if let Err(found) = burial {
            self.found
                .push(format!("{}: {incarnation} was {found}", self.name));
        }
    }

    pub(super) fn kick_all(&mut self) {
        for neighbour in self.neighbours.values_mut() {
            neighbour.kicked = true;
        }
    }

    /// Tells the neighbours how far this server has got.
    fn report(&mut self, clock: Clock) {
        let now = clock.now;
        let is_due = self.has_merged || now >= self.next_report + REPORT_INTERVAL;
        if !is_due || now < self.next_report {
            return;
        }
        self.has_merged = false;
        self.next_report = now + REPORT_GAP;
        let report = self
            .receiving
            .report(WriteNumber::default(), &mut self.known.feed);
        for (incarnation, applied) in report.iter() {
            let first_garbled = self.gossip.first_garbled(incarnation, self.format);
            self.found
                .extend(overreported(incarnation, applied, first_garbled));
        }
        let me = self.gossip.me().clone();
        for (name, _) in self.neighbours.iter().filter(|(_, n)| n.is_up) {
            let message = Message::Report(me.clone(), report.clone(), clock.wall_ns());
            self.out.push((name.clone(), message));
        }
    }
}

fn receiving_of(
    me: &Incarnation,
    servers: &[ServerName],
    format: GroupFormat,
    now: Instant,
) -> Receiving {
    Receiving::new(me.clone(), servers.to_vec(), format, now, 0)
}

fn floor_of(expire_after: Option<Duration>, now: Instant) -> Option<Floor> {
    expire_after.map(|after| Floor::new(after, None, now))
}

fn publishing_at(format: GroupFormat, now: Instant) -> Publishing {
    let publisher = Publisher::with_spare_slots(format, 0);
    Publishing::new(publisher, BACKLOG_RECORDS, false, now)
}

fn raise(generations: &mut BTreeMap<ServerName, u64>, server: &ServerName, generation: u64) {
    let newest = generations.entry(server.clone()).or_insert(0);
    *newest = generation.max(*newest);
}
