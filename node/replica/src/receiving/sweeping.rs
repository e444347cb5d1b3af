//! Adoptions under way. Each walks over the whole map, which may take seconds where it is large and processors are scarce,
//! so it goes a part of the map at a time: merges, reports and clients come in between.

use std::collections::VecDeque;
use std::time::Instant;

use herd_crdt::{PublisherId, ServerMap};
use tracing::info;

use super::settling::Holders;
use super::{Ground, Receiving, Surroundings, note_the_living_again};
use herd_marks::{self as marks, Mark};

/// Which records of a publisher are adopted.
#[derive(Debug)]
pub(super) enum Adoption {
    /// All: it is an earlier life of this server.
    Own,
    /// Those for which the rank of this server is at most this.
    Orphans {
        /// The greatest rank whose turn has come.
        rank_max: usize,
    },
    /// Those for which at most so many of these servers are waited for.
    Early {
        /// The others that may hold any, as they told when this began.
        holders: Holders,
        /// How many.
        waited_for_max: usize,
    },
}

#[derive(Debug)]
struct Sweep {
    publisher: PublisherId,
    adoption: Adoption,
    next_part: usize,
    adopted: usize,
}

/// The adoptions under way, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Sweeping {
    sweeps: VecDeque<Sweep>,
    /// Something was adopted since the herd was told last.
    has_adopted: bool,
    /// How many rounds the publisher had done at the last look.
    rounds: u64,
}

impl Sweeping {
    /// Begins one; not a second one of the earlier lives of this server.
    pub(super) fn begin(&mut self, publisher: PublisherId, adoption: Adoption) {
        let is_own = matches!(adoption, Adoption::Own);
        if is_own && self.sweeps.iter().any(|other| other.publisher == publisher) {
            return;
        }
        self.sweeps.push_back(Sweep {
            publisher,
            adoption,
            next_part: 0,
            adopted: 0,
        });
    }
}

impl Receiving {
    /// Tells of this server's map, at once or when the adoptions under way are done.
    pub(super) fn tell_when_swept(&mut self, rounds: u64, ground: &mut Ground<'_, impl ServerMap>) {
        self.sweeping.rounds = rounds;
        if !self.is_sweeping() {
            let has_adopted = std::mem::take(&mut self.sweeping.has_adopted);
            self.tell_settlement(has_adopted, rounds, ground);
        }
    }

    /// Whether an adoption is under way: [`Receiving::sweep`] is to be called soon.
    pub fn is_sweeping(&self) -> bool {
        !self.sweeping.sweeps.is_empty()
    }

    /// Takes the adoptions under way one part of the map further.
    pub fn sweep(&mut self, now: Instant, ground: &mut Ground<'_, impl ServerMap>) {
        let Some(sweep) = self.sweeping.sweeps.front_mut() else {
            return;
        };
        let membership = &ground.known.membership;
        let (me, publisher, part) = (&self.me.server, sweep.publisher, sweep.next_part);
        let is_own = matches!(sweep.adoption, Adoption::Own);
        // It may be back by now.
        let is_due = is_own || membership.gone_for(publisher, now).is_some();
        let adopted = if is_due {
            let adoption = &sweep.adoption;
            ground.map.adopt(part, |record, last_publisher| {
                if last_publisher != publisher {
                    return false;
                }
                match adoption {
                    Adoption::Own => true,
                    Adoption::Orphans { rank_max } => {
                        // Ranks are dear: a hash for each server of the topology.
                        let own_rank = membership.own_rank(record);
                        let is_ours = own_rank <= *rank_max;
                        if is_ours {
                            marks::reach(match own_rank {
                                0 => Mark::OrphanAtRankZero,
                                _ => Mark::OrphanAtHigherRank,
                            });
                        }
                        is_ours
                    }
                    Adoption::Early {
                        holders,
                        waited_for_max,
                    } => {
                        let is_ours = holders.leave_to(me, record, *waited_for_max);
                        if is_ours {
                            marks::reach(match record.server() == me {
                                true => Mark::OrphanAtRankZero,
                                false => Mark::OrphanAtHigherRank,
                            });
                        }
                        is_ours
                    }
                }
            })
        } else {
            0
        };
        sweep.adopted += adopted;
        sweep.next_part += 1;
        self.sweeping.has_adopted |= adopted > 0;
        if !is_own {
            self.adopted += adopted;
        }
        if (!is_due || sweep.next_part >= ground.map.parts())
            && let Some(done) = self.sweeping.sweeps.pop_front()
        {
            end(&done, ground);
            self.tell_when_swept(self.sweeping.rounds, ground);
        }
    }

    /// Looks around, and takes the adoptions under way to their end.
    pub fn look_to_the_end(
        &mut self,
        around: Surroundings<'_>,
        ground: &mut Ground<'_, impl ServerMap>,
    ) {
        let now = around.now;
        self.look(around, ground);
        while self.is_sweeping() {
            self.sweep(now, ground);
        }
    }
}

/// A whole walk is done.
fn end(done: &Sweep, ground: &mut Ground<'_, impl ServerMap>) {
    if done.adopted == 0 {
        return;
    }
    if let Adoption::Own = done.adoption {
        info!(
            records = done.adopted,
            "records of this server's earlier life are published again"
        );
        // Some of it may be published by a live server of lower rank, which delivered it before the copy of the earlier
        // incarnation did: it is given up again when that is looked at once more.
        note_the_living_again(ground);
    } else if let Some(gone) = ground.known.membership.incarnation(done.publisher) {
        info!(records = done.adopted, %gone, "orphans adopted");
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use herd_crdt::group::{GroupBuilder, GroupFormat};
    use herd_crdt::{Record, SlotId};
    use herd_locations::Locations;

    use super::super::{Effect, Known, Readers};
    use super::*;
    use crate::changes::Change;
    use crate::incarnation::Incarnation;
    use crate::membership::Membership;
    use crate::settlement::Settlements;
    use crate::store_feed::StoreFeed;

    const CLIENTS: usize = 400;

    /// A group of Smith's with a record for each client.
    fn group() -> Bytes {
        let mut builder = GroupBuilder::default();
        for number in 0..CLIENTS {
            let client = format!("client{number}");
            let record = Record::new(client.as_bytes(), b"+1+1", b"1", "Smith".into(), 1);
            assert!(builder.try_push(&record.unwrap()));
        }
        builder.finish().into()
    }

    #[test]
    fn an_adoption_takes_one_part_of_the_map_at_a_time() {
        let now = crate::testing::start();
        let incarnation = |server: &str| Incarnation {
            server: server.into(),
            generation: 1,
        };
        let servers = vec!["Hill".into(), "Smith".into()];
        let membership = Membership::new("Hill".into(), servers.clone());
        let format = GroupFormat::PRESENT;
        let mut receiving = Receiving::new(incarnation("Hill"), servers, format, now, 0);
        let locations = Locations::default();
        let (mut map, mut effects) = (&locations, Vec::new());
        let mut known = Known {
            membership,
            feed: StoreFeed::new("Hill".into()),
            readers: Readers::default(),
        };
        let mut ground = Ground {
            map: &mut map,
            known: &mut known,
            store: &mut (),
            settlements: &mut Settlements::default(),
            effects: &mut effects,
        };
        let change = Change::Group {
            slot: SlotId(0),
            version: 1,
            group: Some(group()),
        };
        let _ = receiving.merge(&[(incarnation("Smith"), change)], now, &mut ground);
        assert_eq!(locations.len(), CLIENTS);
        let smith = ground.known.membership.id_of(&incarnation("Smith"), now);
        ground.effects.clear();

        receiving.sweeping.begin(smith, Adoption::Own);
        receiving.sweeping.begin(smith, Adoption::Own);
        receiving.tell_when_swept(0, &mut ground);
        let mut taken = Vec::new();
        while receiving.is_sweeping() {
            assert!(ground.effects.is_empty(), "it is told when it is true");
            let before = locations.backlog_len();
            receiving.sweep(now, &mut ground);
            taken.push(locations.backlog_len() - before);
        }
        assert_eq!(taken.len(), locations.parts(), "one walk: {taken:?}");
        assert_eq!(taken.iter().sum::<usize>(), CLIENTS);
        let most = taken.iter().max().unwrap();
        assert!(*most <= CLIENTS / 8, "all at once: {taken:?}");
        let tells = |effect: &Effect| matches!(effect, Effect::TellSettlement(_));
        assert!(ground.effects.iter().any(tells), "{:?}", ground.effects);
    }
}
