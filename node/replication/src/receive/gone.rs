//! Publishers that are gone: who is live, whose records need a new publisher, and whose copy is a burden.

use std::collections::BTreeSet;

use herd_crdt::{PublisherId, ServerName};
use tokio::time::Instant;
use tracing::{info, warn};

use super::Receiver;
use super::forgetting::Candidate;
use crate::adoption::Due;
use crate::identity::IncarnationVerdict;
use crate::incarnation::Incarnation;
use crate::membership::{Passage, Sighting};
use crate::status::{MemberStatus, ReplicationStatus};
use crate::timing::{
    ADOPTION_REVIEW, BURIAL_AFTER_GONE, BURIAL_AFTER_SUPERSEDED, BURIED_NAMED_MAX, GONE_AFTER,
    KEPT_ASK_GAP,
};
use herd_telemetry::marks::{self, Mark};

impl Receiver {
    /// Who is live, whose records need a new publisher, and whose copy is a burden.
    pub(super) async fn look_after_the_gone(&mut self) {
        let now = Instant::now();
        let neighbours = self.links.neighbours().iter();
        let now_ns = self.links.chance.now_ns();
        let offsets = neighbours.map(|n| (&n.config.name, n.clock_offset_ns(now_ns)));
        let clocks = self.clock_watch.look(offsets, self.allowed_skew);
        self.figures.set_clocks(clocks);
        let sightings = self.engine.sightings().await;
        let heartbeat = self.engine.heartbeat().await;
        if heartbeat != self.heartbeat {
            self.heartbeat = heartbeat;
            self.gossip_watched.heartbeat();
        }
        for sighting in &sightings {
            self.links.note_known(&sighting.incarnation);
            self.heed_successor(sighting);
        }
        let live = sightings.iter().filter(|sighting| sighting.live);
        self.links
            .set_live(live.map(|sighting| &sighting.incarnation));
        if self.rejoin.take() {
            for sighting in &sightings {
                self.engine.note_again(&sighting.incarnation).await;
            }
        }
        let in_gossip: BTreeSet<_> = sightings.iter().map(|s| &s.incarnation).collect();
        self.undecoded
            .retain(|incarnation, _| in_gossip.contains(incarnation));
        self.garbled.retain(|incarnation| {
            in_gossip.contains(incarnation) && !self.buried.contains(incarnation)
        });
        self.links_of
            .retain(|incarnation, _| in_gossip.contains(incarnation));
        self.settlements.lock().retain(&in_gossip);
        if let Some(text) = self.teller.look(self.links.words(), now) {
            self.engine.tell_links(&text).await;
        }

        let passages = self.look_at_passages(&sightings, now);
        for passage in &passages {
            let incarnation = &passage.incarnation;
            if passage.superseded {
                info!(%incarnation, "gone: a newer incarnation of its server is live");
            } else if passage.gone {
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
        if taken_up {
            self.note_the_living_again().await;
        }
        let adopted = self.adopted;
        self.adopt_orphans(now).await;
        self.tell_settlement(taken_up || self.adopted > adopted)
            .await;
        self.review_kept(now).await;
        if self.locations.backlog_len() == 0 {
            // What is still to be published may stand on disk in another's name only.
            self.bury(&sightings, now).await;
            self.forget_stored(&sightings, now);
            self.forget_superseded(&sightings, now).await;
        }
        let locations = &self.locations;
        self.known
            .membership
            .forget(|id| locations.relying_on(id) > 0);
        self.publish_status(sightings, now);
    }

    /// Who has gone, and who has come back.
    fn look_at_passages(&mut self, sightings: &[Sighting], now: Instant) -> Vec<Passage> {
        let me = self.engine.incarnation();
        let links = &self.links;
        // Of this server's own name a later one is another's, which this one hears of from its neighbours.
        let live_generation = |server: &str| match *server == *me.server {
            true => me.generation,
            false => links.live_generation(server),
        };
        self.known
            .membership
            .update(sightings, live_generation, now)
    }

    /// A later incarnation of this server's name is known: no neighbour needs to say so. What was forgotten of the
    /// name may reach beyond this one, which then would publish to nobody.
    fn heed_successor(&self, sighting: &Sighting) {
        let (me, other) = (self.engine.incarnation(), &sighting.incarnation);
        if other.server != me.server || other.generation <= me.generation {
            return;
        }
        if !sighting.live {
            self.links
                .note_verdict(IncarnationVerdict::MustExceed(other.generation));
        } else if self.began.elapsed() >= GONE_AFTER {
            // Who has just begun may take the last words of the dead for life.
            self.links
                .note_verdict(IncarnationVerdict::Superseded(other.generation));
        }
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
        self.figures.set_status(ReplicationStatus {
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

    /// What this server published under earlier incarnations is its own to publish again. Some of it may be published
    /// by a live server of lower rank, which delivered it before the copy of the earlier incarnation did: it
    /// is given up again when that is looked at once more. Says whether there was any.
    fn take_up_own(&mut self) -> bool {
        let me = self.engine.incarnation();
        let mut any = false;
        for id in self.locations.relied_on() {
            let own = self
                .known
                .membership
                .incarnation(id)
                .is_some_and(|other| other.server == me.server);
            if !own {
                continue;
            }
            let taken = self.locations.adopt(|_, publisher| publisher == id);
            if taken > 0 {
                any = true;
                info!(
                    records = taken,
                    "records of this server's earlier life are published again"
                );
            }
        }
        any
    }

    /// Looks again at everything that live publishers deliver.
    async fn note_the_living_again(&self) {
        let live: Vec<Incarnation> = self.known.membership.live().cloned().collect();
        for incarnation in &live {
            self.engine.note_again(incarnation).await;
        }
    }

    /// Lets gossip forget incarnations that were superseded, and with it their ids.
    async fn forget_superseded(&mut self, sightings: &[Sighting], now: Instant) {
        let candidates: Vec<Candidate> = sightings
            .iter()
            .map(|sighting| {
                let incarnation = &sighting.incarnation;
                let id = self.known.membership.id_of(incarnation, now);
                Candidate {
                    gone: self.known.membership.gone_for(id, now).is_some(),
                    needless: !sighting.holds_slots
                        && !self.undecoded.contains_key(incarnation)
                        && self.locations.relying_on(id) == 0,
                    incarnation: incarnation.clone(),
                }
            })
            .collect();
        let was_full = self.links.ids.lock().take_was_full();
        if was_full {
            self.engine.recount().await;
        }
        let me = self.engine.incarnation();
        let newest = |server: &ServerName| match *server == me.server {
            true => me.generation,
            false => self.links.known_generation(server),
        };
        let due = self.forgetting.look(&candidates, newest, now);
        if was_full {
            let known = sightings.len();
            if due.is_some() {
                warn!(
                    known,
                    "there is no room in gossip for a new incarnation: does a server start again and again? the \
                     oldest that were superseded are forgotten"
                );
            } else {
                warn!(
                    known,
                    "there is no room in gossip for a new incarnation, and none that it knows can be forgotten yet: \
                     does a server start again and again?"
                );
            }
        }
        if let Some(due) = due {
            self.engine.forget(&due).await;
            marks::reach(Mark::IncarnationForgotten);
        }
    }

    async fn adopt_orphans(&mut self, now: Instant) {
        let membership = &self.known.membership;
        let me = &self.engine.incarnation().server;
        let gone: Vec<(PublisherId, bool)> = self
            .locations
            .relied_on()
            .into_iter()
            .filter(|&id| membership.gone_for(id, now).is_some())
            // What is this server's own is taken up by itself.
            .filter(|&id| membership.incarnation(id).is_some_and(|i| i.server != *me))
            .map(|id| (id, membership.is_gone_early(id, now)))
            .collect();
        let due = self.schedule.due(&gone, membership.ranks(), now);
        if due.iter().any(|(_, due)| *due == Due::Refresh) {
            self.note_the_living_again().await;
        }
        for (publisher, due) in due {
            match due {
                Due::Refresh => {}
                Due::AdoptEarly { waited_for_max } => self.adopt_early(publisher, waited_for_max),
                Due::Adopt { rank_max } => self.adopt(publisher, rank_max),
            }
        }
    }

    /// What was overwritten before anything greater had come is needed no more, or missed.
    async fn review_kept(&mut self, now: Instant) {
        let rounds = self.figures.slots().rounds;
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
            // Ranks are dear: a hash for each server of the topology.
            if last_publisher != publisher {
                return false;
            }
            let own_rank = membership.own_rank(record);
            let is_ours = own_rank <= rank_max;
            if is_ours {
                marks::reach(match own_rank {
                    0 => Mark::OrphanAtRankZero,
                    _ => Mark::OrphanAtHigherRank,
                });
            }
            is_ours
        });
        self.note_adopted(publisher, adopted);
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
            let supersedes = |other: &Incarnation| {
                other.server == incarnation.server && other.generation > incarnation.generation
            };
            let superseded = supersedes(self.engine.incarnation())
                || (sightings.iter()).any(|other| other.live && supersedes(&other.incarnation));
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
