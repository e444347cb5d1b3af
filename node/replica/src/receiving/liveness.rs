//! Who is live: what follows when a publisher goes or comes back.

use std::collections::BTreeSet;
use std::time::Instant;

use herd_crdt::ServerMap;
use tracing::{debug, info, warn};

use super::readers::TombstonesRead;
use super::{Effect, Ground, Receiving, Surroundings, note_the_living_again};
use crate::incarnation::Incarnation;
use crate::membership::{LivenessChange, Sighting};
use crate::status::{MemberStatus, ReplicationStatus};
use crate::timing::{ADOPTION_REVIEW, GONE_AFTER};
use crate::verdict::IncarnationVerdict;
use herd_marks::{self as marks, Mark};

impl Receiving {
    /// Who is live, whose records need a new publisher, and whose copy is a burden.
    pub fn look(&mut self, around: Surroundings<'_>, ground: &mut Ground<'_, impl ServerMap>) {
        let Surroundings { now, sightings, .. } = around;
        self.ids_were_full |= around.ids_were_full;
        for sighting in sightings {
            self.heed_successor(sighting, now, ground);
        }
        if around.rejoin {
            let all = sightings.iter().map(|sighting| &sighting.incarnation);
            ground.effects.extend(all.cloned().map(Effect::NoteAgain));
        }
        self.forget_unknown(sightings, ground);
        if let Some(text) = self.teller.look(around.links, now) {
            ground.effects.push(Effect::TellLinks(text));
        }
        let changes = self.liveness_changes(sightings, around.live_generation, now, ground);
        self.heed(&changes, ground);
        if !changes.is_empty() || now >= self.next_review {
            self.next_review = now + ADOPTION_REVIEW;
            self.give_up_publications(ground);
        }
        let taken_up = self.take_up_own(ground);
        let adopted = self.adopted;
        self.adopt_orphans(around.live_generation, now, ground);
        let adopted_any = taken_up || self.adopted > adopted;
        self.tell_settlement(adopted_any, around.rounds, ground);
        self.review_kept(around.rounds, now, ground);
        let unread_by = match self.tombstones_read(ground.known, sightings, now) {
            TombstonesRead::ByAll => Some(None),
            TombstonesRead::NotBy(server) => Some(Some(server)),
            // What was known before holds until more is known.
            TombstonesRead::Unknown => None,
        };
        let unread_by = unread_by.map(Effect::TombstonesUnreadBy);
        ground.effects.extend(unread_by);
        if ground.map.backlog_len() == 0 {
            // What is still to be published may stand on disk in another's name only.
            self.bury(sightings, now, ground);
            self.forget_stored(sightings, now, ground);
            let candidates = self.candidates(sightings, now, ground);
            self.forget_superseded(&candidates, around.known_generation, now, ground);
        }
        let map = &*ground.map;
        let membership = &mut ground.known.membership;
        membership.forget(|id| map.relying_on(id) > 0);
        self.show(sightings, now, ground);
    }

    /// Nothing is kept of incarnations that gossip does not know any more.
    fn forget_unknown(&mut self, sightings: &[Sighting], ground: &mut Ground<'_, impl ServerMap>) {
        let in_gossip: BTreeSet<_> = sightings.iter().map(|s| &s.incarnation).collect();
        let is_known = |incarnation: &Incarnation| in_gossip.contains(incarnation);
        self.undecoded
            .retain(|incarnation, _| is_known(incarnation));
        let buried = &self.buried;
        self.garbled
            .retain(|incarnation| is_known(incarnation) && !buried.contains(incarnation));
        self.links_of.retain(|incarnation, _| is_known(incarnation));
        ground.known.readers.retain(&self.servers, &in_gossip);
        ground.settlements.retain(&in_gossip);
    }

    /// Who has gone, and who has come back.
    fn liveness_changes(
        &self,
        sightings: &[Sighting],
        live_generation: &dyn Fn(&str) -> u64,
        now: Instant,
        ground: &mut Ground<'_, impl ServerMap>,
    ) -> Vec<LivenessChange> {
        let me = &self.me;
        // Of this server's own name a later one is another's, which this one hears of from its neighbours.
        let live_generation = |server: &str| match *server == *me.server {
            true => me.generation,
            false => live_generation(server),
        };
        let membership = &mut ground.known.membership;
        membership.update(sightings, live_generation, now)
    }

    fn heed(&self, changes: &[LivenessChange], ground: &mut Ground<'_, impl ServerMap>) {
        for change in changes {
            let incarnation = &change.incarnation;
            if change.superseded {
                // Its server is back already, and that was told.
                debug!(%incarnation, "an earlier life of its server is over");
            } else if change.gone {
                warn!(%incarnation, "gone: not heard of for {} s", GONE_AFTER.as_secs());
            } else {
                info!(%incarnation, "back");
                // What it delivered while it was taken for gone counts for nothing yet: publications are
                // given up to it now.
                let again = Effect::NoteAgain(incarnation.clone());
                ground.effects.push(again);
            }
        }
    }

    /// Gives up publications that a live server of lower rank has too.
    fn give_up_publications(&mut self, ground: &mut Ground<'_, impl ServerMap>) {
        let given_up = ground.map.yield_publications(&ground.known.membership);
        self.given_up += given_up;
        if given_up > 0 {
            marks::reach(Mark::PublicationGivenUp);
            info!(
                records = given_up,
                "publications given up to servers of lower rank"
            );
        }
        if ground.map.forget_gone(&ground.known.membership) > 0 {
            note_the_living_again(ground);
        }
    }

    /// A later incarnation of this server's name is known: no neighbour needs to say so. What was forgotten of the
    /// name may reach beyond this one, which then would publish to nobody.
    fn heed_successor(
        &self,
        sighting: &Sighting,
        now: Instant,
        ground: &mut Ground<'_, impl ServerMap>,
    ) {
        let (me, other) = (&self.me, &sighting.incarnation);
        if other.server != me.server || other.generation <= me.generation {
            return;
        }
        if !sighting.live {
            let verdict = IncarnationVerdict::MustExceed(other.generation);
            ground.effects.push(Effect::End(verdict));
        } else if now.saturating_duration_since(self.began) >= GONE_AFTER {
            // Who has just begun may take the last words of the dead for life.
            let verdict = IncarnationVerdict::Superseded(other.generation);
            ground.effects.push(Effect::End(verdict));
        }
    }

    fn show(&self, sightings: &[Sighting], now: Instant, ground: &mut Ground<'_, impl ServerMap>) {
        let membership = &mut ground.known.membership;
        let map = &*ground.map;
        let members = sightings
            .iter()
            .map(|sighting| {
                let id = membership.id_of(&sighting.incarnation, now);
                MemberStatus {
                    gone: membership.gone_for(id, now).is_some(),
                    last_live: membership.last_live(id).unwrap_or(now),
                    relied_on_by: map.relying_on(id),
                    links: self.links_of.get(&sighting.incarnation).cloned(),
                    sighting: sighting.clone(),
                }
            })
            .collect();
        ground.effects.push(Effect::Show(ReplicationStatus {
            members,
            buried: self.buried.clone(),
            adopted: self.adopted,
            given_up: self.given_up,
        }));
    }
}
