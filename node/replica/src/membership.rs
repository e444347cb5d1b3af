//! Whom this server knows, and which of them count as live.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use herd_crdt::{PublisherId, Publishers, Record, ServerName};

use super::incarnation::Incarnation;
use super::rank::rank;
use super::timing::{GONE_AFTER, LOOK_LATE_MAX};

/// What gossip says of one incarnation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Who.
    pub incarnation: Incarnation,
    /// Whether the failure detector holds it for live.
    pub live: bool,
    /// Rises with every sign of life.
    pub heartbeat: u64,
    /// The newest version of its slots that is known here.
    pub max_version: u64,
    /// Whether our copy of its slots holds anything.
    pub holds_slots: bool,
}

/// Someone has gone, or has come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivenessChange {
    /// Who.
    pub incarnation: Incarnation,
    /// Whether it has gone.
    pub gone: bool,
    /// A newer incarnation of its server is live.
    pub superseded: bool,
}

#[derive(Clone, Debug)]
struct Member {
    incarnation: Incarnation,
    /// When it last gave a sign of life while the failure detector held it for live, or was first
    /// seen. The detector alone says so too late, by a time that differs from server to server.
    last_live: Instant,
    heartbeat: u64,
    /// Gone: not live for [`GONE_AFTER`], or superseded.
    gone: bool,
    /// A newer incarnation of its server is live, so it cannot come back.
    superseded: bool,
    /// Whether gossip still knows it.
    known: bool,
}

/// All incarnations that gossip or a record mentions, by number.
#[derive(Debug)]
pub struct Membership {
    me: ServerName,
    servers: Vec<ServerName>,
    members: BTreeMap<PublisherId, Member>,
    ids: BTreeMap<Incarnation, PublisherId>,
    last_id: u32,
    last_update: Option<Instant>,
}

impl Membership {
    /// Nobody yet. `servers` are all servers of the topology.
    #[must_use]
    pub fn new(me: ServerName, servers: Vec<ServerName>) -> Self {
        Membership {
            me,
            servers,
            members: BTreeMap::new(),
            ids: BTreeMap::new(),
            last_id: PublisherId::NOBODY.0,
            last_update: None,
        }
    }

    /// The number of an incarnation, a new one if it was never seen.
    pub fn id_of(&mut self, incarnation: &Incarnation, now: Instant) -> PublisherId {
        if let Some(&id) = self.ids.get(incarnation) {
            return id;
        }
        self.last_id += 1;
        let id = PublisherId(self.last_id);
        self.ids.insert(incarnation.clone(), id);
        let incarnation = incarnation.clone();
        self.members.insert(
            id,
            Member {
                incarnation,
                last_live: now,
                heartbeat: 0,
                gone: false,
                superseded: false,
                known: true,
            },
        );
        id
    }

    /// Takes in what gossip says now; `live_generation` is the greatest generation of a server that is live, 0 if none
    /// is. Returns who has gone and who has come back.
    pub fn update(
        &mut self,
        sightings: &[Sighting],
        live_generation: impl Fn(&str) -> u64,
        now: Instant,
    ) -> Vec<LivenessChange> {
        // If this server did not look for a while (it was stopped, or starved), it does not know
        // who was live meanwhile: that time does not count.
        let unseen = now.duration_since(*self.last_update.get_or_insert(now));
        let stalled = if unseen > LOOK_LATE_MAX {
            unseen
        } else {
            Duration::ZERO
        };
        self.last_update = Some(now);
        for member in self.members.values_mut() {
            member.known = false;
            member.last_live = (member.last_live + stalled).min(now);
        }
        let mut changes = Vec::new();
        for sighting in sightings {
            let id = self.id_of(&sighting.incarnation, now);
            if let Some(member) = self.members.get_mut(&id) {
                member.known = true;
                if sighting.live && sighting.heartbeat != member.heartbeat {
                    member.heartbeat = sighting.heartbeat;
                    member.last_live = now;
                }
            }
        }
        for member in self.members.values_mut() {
            let Incarnation { server, generation } = &member.incarnation;
            member.superseded = live_generation(server) > *generation;
            let is_silent = now.duration_since(member.last_live) >= GONE_AFTER;
            let gone = is_silent || member.superseded;
            if gone != member.gone {
                member.gone = gone;
                changes.push(LivenessChange {
                    incarnation: member.incarnation.clone(),
                    gone,
                    superseded: member.superseded,
                });
            }
        }
        changes
    }

    /// Forgets whoever gossip has forgotten, unless `is_needed`.
    pub fn forget(&mut self, mut is_needed: impl FnMut(PublisherId) -> bool) {
        let Self { members, ids, .. } = self;
        members.retain(|&id, member| {
            let keep = member.known || !member.gone || is_needed(id);
            if !keep {
                ids.remove(&member.incarnation);
            }
            keep
        });
    }

    /// For how long an incarnation has not been live; `None` if it is not gone.
    #[must_use]
    pub fn gone_for(&self, id: PublisherId, now: Instant) -> Option<Duration> {
        let member = self.members.get(&id)?;
        member.gone.then(|| now.duration_since(member.last_live))
    }

    /// Whether an incarnation was gone before it was silent for long: a newer one of its server is live.
    #[must_use]
    pub fn is_gone_early(&self, id: PublisherId, now: Instant) -> bool {
        self.members.get(&id).is_some_and(|member| {
            member.superseded && now.duration_since(member.last_live) < GONE_AFTER
        })
    }

    /// Whether nobody live publishes what this incarnation did, as far as is known: it is gone, or gossip does not know
    /// it, which knows everybody who is live.
    #[must_use]
    pub fn is_orphaning(&self, id: PublisherId) -> bool {
        self.members
            .get(&id)
            .is_none_or(|member| member.gone || !member.known)
    }

    /// When an incarnation last gave a sign of life, or was first seen.
    #[must_use]
    pub fn last_live(&self, id: PublisherId) -> Option<Instant> {
        self.members.get(&id).map(|member| member.last_live)
    }

    /// The incarnation with this number.
    #[must_use]
    pub fn incarnation(&self, id: PublisherId) -> Option<&Incarnation> {
        self.members.get(&id).map(|member| &member.incarnation)
    }

    /// Incarnations that count as live.
    pub fn live(&self) -> impl Iterator<Item = &Incarnation> {
        self.members
            .values()
            .filter(|member| !member.gone)
            .map(|member| &member.incarnation)
    }

    /// This server's rank for a record.
    #[must_use]
    pub fn own_rank(&self, record: &Record) -> usize {
        // This server is of the topology, or its configuration would not have been accepted.
        rank(&self.me, record, &self.servers).unwrap_or(self.servers.len())
    }

    /// How many ranks there can be for one record: one for each server of the topology, and one for
    /// the server that heard it, should it have left.
    #[must_use]
    pub fn ranks(&self) -> usize {
        self.servers.len() + 1
    }

    /// How many incarnations are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether nobody is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

impl Publishers for Membership {
    fn presumed_live(&self, publisher: PublisherId) -> bool {
        self.members
            .get(&publisher)
            .is_some_and(|member| !member.gone)
    }

    fn outranks(&self, publisher: PublisherId, record: &Record) -> bool {
        let Some(member) = self.members.get(&publisher) else {
            return false;
        };
        rank(&member.incarnation.server, record, &self.servers)
            .is_some_and(|rank| rank < self.own_rank(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incarnation(server: &str, generation: u64) -> Incarnation {
        Incarnation {
            server: server.into(),
            generation,
        }
    }

    fn sighting(server: &str, live: bool, heartbeat: u64) -> Sighting {
        let incarnation = incarnation(server, 1);
        Sighting {
            incarnation,
            live,
            heartbeat,
            max_version: 0,
            holds_slots: false,
        }
    }

    fn nobody(_: &str) -> u64 {
        0
    }

    fn membership() -> Membership {
        Membership::new(
            "Hill".into(),
            vec!["Hill".into(), "Smith".into(), "Jaquez".into()],
        )
    }

    /// Looks as often as the receiver does, from one second after `start` to `seconds` after it.
    fn look(membership: &mut Membership, live: bool, start: Instant, seconds: u64) -> Vec<bool> {
        (1..=seconds)
            .flat_map(|second| {
                let now = start + Duration::from_secs(second);
                membership.update(&[sighting("Smith", live, second)], nobody, now)
            })
            .map(|change| change.gone)
            .collect()
    }

    #[test]
    fn a_newcomer_to_gossip_is_live_until_it_was_silent_for_long() {
        let start = crate::testing::start();
        let mut membership = membership();
        let smith = membership.id_of(&incarnation("Smith", 1), start);
        // A server that has just started sees everyone dead for some heartbeats.
        assert!(look(&mut membership, false, start, 9).is_empty());
        assert!(membership.presumed_live(smith));
        let start = start + Duration::from_secs(9);
        assert_eq!(look(&mut membership, false, start, 1), [true]);
        assert!(!membership.presumed_live(smith));
        let now = start + Duration::from_secs(1);
        assert_eq!(membership.gone_for(smith, now), Some(GONE_AFTER));
        assert_eq!(look(&mut membership, true, now, 1), [false]);
        assert!(membership.presumed_live(smith));
    }

    #[test]
    fn a_server_that_was_paused_takes_nobody_for_gone() {
        let start = crate::testing::start();
        let mut membership = membership();
        let smith = membership.id_of(&incarnation("Smith", 1), start);
        look(&mut membership, true, start, 1);
        let awake = start + Duration::from_secs(3_600);
        assert_eq!(
            membership.update(&[sighting("Smith", false, 1)], nobody, awake),
            []
        );
        assert!(membership.presumed_live(smith));
        assert_eq!(look(&mut membership, false, awake, 10), [true]);
    }

    #[test]
    fn the_superseded_are_gone_while_their_successor_lives() {
        let start = crate::testing::start();
        let mut membership = membership();
        let smith = membership.id_of(&incarnation("Smith", 1), start);
        let sightings = |second| [sighting("Smith", true, second)];
        let second = |seconds| start + Duration::from_secs(seconds);
        let mut update = |generation: u64, seconds: u64| {
            let live = |server: &str| if server == "Smith" { generation } else { 9 };
            let changes = membership.update(&sightings(seconds), live, second(seconds));
            let early = membership.is_gone_early(smith, second(seconds));
            let live = membership.presumed_live(smith);
            (changes.len(), early, live, membership.is_orphaning(smith))
        };
        assert_eq!(update(1, 1), (0, false, true, false), "it is that itself");
        assert_eq!(update(2, 2), (1, true, false, true));
        assert_eq!(update(0, 3), (1, false, true, false));
        let early = |seconds| membership.is_gone_early(smith, second(seconds));
        assert!(!early(3));
        // What gossip does not know, nobody live publishes.
        let changes = membership.update(&[], |_| 2, second(4));
        assert_eq!((changes.len(), changes[0].superseded), (1, true));
        membership.update(&[], nobody, second(5));
        assert!(membership.presumed_live(smith) && membership.is_orphaning(smith));
        for seconds in 6..=14 {
            membership.update(&[], |_| 2, second(seconds));
        }
        assert!(!membership.is_gone_early(smith, second(14)), "and silent");
    }

    #[test]
    fn who_is_forgotten_by_gossip_and_by_every_record_is_forgotten() {
        let start = crate::testing::start();
        let mut membership = membership();
        let smith = membership.id_of(&incarnation("Smith", 1), start);
        for second in 0..=GONE_AFTER.as_secs() {
            membership.update(&[], nobody, start + Duration::from_secs(second));
        }
        membership.forget(|id| id == smith);
        assert_eq!(membership.len(), 1);
        membership.forget(|_| false);
        assert!(membership.is_empty());
        let again = membership.id_of(&incarnation("Smith", 1), start);
        assert_ne!(again, smith, "numbers are not used twice");
    }

    #[test]
    fn the_records_own_server_outranks_every_other() {
        let now = crate::testing::start();
        let mut membership = membership();
        let smith = membership.id_of(&incarnation("Smith", 1), now);
        let record = |server: &str| Record::new(b"kiwi", b"+1+1", b"1", server.into(), 0).unwrap();
        assert!(membership.outranks(smith, &record("Smith")));
        assert!(!membership.outranks(smith, &record("Hill")));
        assert!(!membership.outranks(PublisherId::NOBODY, &record("Smith")));
        assert_eq!(membership.own_rank(&record("Hill")), 0);
    }
}
