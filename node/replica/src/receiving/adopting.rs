//! Records that this server is to publish: its own of an earlier life, orphans of publishers that are gone, and
//! what others have overwritten too early.

use std::time::Instant;

use herd_crdt::{PublisherId, ServerMap};
use tracing::info;

use super::sweeping::Adoption;
use super::{Ground, Receiving, note_the_living_again};
use crate::adoption::Due;
use crate::timing::KEPT_ASK_GAP;
use herd_marks::{self as marks, Mark};

impl Receiving {
    /// What this server published under earlier incarnations is its own to publish again.
    pub(super) fn take_up_own(&mut self, ground: &mut Ground<'_, impl ServerMap>) {
        for id in ground.map.relied_on() {
            let publisher = ground.known.membership.incarnation(id);
            if publisher.is_some_and(|other| other.server == self.me.server) {
                self.sweeping.begin(id, Adoption::Own);
            }
        }
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
                    let holders = self.holders(live_generation, ground);
                    let early = Adoption::Early {
                        holders,
                        waited_for_max,
                    };
                    self.sweeping.begin(publisher, early);
                }
                Due::Adopt { rank_max } => {
                    let orphans = Adoption::Orphans { rank_max };
                    self.sweeping.begin(publisher, orphans);
                }
            }
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
