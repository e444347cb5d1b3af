//! One server of a simulated herd: its values, and what a driver keeps beside them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

use bytes::Bytes;
use herd_crdt::group::GroupFormat;
use herd_crdt::{Publisher, ServerName, SlotGroup};

use super::checks::burials::{Burial, SignsOfLife, is_due};
use super::disk::Disk;
use super::gossip::Gossip;
use super::links::{Message, Neighbour};
use crate::changes::Change;
use crate::incarnation::Incarnation;
use crate::life::{Ended, Facts, Life, Then};
use crate::membership::Membership;
use crate::pacing::Pacing;
use crate::publishing::lagging::NeighbourProgress;
use crate::publishing::{self, Publishing, RoundStart};
use crate::receiving::{self, Effect, Ground, Known, Receiving};
use crate::settlement::Settlements;
use crate::store::WriteNumber;
use crate::store_feed::StoreFeed;
use crate::timing::{RECEIVER_TICK, REPORT_GAP};
use crate::verdict::IncarnationVerdict;
use herd_locations::{HashKeys, Locations};

/// Records of a backlog that are published at a time.
const BACKLOG_RECORDS: usize = 3;

/// The time of a herd.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    pub(super) start: Instant,
    pub(super) now: Instant,
    /// By how much a server's wall clock is ahead.
    pub(super) ahead_ms: i64,
}

/// A wall clock showed this at the start of a simulation: it never goes back beyond the epoch.
const START_MS: i64 = 1_700_000_000_000;

impl Clock {
    /// An incarnation that begins now, and exceeds this generation.
    fn incarnation(self, server: &ServerName, exceed: u64) -> Incarnation {
        let since_start_ms = self.now.saturating_duration_since(self.start).as_millis();
        let shown_ms = i64::try_from(since_start_ms).unwrap_or(0) + START_MS + self.ahead_ms;
        Incarnation {
            server: server.clone(),
            generation: exceed.max(u64::try_from(shown_ms).unwrap_or(0)) + 1,
        }
    }
}

/// See the module.
pub(super) struct Server {
    pub(super) name: ServerName,
    servers: Vec<ServerName>,
    pub(super) map: Locations,
    pub(super) known: Known,
    settlements: Settlements,
    life: Life,
    receiving: Receiving,
    publishing: Publishing,
    pub(super) gossip: Gossip,
    pub(super) neighbours: BTreeMap<ServerName, Neighbour>,
    next_look: Instant,
    next_publish: Instant,
    next_report: Instant,
    /// Something was merged since the last report.
    has_merged: bool,
    /// Of each server's name the greatest generation that is known.
    generations: BTreeMap<ServerName, u64>,
    /// An incarnation begins then, if none runs.
    begins: Option<Instant>,
    rounds: u64,
    pub(super) signs: SignsOfLife,
    /// Rules that it broke.
    pub(super) found: Vec<String>,
    pub(super) out: Vec<(ServerName, Message)>,
}

impl Server {
    pub(super) fn new(
        name: &ServerName,
        servers: &[ServerName],
        neighbours: &[ServerName],
        seed: u64,
        clock: Clock,
        disk: Disk,
    ) -> Self {
        let now = clock.now;
        let me = clock.incarnation(name, disk.generation);
        let neighbours = neighbours
            .iter()
            .map(|other| (other.clone(), Neighbour::new(name < other, now)));
        let mut server = Server {
            name: name.clone(),
            servers: servers.to_vec(),
            map: Locations::with_hash_keys(HashKeys::from_seed(seed)),
            known: Known {
                membership: Membership::new(name.clone(), servers.to_vec()),
                feed: StoreFeed::new(name.clone()),
            },
            settlements: Settlements::default(),
            life: Life::begin(now),
            receiving: receiving_of(&me, servers, now),
            publishing: publishing_at(now),
            gossip: Gossip::begin(me.clone(), now),
            neighbours: neighbours.collect(),
            next_look: now,
            next_publish: now,
            next_report: now,
            has_merged: true,
            generations: BTreeMap::new(),
            begins: None,
            rounds: 0,
            signs: SignsOfLife::default(),
            found: Vec::new(),
            out: Vec::new(),
        };
        server.load(disk, now);
        server.begin(me, now);
        server
    }

    /// Whether an incarnation runs.
    pub(super) fn is_running(&self) -> bool {
        self.begins.is_none()
    }

    fn begin(&mut self, me: Incarnation, now: Instant) {
        self.begins = None;
        self.life.next(now);
        self.receiving = receiving_of(&me, &self.servers, now);
        self.publishing = publishing_at(now);
        self.gossip = Gossip::begin(me, now);
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
    fn end(&mut self, end: &Ended, now: Instant) -> bool {
        self.receiving.end(&self.known.feed, &mut &self.map);
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
        let reports = self.has_merged.then_some(self.next_report);
        let neighbours = self.neighbours.values();
        let paces = neighbours
            .filter_map(|neighbour| neighbour.wakes_at(now))
            .min();
        let merges = self.gossip.has_changed().then_some(now);
        let first = [reports, paces, merges].into_iter().flatten().min();
        let first = first.unwrap_or(self.next_look);
        first.min(publishes).min(self.next_look)
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
        if let Some(end) = self.receive(now) {
            return self.end(&end, now);
        }
        self.publish(now);
        self.report(now);
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
            self.has_merged = true;
        }
        if now < self.next_look {
            return None;
        }
        self.next_look = now + RECEIVER_TICK;
        self.gossip.beat();
        let sightings = self.gossip.sightings(now);
        self.signs.note(&sightings, now);
        let mut live = BTreeMap::new();
        for sighting in &sightings {
            let Incarnation { server, generation } = &sighting.incarnation;
            raise(&mut self.generations, server, *generation);
            if sighting.live {
                raise(&mut live, server, *generation);
            }
        }
        for (name, neighbour) in &self.neighbours {
            if let Some((incarnation, ..)) = &neighbour.report {
                raise(&mut live, name, incarnation.generation);
            }
        }
        let generations = self.generations.clone();
        let of = |map: &BTreeMap<ServerName, u64>, name: &str| map.get(name).copied().unwrap_or(0);
        let around = receiving::Surroundings {
            now,
            sightings: &sightings,
            live_generation: &|name| of(&live, name),
            known_generation: &|name| of(&generations, name),
            links: Vec::new(),
            rounds: self.rounds,
            rejoin: false,
            ids_were_full: false,
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
            map: &mut &self.map,
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
            Effect::TellLinks(_)
            | Effect::Recount
            | Effect::Travelled { .. }
            | Effect::TombstonesUnreadBy(_)
            | Effect::Show(_) => {}
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
        });
        if let Err(found) = burial {
            self.found
                .push(format!("{}: {incarnation} was {found}", self.name));
        }
    }

    fn kick_all(&mut self) {
        for neighbour in self.neighbours.values_mut() {
            neighbour.kicked = true;
        }
    }

    fn publish(&mut self, now: Instant) {
        let has_news = self.map.pending_len() > 0;
        if now < self.publishing.due() || !has_news && now < self.next_publish {
            return;
        }
        self.rounds += 1;
        let start = RoundStart {
            round: self.rounds,
            generation: self.gossip.me().generation,
            question: 0,
            asks: false,
            unneeded: std::collections::BTreeSet::new(),
            forgotten: None,
        };
        let mut effects = Vec::new();
        let progress = self.progress();
        let neighbours = || progress.clone();
        let around = publishing::Surroundings {
            now,
            synced: WriteNumber::LAST,
            last_write: WriteNumber::LAST,
            neighbours: &neighbours,
        };
        let mut groups = Some(
            self.publishing
                .begin(start, &around, &mut &self.map, &mut effects),
        );
        while let Some(set) = groups {
            let mut version = self.publishing.version();
            for SlotGroup { slot, group } in set {
                let change = Change::Group {
                    slot,
                    version: 0,
                    group: Some(Bytes::from(group.to_vec())),
                };
                version = self.gossip.set(change, now);
            }
            self.publishing.note_set(version);
            groups = self.publishing.next(&around, &mut &self.map, &mut effects);
        }
        self.publishing.note_round(now);
        self.next_publish = now + self.publishing.tick(false);
        if effects.contains(&publishing::Effect::KickAll) {
            self.kick_all();
        }
    }

    fn progress(&self) -> Vec<NeighbourProgress> {
        let me = self.gossip.me();
        let progress = self.neighbours.iter().map(|(name, neighbour)| {
            let report = neighbour.report.as_ref();
            NeighbourProgress {
                name: name.clone(),
                up: report.map(|(incarnation, ..)| incarnation.clone()),
                merged_lately: report.map(|(_, report, _)| report.of(me).merged),
            }
        });
        progress.collect()
    }

    /// Tells the neighbours how far this server has got.
    fn report(&mut self, now: Instant) {
        if !self.has_merged || now < self.next_report {
            return;
        }
        self.has_merged = false;
        self.next_report = now + REPORT_GAP;
        let report = self
            .receiving
            .report(WriteNumber::default(), &mut self.known.feed);
        let me = self.gossip.me().clone();
        for (name, _) in self.neighbours.iter().filter(|(_, n)| n.is_up) {
            let message = Message::Report(me.clone(), report.clone());
            self.out.push((name.clone(), message));
        }
    }
}

fn receiving_of(me: &Incarnation, servers: &[ServerName], now: Instant) -> Receiving {
    Receiving::new(me.clone(), servers.to_vec(), GroupFormat::PRESENT, now, 0)
}

fn publishing_at(now: Instant) -> Publishing {
    let publisher = Publisher::with_spare_slots(GroupFormat::PRESENT, 0);
    Publishing::new(publisher, BACKLOG_RECORDS, false, now)
}

fn raise(generations: &mut BTreeMap<ServerName, u64>, server: &ServerName, generation: u64) {
    let newest = generations.entry(server.clone()).or_insert(0);
    *newest = generation.max(*newest);
}
