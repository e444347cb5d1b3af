//! Copies that nobody needs: incarnations that are buried, and those that store and gossip forget.

use std::time::Instant;

use herd_crdt::{ServerMap, ServerName};
use tracing::{info, warn};

use super::forgetting::Candidate;
use super::{Effect, Ground, Receiving};
use crate::incarnation::Incarnation;
use crate::membership::Sighting;
use crate::timing::{BURIAL_AFTER_GONE, BURIAL_AFTER_SUPERSEDED, BURIED_NAMED_MAX};
use herd_marks::{self as marks, Mark};

impl Receiving {
    /// Empties the copies of those that are gone and that no record relies on any more.
    pub(super) fn bury(
        &mut self,
        sightings: &[Sighting],
        now: Instant,
        ground: &mut Ground<'_, impl ServerMap>,
    ) {
        let buried_before = self.buried.len();
        let is_known = |buried: &Incarnation| sightings.iter().any(|s| s.incarnation == *buried);
        self.buried.retain(is_known);
        let mut changed = self.buried.len() != buried_before;
        for sighting in sightings.iter().filter(|sighting| sighting.holds_slots) {
            let incarnation = &sighting.incarnation;
            if !self.is_needless(incarnation, sightings, now, ground) {
                continue;
            }
            ground.effects.push(Effect::Bury(incarnation.clone()));
            ground.known.feed.forget(incarnation, ground.store);
            marks::reach(Mark::IncarnationBuried);
            info!(%incarnation, "buried: all its records are published by others");
            self.buried.retain(|buried| buried != incarnation);
            self.buried.push(incarnation.clone());
            changed = true;
        }
        if changed {
            let oldest_named = self.buried.len().saturating_sub(BURIED_NAMED_MAX);
            self.buried.drain(..oldest_named);
            let name = Effect::NameBuried(self.buried.clone());
            ground
                .effects
                .extend([name, Effect::KickOthers(Vec::new())]);
        }
    }

    /// Whether an incarnation has been gone for long enough, and no record relies on it.
    fn is_needless(
        &self,
        incarnation: &Incarnation,
        sightings: &[Sighting],
        now: Instant,
        ground: &mut Ground<'_, impl ServerMap>,
    ) -> bool {
        let membership = &mut ground.known.membership;
        let id = membership.id_of(incarnation, now);
        let supersedes = |other: &Incarnation| {
            other.server == incarnation.server && other.generation > incarnation.generation
        };
        let is_superseded = supersedes(&self.me)
            || (sightings.iter()).any(|other| other.live && supersedes(&other.incarnation));
        let wait = match is_superseded {
            true => BURIAL_AFTER_SUPERSEDED,
            false => BURIAL_AFTER_GONE,
        };
        let gone_for = membership.gone_for(id, now);
        gone_for.is_some_and(|gone| gone >= wait)
            && !self.undecoded.contains_key(incarnation)
            && ground.map.relying_on(id) == 0
    }

    /// Lets the store forget incarnations that will not come back and that no record relies on:
    /// earlier ones of this server, and those that gossip does not know any more. Others are
    /// forgotten when they are buried.
    pub(super) fn forget_stored(
        &self,
        sightings: &[Sighting],
        now: Instant,
        ground: &mut Ground<'_, impl ServerMap>,
    ) {
        let me = &self.me;
        let in_store = ground.known.feed.incarnations();
        let in_store: Vec<Incarnation> = in_store.filter(|other| *other != me).cloned().collect();
        for incarnation in in_store {
            let id = ground.known.membership.id_of(&incarnation, now);
            let in_gossip = sightings.iter().any(|s| s.incarnation == incarnation);
            let is_past = incarnation.server == me.server
                || (!in_gossip && ground.known.membership.gone_for(id, now).is_some());
            if is_past && ground.map.relying_on(id) == 0 {
                ground.known.feed.forget(&incarnation, ground.store);
            }
        }
    }

    /// All incarnations that gossip knows, as far as forgetting them goes.
    pub(super) fn candidates(
        &self,
        sightings: &[Sighting],
        now: Instant,
        ground: &mut Ground<'_, impl ServerMap>,
    ) -> Vec<Candidate> {
        let membership = &mut ground.known.membership;
        let map = &*ground.map;
        let candidates = sightings.iter().map(|sighting| {
            let incarnation = &sighting.incarnation;
            let id = membership.id_of(incarnation, now);
            Candidate {
                gone: membership.gone_for(id, now).is_some(),
                needless: !sighting.holds_slots
                    && !self.undecoded.contains_key(incarnation)
                    && map.relying_on(id) == 0,
                incarnation: incarnation.clone(),
            }
        });
        candidates.collect()
    }

    /// Lets gossip forget incarnations that were superseded, and with it their ids.
    pub(super) fn forget_superseded(
        &mut self,
        candidates: &[Candidate],
        known_generation: &dyn Fn(&str) -> u64,
        now: Instant,
        ground: &mut Ground<'_, impl ServerMap>,
    ) {
        let ids_were_full = std::mem::take(&mut self.ids_were_full);
        if ids_were_full {
            ground.effects.push(Effect::Recount);
        }
        let me = &self.me;
        let newest = |server: &ServerName| match *server == me.server {
            true => me.generation,
            false => known_generation(server),
        };
        let due = self.forgetting.look(candidates, newest, now);
        if ids_were_full {
            let known = candidates.len();
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
            ground.effects.push(Effect::Forget(due));
            marks::reach(Mark::IncarnationForgotten);
        }
    }
}
