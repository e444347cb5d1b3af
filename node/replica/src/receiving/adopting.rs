//! Records that this server publishes from now on: its own of an earlier life, orphans of publishers that are gone, and
//! what others have overwritten too early.

use std::time::Instant;

use herd_crdt::{PublisherId, ServerMap};
use tracing::info;

use super::{Ground, Receiving, note_the_living_again};
use crate::adoption::Due;
use crate::timing::KEPT_ASK_GAP;
use herd_marks::{self as marks, Mark};

impl Receiving {
    /// What this server published under earlier incarnations is its own to publish again. Some of it may be published
    /// by a live server of lower rank, which delivered it before the copy of the earlier incarnation did: it
    /// is given up again when that is looked at once more. Says whether there was any.
    pub(super) fn take_up_own(&self, ground: &mut Ground<'_, impl ServerMap>) -> bool {
        let mut any = false;
        for id in ground.map.relied_on() {
            let publisher = ground.known.membership.incarnation(id);
            if publisher.is_none_or(|other| other.server != self.me.server) {
                continue;
            }
            let taken = ground.map.adopt(|_, publisher| publisher == id);
            if taken > 0 {
                any = true;
                info!(
                    records = taken,
                    "records of this server's earlier life are published again"
                );
            }
        }
        if any {
            note_the_living_again(ground);
        }
        any
    }

    pub(super) fn adopt_orphans(
        &mut self,
        live_generation: &dyn Fn(&str) -> u64,
        now: Instant,
        ground: &mut Ground<'_, impl ServerMap>,
    ) {
        let membership = &ground.known.membership;
        let me = &self.me.server;
        let relied_on = ground.map.relied_on().into_iter();
        let gone: Vec<(PublisherId, bool)> = relied_on
            .filter(|&id| membership.gone_for(id, now).is_some())
            // What is this server's own is taken up by itself.
            .filter(|&id| membership.incarnation(id).is_some_and(|i| i.server != *me))
            .map(|id| (id, membership.is_gone_early(id, now)))
            .collect();
        let due = self.schedule.due(&gone, membership.ranks(), now);
        if due.iter().any(|(_, due)| *due == Due::Refresh) {
            note_the_living_again(ground);
        }
        for (publisher, due) in due {
            match due {
                Due::Refresh => {}
                Due::AdoptEarly { waited_for_max } => {
                    self.adopt_early(publisher, waited_for_max, live_generation, ground);
                }
                Due::Adopt { rank_max } => self.adopt(publisher, rank_max, ground),
            }
        }
    }

    fn adopt(
        &mut self,
        publisher: PublisherId,
        rank_max: usize,
        ground: &mut Ground<'_, impl ServerMap>,
    ) {
        let membership = &ground.known.membership;
        let adopted = ground.map.adopt(|record, last_publisher| {
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
        self.note_adopted(publisher, adopted, ground);
    }

    /// Counts what was adopted.
    pub(super) fn note_adopted(
        &mut self,
        publisher: PublisherId,
        adopted: usize,
        ground: &Ground<'_, impl ServerMap>,
    ) {
        self.adopted += adopted;
        if adopted > 0
            && let Some(incarnation) = ground.known.membership.incarnation(publisher)
        {
            info!(records = adopted, gone = %incarnation, "orphans adopted");
        }
    }

    /// What was overwritten before anything greater had come is needed no more, or missed.
    pub(super) fn review_kept(
        &mut self,
        rounds: u64,
        now: Instant,
        ground: &mut Ground<'_, impl ServerMap>,
    ) {
        let feed = &mut ground.known.feed;
        let review = self.kept.review(&feed.held, ground.map, rounds, now);
        feed.put_own(review.writes, ground.store);
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
            note_the_living_again(ground);
            self.kept.note_asked(now);
        }
    }
}
