//! Which clients are in an area: candidates from the index, answers from the map.

use std::cmp::Ordering;

use herd_crdt::{Record, ServerName};
use herd_grid::{Area, Step};

use super::Locations;

mod memory;
#[cfg(test)]
mod tests;

use memory::{Memory, own_name};

/// A search whose answer changes while it is looked for begins anew so often.
const RESTARTS_MAX: u32 = 2;

/// Candidates that are looked up together at least, and at most. The processor waits for the memory of all of them at once.
/// With more, threads that search would often meet at the same shards.
const BATCH_MIN: usize = 4;
const BATCH_MAX: usize = 8;

/// A question for clients in an area.
#[derive(Clone, Debug)]
pub struct Query {
    /// Where.
    pub area: Area,
    /// How many clients at most.
    pub limit: usize,
    /// A client that is left out.
    pub except: Option<Box<[u8]>>,
    /// The beginning of the IDs; others are not copied.
    pub prefix: Box<[u8]>,
}

/// A client in the area.
#[derive(Clone, Debug)]
pub struct Hit {
    /// How far it is from a circle's centre, in metres; 0 in a rectangle.
    pub distance_m: f64,
    /// Its current record.
    pub record: Record,
}

/// The clients of an area.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Nearest first, those that are as near in the order of their ids' bytes.
    pub hits: Vec<Hit>,
    /// Whether the area holds further clients.
    pub more: bool,
}

/// A search under way. It is carried on in pieces, so that others have their turn in between.
///
/// Each record in the answer was the current one at some moment of the search, and if that took several pieces, at its end.
/// A client that was in the area all the time, and in one cell, is in the answer, if there are no more than are wanted.
pub struct Search {
    query: Query,
    memory: Memory,
    /// The bytes of the texts of the best.
    bytes: usize,
    candidates: usize,
    pieces: usize,
    restarts: u32,
    /// Some of the best have left, and others may be in their place.
    lost_some: bool,
}

/// The best are kept with the worst of them on top: one more than are wanted, which tells whether there are more.
struct Ranked {
    haversine: f64,
    hash: u64,
    hit: Hit,
}

impl Ranked {
    fn order(&self, distance_m: f64, client: &[u8]) -> Ordering {
        let own = self.hit.distance_m.total_cmp(&distance_m);
        own.then_with(|| self.hit.record.client().cmp(client))
    }
}

impl Search {
    /// Nothing is looked at yet.
    #[must_use]
    pub fn new(query: Query) -> Self {
        Search {
            query,
            memory: Memory::take(),
            bytes: 0,
            candidates: 0,
            pieces: 0,
            restarts: 0,
            lost_some: false,
        }
    }

    /// How many clients were looked up so far.
    #[must_use]
    pub fn candidates(&self) -> usize {
        self.candidates
    }

    /// The memory of the clients that were found so far, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes + self.memory.best.len() * size_of::<Ranked>()
    }

    /// Carries on for a piece of about this number of look-ups; says whether the search is over. Clients that
    /// `may_see` refuses do not exist for it.
    pub fn carry_on(
        &mut self,
        locations: &Locations,
        may_see: &dyn Fn(&[u8]) -> bool,
        piece: usize,
    ) -> bool {
        if !locations.carry_on_indexing(piece) {
            return false;
        }
        let mut done = 0;
        while done < piece {
            if self.query.limit == 0 && !self.memory.best.is_empty() {
                return true;
            }
            let bound_max = self.bound_max();
            match self
                .memory
                .frontier
                .step(&locations.grid, &self.query.area, bound_max)
            {
                Step::Candidate(hash) => {
                    self.memory.batch.push(hash);
                    if self.memory.batch.len() >= self.batch_len() {
                        self.look_up(locations, may_see);
                    }
                    done += 1;
                }
                Step::Looked(candidates) => done += candidates,
                Step::End if !self.memory.batch.is_empty() => self.look_up(locations, may_see),
                Step::End if self.pieces == 0 || !self.is_outdated(locations) => return true,
                Step::End => {}
            }
        }
        self.look_up(locations, may_see);
        self.pieces += 1;
        false
    }

    /// The answer of a search that is over.
    #[must_use]
    pub fn into_found(self) -> Found {
        let mut memory = self.memory;
        let more = memory.best.len() > self.query.limit || self.lost_some;
        let mut hits: Vec<Ranked> = memory.best.drain().collect();
        memory.keep();
        hits.sort_unstable();
        hits.truncate(self.query.limit);
        Found {
            hits: hits.into_iter().map(|ranked| ranked.hit).collect(),
            more,
        }
    }

    /// Whether there are as many as have to be known.
    fn is_full(&self) -> bool {
        self.memory.best.len() > self.query.limit
    }

    /// A square or a location with a greater bound cannot be among the best.
    fn bound_max(&self) -> f64 {
        match self.memory.best.peek() {
            Some(worst) if self.is_full() => worst.haversine,
            _ => self.query.area.bound_max(),
        }
    }

    /// How many candidates are to be looked up together. As long as fewer are known than are wanted, the next ones are
    /// looked up anyway; then each may show that the others are too far away.
    fn batch_len(&self) -> usize {
        let wanted = (self.query.limit + 1).saturating_sub(self.memory.best.len());
        wanted.clamp(BATCH_MIN, BATCH_MAX)
    }

    /// Looks up the records of the batch in the map.
    fn look_up(&mut self, locations: &Locations, may_see: &dyn Fn(&[u8]) -> bool) {
        let floor_ns = locations.floor_ns();
        let mut batch = std::mem::take(&mut self.memory.batch);
        let mut looked_up = std::mem::take(&mut self.memory.looked_up);
        let mut names = std::mem::take(&mut self.memory.names);
        self.candidates += batch.len();
        locations.with_shards_of(&mut batch, |shard, hash| {
            for record in shard.map.perhaps_with_hash(hash) {
                if record.time().ns() >= floor_ns {
                    looked_up.extend(self.ranked(locations, &mut names, (hash, record)));
                }
            }
        });
        for ranked in looked_up.drain(..) {
            // Not under the locks: a token may have many patterns.
            if may_see(ranked.hit.record.client()) {
                self.take(ranked);
            }
        }
        batch.clear();
        self.memory.batch = batch;
        self.memory.looked_up = looked_up;
        self.memory.names = names;
    }

    /// A record that is among the best so far, if it is of a client with this hash.
    fn ranked(
        &self,
        locations: &Locations,
        names: &mut Vec<ServerName>,
        (hash, record): (u64, &Record),
    ) -> Option<Ranked> {
        let area = &self.query.area;
        // Its text is not read for this.
        if area.bound_at(record.quantized()?) > self.bound_max() {
            return None;
        }
        let client = record.client();
        if !client.starts_with(&self.query.prefix) {
            return None;
        }
        if locations.hash(client) != hash || self.query.except.as_deref() == Some(client) {
            return None;
        }
        let (distance_m, haversine) = area.distance(&record.location()?)?;
        if self.is_full()
            && let Some(worst) = self.memory.best.peek()
            && worst.order(distance_m, client) != Ordering::Greater
        {
            return None;
        }
        Some(Ranked {
            haversine,
            hash,
            hit: Hit {
                distance_m,
                record: record.copy_with(own_name(names, record.server())),
            },
        })
    }

    fn take(&mut self, ranked: Ranked) {
        if !self.memory.hashes.insert(ranked.hash) {
            // It has changed its cell meanwhile, and is found in both; or another client has this hash.
            let client = ranked.hit.record.client();
            let mut best = self.memory.best.iter();
            if best.any(|known| known.hit.record.client() == client) {
                return;
            }
        }
        self.bytes += ranked.hit.record.text_len();
        self.memory.best.push(ranked);
        if self.memory.best.len() > self.query.limit + 1
            && let Some(worst) = self.memory.best.pop()
        {
            self.bytes -= worst.hit.record.text_len();
            self.memory.hashes.remove(&worst.hash);
        }
    }

    /// Brings the best up to date. Says whether the search has to begin anew, since some of them have left.
    fn is_outdated(&mut self, locations: &Locations) -> bool {
        let was_full = self.is_full();
        let before = self.memory.best.len();
        let best = std::mem::take(&mut self.memory.best);
        self.memory.best = best
            .into_iter()
            .filter_map(|known| known.now(locations, &self.query.area))
            .collect();
        let texts = self
            .memory
            .best
            .iter()
            .map(|known| known.hit.record.text_len());
        self.bytes = texts.sum();
        if !was_full || self.memory.best.len() == before {
            return false;
        }
        if self.restarts == RESTARTS_MAX {
            self.lost_some = true;
            return false;
        }
        self.restarts += 1;
        self.memory.frontier.begin_anew();
        self.memory.best.clear();
        self.memory.hashes.clear();
        self.bytes = 0;
        true
    }
}

impl Ranked {
    /// The same client as the map has it now, if it is still in the area.
    fn now(self, locations: &Locations, area: &Area) -> Option<Self> {
        let record = locations.find(self.hit.record.client())?;
        if record == self.hit.record {
            return Some(self);
        }
        let (distance_m, haversine) = area.distance(&record.location()?)?;
        Some(Ranked {
            haversine,
            hash: self.hash,
            hit: Hit { distance_m, record },
        })
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order(other.hit.distance_m, other.hit.record.client())
    }
}
