//! The receiver's task: merges what arrives, says how far it got, and looks after the records of
//! publishers that are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use herd_crdt::group::{GroupError, GroupFormat};
use herd_crdt::{Place, PublisherId, ServerName, SlotId};
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::adoption::{Due, OrphanSchedule};
use super::clocks::ClockWatch;
use super::engine::{Change, Changes, Engine};
use super::incarnation::Incarnation;
use super::kept_groups::KeptGroups;
use super::link_words::{LinkTeller, LinkWord};
use super::links::Links;
use super::membership::{Membership, Passage, Sighting};
use super::report::{Applied, AppliedReport};
use super::status::{MemberStatus, ReplicationStatus};
use super::store_feed::{DeliveredGroup, StoreFeed};
use super::storing::more_is_stored;
use super::timing::{
    ADOPTION_REVIEW, BURIAL_AFTER_GONE, BURIAL_AFTER_SUPERSEDED, BURIED_NAMED_MAX, GONE_AFTER,
    INCARNATIONS_WARN, KEPT_ASK_GAP, RECEIVER_TICK, TAKEN_UP_PER_LOOK_MAX,
};
use crate::locations::Locations;
use crate::marks::{self, Mark};
use crate::pulse::Beating;
use crate::storage::{StorageWriter, Ticket};

/// Groups that are merged between two looks at whether other tasks want the processor.
const GROUPS_PER_YIELD: usize = 16;

/// Merges what other servers publish, for as long as the engine runs. Returns when another server
/// has buried this incarnation: then it takes a new one.
pub(super) async fn receive(
    locations: Arc<Locations>,
    engine: Arc<Engine>,
    links: Arc<Links>,
    known: OwnedMutexGuard<Known>,
    allowed_skew: Option<Duration>,
    format: GroupFormat,
) -> Incarnation {
    let links_pulses = links.pulses.clone();
    let mut synced = known.feed.writer().map(StorageWriter::synced);
    let mut receiver = Receiver {
        listens_since_ns: links.chance.now_ns(),
        kept: KeptGroups::new(engine.incarnation().clone(), format),
        locations,
        engine,
        links,
        known,
        format,
        merged: Vec::new(),
        schedule: OrphanSchedule::default(),
        undecoded: BTreeMap::new(),
        buried: Vec::new(),
        links_of: BTreeMap::new(),
        teller: LinkTeller::default(),
        adopted: 0,
        given_up: 0,
        taken_up: false,
        next_review: Instant::now() + ADOPTION_REVIEW,
        next_ask: Instant::now(),
        clock_watch: ClockWatch::default(),
        allowed_skew,
        warned: false,
        beating: links_pulses.receiver.begin(),
        gossip_beating: links_pulses.gossip.begin(),
        heartbeat: 0,
    };
    let mut next_look = Instant::now();
    loop {
        // Whichever comes first.
        let look_at_gossip = tokio::select! {
            () = receiver.engine.changed() => true,
            () = sleep_until(next_look) => true,
            () = more_is_stored(&mut synced) => false,
        };
        receiver.beating.beat();
        if look_at_gossip && let Some(buried_by) = receiver.merge_changes().await {
            return buried_by;
        }
        receiver.report();
        if Instant::now() >= next_look {
            receiver.look_after_the_gone().await;
            next_look = Instant::now() + RECEIVER_TICK;
        }
    }
}

/// What a server knows of the others, and of what it has stored of them. Outlives incarnations of
/// this server: the map refers to others by the numbers in it.
pub(super) struct Known {
    pub(super) membership: Membership,
    pub(super) feed: StoreFeed,
}

/// How far a look got with what this server published in earlier lives.
struct TakenUp {
    /// It took up some.
    any: bool,
    /// There is no more of it.
    all: bool,
}

struct Receiver {
    locations: Arc<Locations>,
    engine: Arc<Engine>,
    links: Arc<Links>,
    known: OwnedMutexGuard<Known>,
    format: GroupFormat,
    kept: KeptGroups,
    /// When this incarnation began to listen, by our wall clock.
    listens_since_ns: i64,
    /// The version merged of each incarnation.
    merged: Vec<(Incarnation, u64)>,
    schedule: OrphanSchedule,
    /// Groups that could not be decoded, by incarnation: those of a newer format are kept until a
    /// server that reads it comes along, so their incarnation is not buried.
    undecoded: BTreeMap<Incarnation, u64>,
    /// Incarnations whose copies are empty here, oldest burial first.
    buried: Vec<Incarnation>,
    /// What others say of their links.
    links_of: BTreeMap<Incarnation, Arc<[LinkWord]>>,
    teller: LinkTeller,
    /// Records adopted and publications given up by this incarnation.
    adopted: usize,
    given_up: usize,
    /// Records of an earlier life were taken up since what the living deliver was looked at again.
    taken_up: bool,
    /// When publications are looked through next for those that a server of lower rank has too, though
    /// nobody came or went: clients may have had them published again.
    next_review: Instant,
    /// When what the living deliver may be looked at next for the sake of kept records.
    next_ask: Instant,
    clock_watch: ClockWatch,
    /// How far a neighbour's clock may differ from ours; `None` for no limit.
    allowed_skew: Option<Duration>,
    /// It was said that there are many incarnations.
    warned: bool,
    beating: Beating,
    /// Of the engine's loop, which this task sees by its heartbeat.
    gossip_beating: Beating,
    heartbeat: u64,
}

/// However the incarnation ends: while it lasted, its groups in the store were all that some records had there.
impl Drop for Receiver {
    fn drop(&mut self) {
        self.kept.hand_over(&self.known.feed.held, &self.locations);
    }
}

impl Receiver {
    /// Merges all that came in. Returns who has buried us, if anyone has.
    async fn merge_changes(&mut self) -> Option<Incarnation> {
        let taken = self.engine.take_changes().await;
        let me = self.engine.incarnation().clone();
        let mut news = false;
        self.store_changes(&taken);
        for (merged, (incarnation, change)) in (1..).zip(taken.changes) {
            match change {
                Change::Group {
                    slot,
                    version,
                    group,
                } => {
                    // From a neighbour who has fallen behind our store, whose later group is in the map.
                    let has_later = self.known.feed.held.has_later(&incarnation, slot, version);
                    if version == 0 || !has_later {
                        news |= self.merge_group(&incarnation, slot, group);
                    }
                }
                Change::Buried(buried) if buried.contains(&me) => return Some(incarnation),
                Change::Buried(_) => {}
                Change::Links(words) => {
                    self.links_of.insert(incarnation, words.into());
                }
            }
            if merged % GROUPS_PER_YIELD == 0 {
                self.beating.beat();
                tokio::task::yield_now().await;
            }
        }
        if news {
            self.links.kick_others(&taken.senders);
        }
        self.merged = taken.versions;
        None
    }

    /// Gives the store what it wants of the changes. With it, what others overwrite although the store has nothing
    /// greater of its client yet.
    fn store_changes(&mut self, taken: &Changes) {
        let Known { membership, feed } = &mut *self.known;
        let now = Instant::now();
        let mut groups = Vec::new();
        for (incarnation, change) in &taken.changes {
            if let Change::Group {
                slot,
                version,
                group: Some(group),
            } = change
                && feed.wants(incarnation, *version)
            {
                let publisher = membership.id_of(incarnation, now);
                let (slot, version) = (*slot, *version);
                let delivered = DeliveredGroup {
                    incarnation: incarnation.clone(),
                    slot,
                    version,
                    group: group.clone(),
                };
                groups.push((Place { publisher, slot }, delivered));
            }
        }
        let overwritten = feed.held.overwrite(&groups, self.format, &self.locations);
        if !overwritten.places.is_empty() {
            marks::reach(Mark::OverwrittenKept);
        }
        let kept = self.kept.keep(overwritten, now);
        // All of it in one write: a part alone could lack what another part replaces.
        let groups = groups.into_iter().map(|(_, group)| group);
        feed.put(groups, kept, &taken.versions);
    }

    /// Tells the neighbours how far we have got.
    fn report(&mut self) {
        let synced = match self.known.feed.writer() {
            Some(writer) => writer.synced().borrow().synced,
            None => Ticket::default(),
        };
        let durable = self.known.feed.durable(synced);
        let applied = self.merged.iter().map(|(incarnation, merged)| {
            let durable = durable.get(incarnation).copied().unwrap_or(0);
            let applied = Applied {
                merged: *merged,
                durable: durable.min(*merged),
            };
            (incarnation.clone(), applied)
        });
        self.links.publish_report(AppliedReport::new(applied));
    }

    /// Joins one group into the map; says whether that changed the map.
    fn merge_group(
        &mut self,
        incarnation: &Incarnation,
        slot: SlotId,
        group: Option<Bytes>,
    ) -> bool {
        let publisher = self.known.membership.id_of(incarnation, Instant::now());
        let Some(group) = group else {
            warn!(%incarnation, "a group that it published is garbled and left out; records in it are missing here until it publishes them again: restart that server");
            return false;
        };
        match self.format.read(&group) {
            Ok(group) => {
                // When its server heard the last of those that are its own.
                let mut heard_ns = None;
                let records = group.records().inspect(|record| {
                    if *record.server() == incarnation.server {
                        heard_ns = heard_ns.max(Some(record.received_ns()));
                    }
                });
                let delivery = self.locations.deliver(
                    records,
                    Place { publisher, slot },
                    &self.known.membership,
                );
                let news = delivery.changed > 0;
                if let Some(heard_ns) = heard_ns.filter(|_| news) {
                    self.note_travel(&incarnation.server, heard_ns);
                }
                if !news && delivery.unchanged > 0 {
                    marks::reach(Mark::GroupRepeated);
                }
                if delivery.given_up > 0 {
                    marks::reach(Mark::PublicationGivenUp);
                }
                news
            }
            Err(GroupError::UnknownVersion(version)) => {
                self.known.feed.note_undecoded(incarnation);
                let count = self.undecoded.entry(incarnation.clone()).or_insert(0);
                *count += 1;
                if *count == 1 {
                    warn!(
                        %incarnation, version,
                        "groups of a newer format are kept and passed on, but not merged: upgrade this server"
                    );
                }
                false
            }
            Err(error) => {
                warn!(%incarnation, %error, "a group that it published is left out; records in it are missing here until it publishes them again: restart that server");
                false
            }
        }
    }

    /// The latest report of a group was heard then, by the clock of its server. What was heard before
    /// this server listened did not travel until now, but waited.
    fn note_travel(&self, origin: &ServerName, heard_ns: i64) {
        let Some(propagation) = self.links.propagation().get(origin) else {
            return;
        };
        if heard_ns >= self.listens_since_ns {
            let travelled_ns = self.links.chance.now_ns().saturating_sub(heard_ns);
            let travelled = Duration::from_nanos(u64::try_from(travelled_ns).unwrap_or(0));
            propagation.observe(travelled, 1);
        }
    }

    /// Who is live, whose records need a new publisher, and whose copy is a burden.
    async fn look_after_the_gone(&mut self) {
        let now = Instant::now();
        let neighbours = self.links.neighbours().iter();
        let now_ns = self.links.chance.now_ns();
        let offsets = neighbours.map(|n| (&n.config.name, n.clock_offset_ns(now_ns)));
        let clocks = self.clock_watch.look(offsets, self.allowed_skew);
        self.links.set_clocks(clocks);
        let sightings = self.engine.sightings().await;
        let heartbeat = self.engine.heartbeat().await;
        if heartbeat != self.heartbeat {
            self.heartbeat = heartbeat;
            self.gossip_beating.beat();
        }
        for sighting in &sightings {
            self.links.note_known(&sighting.incarnation);
        }
        let live = sightings.iter().filter(|sighting| sighting.live);
        self.links
            .set_live(live.map(|sighting| &sighting.incarnation));
        if sightings.len() > INCARNATIONS_WARN && !self.warned {
            self.warned = true;
            warn!(
                incarnations = sightings.len(),
                "many dead incarnations crowd the messages of gossip: does a server restart again and again?"
            );
        }
        if self.links.take_rejoin() {
            for sighting in &sightings {
                self.engine.note_again(&sighting.incarnation).await;
            }
        }
        let in_gossip: BTreeSet<_> = sightings.iter().map(|s| &s.incarnation).collect();
        self.undecoded
            .retain(|incarnation, _| in_gossip.contains(incarnation));
        self.links_of
            .retain(|incarnation, _| in_gossip.contains(incarnation));
        if let Some(text) = self.teller.look(self.links.words(), now) {
            self.engine.tell_links(&text).await;
        }

        let passages = self.known.membership.update(&sightings, now);
        for Passage { incarnation, gone } in &passages {
            if *gone {
                info!(%incarnation, "gone: not heard of for {} s", GONE_AFTER.as_secs());
            } else {
                info!(%incarnation, "back");
                // What it delivered while it was taken for gone counts for nothing yet: publications are
                // given up to it now.
                self.engine.note_again(incarnation).await;
            }
        }
        if !passages.is_empty() || now >= self.next_review {
            self.next_review = now + ADOPTION_REVIEW;
            let given_up = self.locations.yield_publications(&self.known.membership);
            self.given_up += given_up;
            if given_up > 0 {
                marks::reach(Mark::PublicationGivenUp);
                info!(
                    records = given_up,
                    "publications given up to servers of lower rank"
                );
            }
            if self.locations.forget_gone(&self.known.membership) > 0 {
                self.note_the_living_again().await;
            }
        }
        let taken_up = self.take_up_own();
        self.taken_up |= taken_up.any;
        if taken_up.all && std::mem::take(&mut self.taken_up) {
            self.note_the_living_again().await;
        }
        self.adopt_orphans(now).await;
        self.review_kept(now).await;
        if taken_up.all {
            // What is still to be taken up may stand on disk in another's name only.
            self.bury(&sightings, now).await;
            self.forget_stored(&sightings, now);
        }
        let locations = &self.locations;
        self.known
            .membership
            .forget(|id| locations.relying_on(id) > 0);
        self.publish_status(sightings, now);
    }

    fn publish_status(&mut self, sightings: Vec<Sighting>, now: Instant) {
        let members = sightings
            .into_iter()
            .map(|sighting| {
                let id = self.known.membership.id_of(&sighting.incarnation, now);
                let gone = self.known.membership.gone_for(id, now).is_some();
                MemberStatus {
                    gone,
                    last_live: self.known.membership.last_live(id).unwrap_or(now),
                    relied_on_by: self.locations.relying_on(id),
                    links: self.links_of.get(&sighting.incarnation).cloned(),
                    sighting,
                }
            })
            .collect();
        self.links.set_status(ReplicationStatus {
            members,
            buried: self.buried.clone(),
            adopted: self.adopted,
            given_up: self.given_up,
        });
    }

    /// Lets the store forget incarnations that will not come back and that no record relies on:
    /// earlier ones of this server, and those that gossip does not know any more. Others are
    /// forgotten when they are buried.
    fn forget_stored(&mut self, sightings: &[Sighting], now: Instant) {
        let me = self.engine.incarnation();
        let in_store = self.known.feed.incarnations();
        let in_store: Vec<Incarnation> = in_store.filter(|other| *other != me).cloned().collect();
        for incarnation in in_store {
            let id = self.known.membership.id_of(&incarnation, now);
            let in_gossip = sightings.iter().any(|s| s.incarnation == incarnation);
            let is_past = incarnation.server == me.server
                || (!in_gossip && self.known.membership.gone_for(id, now).is_some());
            if is_past && self.locations.relying_on(id) == 0 {
                self.known.feed.forget(&incarnation);
            }
        }
    }

    /// What this server published under earlier incarnations is its own to publish again; not all at
    /// once, since what clients report meanwhile waits for the disk behind it. Some of it may be published
    /// by a live server of lower rank, which delivered it before the copy of the earlier incarnation did: it
    /// is given up again when that is looked at once more.
    fn take_up_own(&mut self) -> TakenUp {
        let me = self.engine.incarnation();
        let mut any = false;
        let mut left = TAKEN_UP_PER_LOOK_MAX;
        for id in self.locations.relied_on() {
            let own = self
                .known
                .membership
                .incarnation(id)
                .is_some_and(|other| other.server == me.server);
            if !own {
                continue;
            }
            let taken = self.locations.adopt(|_, publisher| {
                let is_due = publisher == id && left > 0;
                left -= usize::from(is_due);
                is_due
            });
            if taken > 0 {
                any = true;
                info!(
                    records = taken,
                    "records of this server's earlier life are published again"
                );
            }
        }
        TakenUp { any, all: left > 0 }
    }

    /// Looks again at everything that live publishers deliver.
    async fn note_the_living_again(&self) {
        let live: Vec<Incarnation> = self.known.membership.live().cloned().collect();
        for incarnation in &live {
            self.engine.note_again(incarnation).await;
        }
    }

    async fn adopt_orphans(&mut self, now: Instant) {
        let gone: Vec<PublisherId> = self
            .locations
            .relied_on()
            .into_iter()
            .filter(|&id| self.known.membership.gone_for(id, now).is_some())
            .collect();
        let due = self.schedule.due(&gone, self.known.membership.ranks(), now);
        if due.iter().any(|(_, due)| *due == Due::Refresh) {
            self.note_the_living_again().await;
        }
        for (publisher, due) in due {
            if let Due::Adopt { rank_max } = due {
                self.adopt(publisher, rank_max);
            }
        }
    }

    /// What was overwritten before anything greater had come is needed no more, or missed.
    async fn review_kept(&mut self, now: Instant) {
        let rounds = self.links.slots().rounds;
        let feed = &mut self.known.feed;
        let review = self.kept.review(&feed.held, &self.locations, rounds, now);
        feed.put_own(review.writes);
        if review.taken_over > 0 {
            marks::reach(Mark::OverwrittenTakenOver);
            self.adopted += review.taken_over;
            info!(
                records = review.taken_over,
                "records that others overwrote, and of which nothing greater came, are published here"
            );
        }
        if review.ask && now >= self.next_ask {
            self.next_ask = now + KEPT_ASK_GAP;
            self.note_the_living_again().await;
            self.kept.note_asked(now);
        }
    }

    fn adopt(&mut self, publisher: PublisherId, rank_max: usize) {
        let membership = &self.known.membership;
        let adopted = self.locations.adopt(|record, last_publisher| {
            let own_rank = membership.own_rank(record);
            let is_ours = last_publisher == publisher && own_rank <= rank_max;
            if is_ours {
                marks::reach(match own_rank {
                    0 => Mark::OrphanAtRankZero,
                    _ => Mark::OrphanAtHigherRank,
                });
            }
            is_ours
        });
        self.adopted += adopted;
        if adopted > 0
            && let Some(incarnation) = membership.incarnation(publisher)
        {
            info!(records = adopted, rank_max, gone = %incarnation, "orphans adopted");
        }
    }

    /// Empties the copies of those that are gone and that no record relies on any more.
    async fn bury(&mut self, sightings: &[Sighting], now: Instant) {
        let buried_before = self.buried.len();
        self.buried.retain(|buried| {
            sightings
                .iter()
                .any(|sighting| sighting.incarnation == *buried)
        });
        let mut changed = self.buried.len() != buried_before;
        for sighting in sightings.iter().filter(|sighting| sighting.holds_slots) {
            let incarnation = &sighting.incarnation;
            let id = self.known.membership.id_of(incarnation, now);
            let superseded = sightings.iter().any(|other| {
                other.live
                    && other.incarnation.server == incarnation.server
                    && other.incarnation.generation > incarnation.generation
            });
            let wait = if superseded {
                BURIAL_AFTER_SUPERSEDED
            } else {
                BURIAL_AFTER_GONE
            };
            let long_gone = self
                .known
                .membership
                .gone_for(id, now)
                .is_some_and(|gone| gone >= wait);
            if !long_gone
                || self.undecoded.contains_key(incarnation)
                || self.locations.relying_on(id) > 0
            {
                continue;
            }
            self.engine.bury(incarnation).await;
            self.known.feed.forget(incarnation);
            marks::reach(Mark::IncarnationBuried);
            info!(%incarnation, "buried: all its records are published by others");
            self.buried.retain(|buried| buried != incarnation);
            self.buried.push(incarnation.clone());
            changed = true;
        }
        if changed {
            let oldest_named = self.buried.len().saturating_sub(BURIED_NAMED_MAX);
            self.buried.drain(..oldest_named);
            self.engine.name_buried(&self.buried).await;
            self.links.kick_all();
        }
    }
}
