//! What nobody live publishes: whether this server holds any of that, and which of it need not wait for the turns of the
//! ranks.

use herd_crdt::{PublisherId, Record, ServerMap, ServerName};

use super::{Effect, Ground, Receiving};
use crate::incarnation::Incarnation;
use crate::rank::outranks;
use crate::settlement::Settlement;
use herd_marks::{self as marks, Mark};

/// The other servers that are live and may hold orphans.
#[derive(Debug, Default)]
struct Holders {
    /// They publish some, or do not tell.
    publishing: Vec<ServerName>,
    /// They hold some, and have published all that is theirs to publish.
    waiting: Vec<ServerName>,
}

impl Holders {
    /// Whether `me` may adopt this record: no server of lower rank is about to, as far as is known, and no more than
    /// `waited_for_max` of lower rank may be waiting as `me` is.
    fn leave_to(&self, me: &str, record: &Record, waited_for_max: usize) -> bool {
        let is_before = |server: &&ServerName| outranks(server, me, record);
        !self.publishing.iter().any(|server| is_before(&server))
            && self.waiting.iter().filter(is_before).count() <= waited_for_max
    }
}

impl Receiving {
    /// Tells the herd whether somebody live publishes all that this server holds. `adopted_any` says that this look has
    /// put something into the backlog, which the publisher may have taken by now and not have published yet; `rounds`,
    /// how many rounds the publisher has done.
    pub(super) fn tell_settlement(
        &mut self,
        adopted_any: bool,
        rounds: u64,
        ground: &mut Ground<'_, impl ServerMap>,
    ) {
        let membership = &ground.known.membership;
        let mut publishes = adopted_any;
        let mut has_orphans = false;
        for id in ground.map.relied_on() {
            if id == PublisherId::NOBODY {
                // It was heard just now, and is on its way.
                continue;
            }
            let server = membership.incarnation(id).map(|other| &other.server);
            publishes |= server == Some(&self.me.server);
            has_orphans |= membership.is_orphaning(id);
        }
        let backlog = ground.map.backlog_len();
        let told = self
            .settlement
            .look(publishes, backlog, has_orphans, rounds);
        if let Some(settlement) = told {
            let tell = Effect::TellSettlement(settlement);
            ground
                .effects
                .extend([tell, Effect::KickOthers(Vec::new())]);
        }
    }

    /// The other live servers that may hold orphans.
    fn holders(
        &self,
        live_generation: &dyn Fn(&str) -> u64,
        ground: &Ground<'_, impl ServerMap>,
    ) -> Holders {
        let mut holders = Holders::default();
        let others = self.servers.iter();
        for server in others.filter(|&server| *server != self.me.server) {
            let generation = live_generation(server);
            if generation == 0 {
                continue;
            }
            let incarnation = Incarnation {
                server: server.clone(),
                generation,
            };
            let told = ground.settlements.of(&incarnation);
            match told.map(|told| told.settlement) {
                None | Some(Settlement::Publishing) => holders.publishing.push(server.clone()),
                Some(Settlement::Waiting) => holders.waiting.push(server.clone()),
                Some(Settlement::Settled) => {}
            }
        }
        holders
    }

    /// Adopts orphans of a publisher that is superseded. Whoever is live and holds any says so, so nobody waits for
    /// the turns of those that are dead or hold none.
    pub(super) fn adopt_early(
        &mut self,
        publisher: PublisherId,
        waited_for_max: usize,
        live_generation: &dyn Fn(&str) -> u64,
        ground: &mut Ground<'_, impl ServerMap>,
    ) {
        let holders = self.holders(live_generation, ground);
        let me = &self.me.server;
        let adopted = ground.map.adopt(|record, last_publisher| {
            let is_ours =
                last_publisher == publisher && holders.leave_to(me, record, waited_for_max);
            if is_ours {
                marks::reach(match record.server() == me {
                    true => Mark::OrphanAtRankZero,
                    false => Mark::OrphanAtHigherRank,
                });
            }
            is_ours
        });
        self.note_adopted(publisher, adopted, ground);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(client: &str) -> Record {
        Record::new(client.as_bytes(), b"+1+1", b"1", "Gone".into(), 0).unwrap()
    }

    #[test]
    fn a_record_is_left_to_those_who_may_hold_it_and_come_first() {
        let names = ["Hill", "Jaquez", "Smith"].map(ServerName::from);
        for client in 0..50 {
            let record = record(&format!("client{client}"));
            let mut ranked = names.to_vec();
            ranked.sort_by(|one, other| match outranks(one, other, &record) {
                true => std::cmp::Ordering::Less,
                false => std::cmp::Ordering::Greater,
            });
            let [first, second, third] = [0, 1, 2].map(|rank: usize| ranked[rank].clone());
            let is_ours = |me: &str, publishing: &[&ServerName], waiting: &[&ServerName], max| {
                let owned = |names: &[&ServerName]| names.iter().map(|&n| n.clone()).collect();
                let holders = Holders {
                    publishing: owned(publishing),
                    waiting: owned(waiting),
                };
                holders.leave_to(me, &record, max)
            };
            assert!(is_ours(&third, &[], &[], 0), "nobody else holds any");
            assert!(is_ours(&first, &[&second], &[&third], 0));
            assert!(!is_ours(&second, &[], &[&first, &third], 0));
            assert!(is_ours(&second, &[], &[&first, &third], 1));
            assert!(!is_ours(&third, &[], &[&first, &second], 1));
            assert!(!is_ours(&third, &[&first], &[&second], 9), "it is about to");
        }
    }
}
