//! Which incarnations gossip is to forget, and when.
//!
//! An incarnation that was superseded cannot come back, and once it is gone and its copy is empty nothing of it
//! is needed. It waits a while, so that the neighbours get that far too. To forget costs a copy of all that
//! gossip holds: it is done for many at once, or when the first of them has waited for long. Where ids crowd,
//! the oldest that are superseded and gone go at once: records that rely on one become orphans, as they do when
//! their publisher is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use herd_crdt::ServerName;

use crate::incarnation::Incarnation;
use crate::timing::{
    FORGET_AFTER, FORGET_BATCH, FORGET_GAP, FORGET_WITHIN, IDS_MAX, IDS_PER_SERVER_CROWDED,
    SPARE_IDS,
};

/// Ids that are one too many at this number in all.
const IDS_CROWDED: usize = IDS_MAX - SPARE_IDS / 2;

/// Where ids of a server crowd, so many stay at most.
const CROWDED_LEFT: usize = IDS_PER_SERVER_CROWDED / 2;

/// One incarnation that gossip knows, as far as forgetting it goes.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) incarnation: Incarnation,
    /// It has been silent for long.
    pub(super) gone: bool,
    /// Our copy of what it published is empty, and no record relies on it.
    pub(super) needless: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Forgetting {
    /// Superseded ones that are gone and needless, and since when.
    needless_since: BTreeMap<Incarnation, Instant>,
    last: Option<Instant>,
}

impl Forgetting {
    /// The incarnations to forget now; nobody most of the time. `newest` has the greatest generation of each server
    /// that is known.
    pub(super) fn look(
        &mut self,
        all: &[Candidate],
        newest: impl Fn(&ServerName) -> u64,
        now: Instant,
    ) -> Option<BTreeSet<Incarnation>> {
        let superseded = superseded(all, newest);
        let needless: BTreeSet<&Incarnation> = superseded
            .iter()
            .filter(|one| one.needless)
            .map(|one| &one.incarnation)
            .collect();
        self.needless_since
            .retain(|incarnation, _| needless.contains(incarnation));
        for incarnation in needless {
            self.needless_since
                .entry(incarnation.clone())
                .or_insert(now);
        }
        if self.last.is_some_and(|last| now < last + FORGET_GAP) {
            return None;
        }
        let too_many = too_many(all, &superseded);
        let due = self.due(&superseded, &too_many, now);
        let forgotten: BTreeSet<Incarnation> = due.into_iter().chain(too_many).collect();
        // To forget nobody would cost a copy of all that gossip holds too.
        (!forgotten.is_empty()).then(|| {
            self.last = Some(now);
            forgotten
        })
    }

    /// Those that have waited for long enough, once they are many or one has waited for long. Of each server the
    /// oldest, for whatever is older than a forgotten one is forgotten too.
    fn due(
        &self,
        superseded: &[&Candidate],
        too_many: &BTreeSet<Incarnation>,
        now: Instant,
    ) -> Vec<Incarnation> {
        let waited = |one: &Candidate| {
            let since = self.needless_since.get(&one.incarnation);
            since.map(|since| now.duration_since(*since))
        };
        let mut blocked: BTreeSet<&ServerName> = BTreeSet::new();
        let mut ripe = Vec::new();
        let mut longest = Duration::ZERO;
        for one in superseded {
            let server = &one.incarnation.server;
            match waited(one) {
                Some(waited) if waited >= FORGET_AFTER && !blocked.contains(server) => {
                    longest = longest.max(waited);
                    ripe.push(one.incarnation.clone());
                }
                _ if too_many.contains(&one.incarnation) => {}
                _ => {
                    blocked.insert(server);
                }
            }
        }
        let is_due = ripe.len() >= FORGET_BATCH || longest >= FORGET_AFTER + FORGET_WITHIN;
        if is_due { ripe } else { Vec::new() }
    }
}

/// Those that are superseded and gone, the oldest first, and of each server only those that are older than any that
/// may live. A generation begins with the time.
fn superseded(all: &[Candidate], newest: impl Fn(&ServerName) -> u64) -> Vec<&Candidate> {
    let mut oldest_first: Vec<&Candidate> = all.iter().collect();
    oldest_first.sort_by_key(|one| one.incarnation.generation);
    let mut living: BTreeSet<&ServerName> = BTreeSet::new();
    oldest_first.retain(|one| {
        let Incarnation { server, generation } = &one.incarnation;
        if !one.gone || *generation >= newest(server) {
            living.insert(server);
        }
        !living.contains(server)
    });
    oldest_first
}

/// The oldest superseded ones of servers that have too many, and of all if these are too many.
fn too_many(all: &[Candidate], superseded: &[&Candidate]) -> BTreeSet<Incarnation> {
    let mut ids: BTreeMap<&ServerName, usize> = BTreeMap::new();
    for one in all {
        *ids.entry(&one.incarnation.server).or_insert(0) += 1;
    }
    let crowded: BTreeSet<&ServerName> = ids
        .iter()
        .filter(|(_, count)| **count >= IDS_PER_SERVER_CROWDED)
        .map(|(server, _)| *server)
        .collect();
    let all_crowd = all.len() >= IDS_CROWDED;
    let mut left = all.len();
    let mut forgotten = BTreeSet::new();
    for one in superseded {
        let server = &one.incarnation.server;
        let of_server = ids.entry(server).or_insert(0);
        let of_crowded = crowded.contains(server) && *of_server > CROWDED_LEFT;
        let of_all = all_crowd && left > IDS_CROWDED - SPARE_IDS / 4;
        if of_crowded || of_all {
            *of_server -= 1;
            left -= 1;
            forgotten.insert(one.incarnation.clone());
        }
    }
    forgotten
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn id(server: &str, generation: u64) -> Incarnation {
        Incarnation {
            server: server.into(),
            generation,
        }
    }

    fn candidate(server: &str, generation: u64) -> Candidate {
        Candidate {
            incarnation: id(server, generation),
            gone: true,
            needless: true,
        }
    }

    /// The newest of each server has this generation.
    fn newest(generation: u64) -> impl Fn(&ServerName) -> u64 {
        move |_| generation
    }

    #[test]
    fn one_is_forgotten_after_a_while_and_the_newest_never() {
        let start = crate::testing::start();
        let mut forgetting = Forgetting::default();
        let known = [candidate("Hill", 1), candidate("Hill", 2)];
        let mut look = |seconds: u32| {
            let now = start + seconds * SECOND;
            forgetting.look(&known, newest(2), now)
        };
        assert_eq!(look(0), None);
        let waits = FORGET_AFTER + FORGET_WITHIN;
        let seconds = u32::try_from(waits.as_secs()).unwrap();
        assert_eq!(look(seconds - 1), None);
        assert_eq!(look(seconds), Some([id("Hill", 1)].into()));
    }

    #[test]
    fn many_are_forgotten_sooner_but_not_those_that_are_needed() {
        let start = crate::testing::start();
        let mut forgetting = Forgetting::default();
        let mut known: Vec<Candidate> = (1..=FORGET_BATCH as u64 + 1)
            .map(|generation| candidate("Hill", generation))
            .collect();
        // What is older than a forgotten one would be forgotten with it.
        let last = known.len() - 1;
        known[last].needless = false;
        known.push(candidate("Hill", 50));
        let forgotten = known[..last].iter();
        let expected: BTreeSet<Incarnation> =
            forgotten.map(|one| one.incarnation.clone()).collect();
        let mut look = |known: &[Candidate], now| forgetting.look(known, newest(100), now);
        assert_eq!(look(&known, start), None);
        assert_eq!(look(&known, start + FORGET_AFTER - SECOND), None);
        assert_eq!(look(&known, start + FORGET_AFTER), Some(expected));
        // Not again at once.
        assert_eq!(look(&known, start + FORGET_AFTER + SECOND), None);
    }

    #[test]
    fn the_oldest_ids_of_a_crowding_server_are_forgotten() {
        let mut forgetting = Forgetting::default();
        let crowd = IDS_PER_SERVER_CROWDED as u64;
        let mut known: Vec<Candidate> = (1..=crowd)
            .map(|generation| candidate("Hill", generation))
            .collect();
        known.push(candidate("Smith", 1));
        for one in &mut known {
            one.needless = false;
        }
        known.last_mut().unwrap().gone = false;
        let now = crate::testing::start();
        let forgotten = forgetting.look(&known, newest(crowd), now).unwrap();
        let expected = (1..=crowd - CROWDED_LEFT as u64).map(|generation| id("Hill", generation));
        assert_eq!(forgotten, expected.collect());
        // One lives, behind a partition perhaps: neither it goes nor what is newer.
        known[3].gone = false;
        let later = now + FORGET_GAP;
        let forgotten = forgetting.look(&known, newest(crowd), later).unwrap();
        let expected = (1..=3).map(|generation| id("Hill", generation));
        assert_eq!(forgotten, expected.collect());
    }

    #[test]
    fn where_all_ids_crowd_the_oldest_of_all_go() {
        let mut forgetting = Forgetting::default();
        let known: Vec<Candidate> = (0..IDS_CROWDED as u64)
            .map(|number| {
                let mut one = candidate(&format!("server{}", number / 2), number);
                one.needless = false;
                one
            })
            .collect();
        let newest = |server: &ServerName| {
            let number: u64 = server.trim_start_matches("server").parse().unwrap();
            2 * number + 1
        };
        let forgotten = forgetting.look(&known, newest, crate::testing::start());
        let forgotten = forgotten.unwrap();
        assert_eq!(forgotten.len(), SPARE_IDS / 4);
        assert!(forgotten.contains(&id("server0", 0)));
        assert!(forgotten.iter().all(|one| one.generation.is_multiple_of(2)));
    }
}
