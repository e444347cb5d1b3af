//! How far the publisher's rounds have come: written, on disk, at a neighbour. Pure.

use std::collections::VecDeque;

/// The number of remembered rounds. When there are more, the oldest are forgotten: their replies go out with the next
/// round.
const ROUNDS_MAX: usize = 1_024;

/// A round of the publisher that was written to the disk's queue and to gossip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its number; rounds are counted over all incarnations.
    pub round: u64,
    /// The last write to the store before the round was over; `u64::MAX`, which is never synced, if
    /// there is no store, or it takes nothing any more.
    pub storage_ticket: u64,
    /// The generation that published it.
    pub generation: u64,
    /// The version of that generation's published state after the round.
    pub version: u64,
    /// The last question to the neighbours whether they are there, this round's included. Reports before the round that
    /// changed nothing have one asked: an old report of a neighbour that was lost since confirms none of them.
    pub question: u64,
    /// The backlog was not empty after the round: records of older reports may be in it.
    pub behind: bool,
}

/// How far a neighbour has got with the published state of one generation of this server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerProgress {
    /// That generation.
    pub generation: u64,
    /// The version that a neighbour has merged.
    pub merged: u64,
    /// The version that is on a neighbour's disk.
    pub durable: u64,
    /// The last question that it has answered since its link was made: it was there after that was asked.
    pub answered: u64,
}

/// The last round of which each is true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reached {
    /// On this server's disk.
    pub(super) disk: u64,
    /// Merged by a neighbour.
    pub(super) peer: u64,
    /// On a neighbour's disk.
    pub(super) peer_disk: u64,
}

impl Reached {
    fn or(self, other: Reached) -> Reached {
        Reached {
            disk: self.disk.max(other.disk),
            peer: self.peer.max(other.peer),
            peer_disk: self.peer_disk.max(other.peer_disk),
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// In order of round; storage tickets never fall, and versions never fall within a generation.
    written: VecDeque<Written>,
    /// The greatest storage ticket of all rounds.
    last_ticket: u64,
    synced_ticket: u64,
    peer: PeerProgress,
    /// The last question that was answered by a neighbour which had all up to its round.
    answered: Answered,
    reached: Reached,
    /// The same of rounds behind which nothing was left.
    whole: Reached,
}

/// By the state of the round at the neighbour: merged, or on disk.
#[derive(Clone, Copy, Debug, Default)]
struct Answered {
    merged: u64,
    durable: u64,
}

impl Rounds {
    /// A round was written.
    pub(super) fn written(&mut self, mut written: Written) {
        // A store that once refused a write has a hole, whatever it accepts later.
        self.last_ticket = written.storage_ticket.max(self.last_ticket);
        written.storage_ticket = self.last_ticket;
        if self.written.len() == ROUNDS_MAX {
            self.written.pop_front();
        }
        self.written.push_back(written);
        self.advance();
    }

    /// There was no store, or one that failed, and now there is one, to which the next incarnation writes all that was
    /// published before. Its writes are numbered from the start.
    pub(super) fn store_opened(&mut self) {
        self.written.clear();
        self.last_ticket = 0;
        self.synced_ticket = 0;
    }

    /// Everything up to this write is on disk.
    pub(super) fn synced(&mut self, storage_ticket: u64) {
        self.synced_ticket = self.synced_ticket.max(storage_ticket);
        self.advance();
    }

    /// A neighbour got this far.
    pub(super) fn applied(&mut self, peer: PeerProgress) {
        // The version of one neighbour and the answer of another say nothing together.
        let merged = self.answered_by(peer, peer.merged);
        self.answered.merged = self.answered.merged.max(merged);
        let durable = self.answered_by(peer, peer.durable);
        self.answered.durable = self.answered.durable.max(durable);
        if peer.generation > self.peer.generation {
            self.peer = peer;
        } else if peer.generation == self.peer.generation {
            // One neighbour after the other: a version that either of them has is safe.
            self.peer.merged = self.peer.merged.max(peer.merged);
            self.peer.durable = self.peer.durable.max(peer.durable);
        }
        self.advance();
    }

    pub(super) fn reached(&self) -> Reached {
        self.reached
    }

    /// The same for everything that was in the map when the round began: the backlog was empty.
    pub(super) fn whole(&self) -> Reached {
        self.whole
    }

    fn advance(&mut self) {
        let on_disk = self
            .written
            .partition_point(|round| round.storage_ticket <= self.synced_ticket);
        let disk = self.last_of(on_disk);
        // The next generation publishes anew the records of an older one: so only versions of the latest count. They
        // cover all earlier rounds for reports since then, and all older reports with the first round that leaves no
        // backlog.
        let peer = self.peer;
        let answered = self.answered;
        let merged = self.up_to_version(peer.generation, peer.merged);
        let at_peer = merged.min(self.up_to_question(answered.merged));
        let durable = self.up_to_version(peer.generation, peer.durable);
        let on_peer_disk = durable.min(self.up_to_question(answered.durable));
        self.reached = self.reached.or(Reached {
            disk,
            peer: self.last_of(at_peer),
            peer_disk: self.last_of(on_peer_disk),
        });
        self.whole = self.whole.or(Reached {
            disk: self.last_whole_of(on_disk, 0),
            peer: self.last_whole_of(at_peer, peer.generation),
            peer_disk: self.last_whole_of(on_peer_disk, peer.generation),
        });
        let done = self.reached.disk.min(self.reached.peer_disk);
        while self.written.front().is_some_and(|r| r.round <= done) {
            self.written.pop_front();
        }
    }

    /// How many of the remembered rounds are covered by `version` of `generation`.
    fn up_to_version(&self, generation: u64, version: u64) -> usize {
        let latest = self.written.back().map_or(0, |round| round.generation);
        if generation != latest {
            return 0;
        }
        let older = self.written.partition_point(|r| r.generation < generation);
        let covered = self
            .written
            .partition_point(|r| r.generation < generation || r.version <= version);
        // Older ones count only with a round of this generation.
        if covered > older { covered } else { 0 }
    }

    /// How many of the remembered rounds need no later answer than to this question.
    fn up_to_question(&self, question: u64) -> usize {
        self.written
            .partition_point(|round| round.question <= question)
    }

    /// The last question that this neighbour has answered, and had everything up to a round of that question.
    fn answered_by(&self, peer: PeerProgress, version: u64) -> u64 {
        let had = self.up_to_version(peer.generation, version);
        let rounds = had.min(self.up_to_question(peer.answered));
        let last = rounds.checked_sub(1).and_then(|i| self.written.get(i));
        last.map_or(0, |round| round.question)
    }

    /// The same of those with nothing left behind them, if that one is not of a generation before this.
    fn last_whole_of(&self, count: usize, generation_min: u64) -> u64 {
        let mut first = self.written.iter().take(count).rev();
        let last = first.find(|round| !round.behind);
        let last = last.filter(|round| round.generation >= generation_min);
        last.map_or(0, |round| round.round)
    }

    /// The number of the last of the first `count` remembered rounds.
    fn last_of(&self, count: usize) -> u64 {
        let last = count.checked_sub(1).and_then(|i| self.written.get(i));
        last.map_or(0, |round| round.round)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(round: u64, storage_ticket: u64, generation: u64, version: u64) -> Written {
        Written {
            round,
            storage_ticket,
            generation,
            version,
            question: 0,
            behind: false,
        }
    }

    fn peer(generation: u64, merged: u64, durable: u64) -> PeerProgress {
        PeerProgress {
            generation,
            merged,
            durable,
            answered: 0,
        }
    }

    fn reached(disk: u64, peer: u64, peer_disk: u64) -> Reached {
        Reached {
            disk,
            peer,
            peer_disk,
        }
    }

    #[test]
    fn another_store_counts_from_its_first_round() {
        let mut rounds = Rounds::default();
        rounds.written(written(1, 10, 7, 3));
        rounds.synced(10);
        // It fails: a round is written nowhere.
        rounds.written(written(2, u64::MAX, 7, 4));
        rounds.store_opened();
        rounds.synced(1);
        assert_eq!(rounds.reached().disk, 1, "nothing was written to it");
        rounds.written(written(3, 2, 8, 1));
        assert_eq!(rounds.reached().disk, 1);
        rounds.synced(2);
        assert_eq!(rounds.reached().disk, 3);
    }

    #[test]
    fn rounds_without_a_store_are_safe_with_a_later_store() {
        let mut rounds = Rounds::default();
        rounds.written(written(1, u64::MAX, 7, 3));
        rounds.store_opened();
        rounds.synced(9);
        assert_eq!(rounds.reached(), reached(0, 0, 0));
        rounds.written(written(2, 10, 8, 5));
        rounds.synced(10);
        assert_eq!(rounds.reached().disk, 2);
    }

    #[test]
    fn each_kind_of_safety_is_reached_for_itself() {
        let mut rounds = Rounds::default();
        rounds.written(written(1, 10, 7, 3));
        rounds.written(written(2, 12, 7, 5));
        assert_eq!(rounds.reached(), reached(0, 0, 0));
        rounds.synced(9);
        assert_eq!(rounds.reached(), reached(0, 0, 0));
        rounds.synced(11);
        assert_eq!(rounds.reached(), reached(1, 0, 0));
        rounds.applied(peer(7, 5, 4));
        assert_eq!(rounds.reached(), reached(1, 2, 1));
        rounds.synced(12);
        rounds.applied(peer(7, 5, 5));
        assert_eq!(rounds.reached(), reached(2, 2, 2));
    }

    #[test]
    fn a_round_without_news_is_as_safe_as_the_one_before() {
        let mut rounds = Rounds::default();
        rounds.written(written(1, 10, 7, 3));
        rounds.synced(10);
        rounds.applied(peer(7, 3, 3));
        rounds.written(written(2, 10, 7, 3));
        assert_eq!(rounds.reached(), reached(2, 2, 2));
    }

    #[test]
    fn versions_of_another_generation_prove_nothing() {
        let mut rounds = Rounds::default();
        rounds.written(written(1, 10, 7, 300));
        rounds.written(written(2, 11, 8, 2));
        // Version 300 of generation 7 does not say that generation 8 has arrived.
        rounds.applied(peer(7, 300, 300));
        assert_eq!(rounds.reached(), reached(0, 0, 0));
        rounds.applied(peer(8, 1, 0));
        assert_eq!(rounds.reached(), reached(0, 0, 0));
        // The first round of generation 8 published round 1's records too.
        rounds.applied(peer(8, 2, 0));
        assert_eq!(rounds.reached(), reached(0, 2, 0));
    }

    #[test]
    fn older_reports_are_safe_with_the_first_round_without_backlog() {
        let mut rounds = Rounds::default();
        let behind = |round, ticket, version| Written {
            behind: true,
            ..written(round, ticket, 8, version)
        };
        rounds.written(written(1, 10, 7, 300));
        rounds.written(behind(2, 11, 2));
        rounds.written(behind(3, 12, 4));
        rounds.synced(11);
        rounds.applied(peer(8, 4, 2));
        assert_eq!(rounds.reached(), reached(2, 3, 2));
        // Round 1 is on this disk; what it published a neighbour may have lost.
        assert_eq!(rounds.whole(), reached(1, 0, 0));
        rounds.written(written(4, 13, 8, 6));
        rounds.synced(13);
        rounds.applied(peer(8, 6, 5));
        assert_eq!(rounds.reached(), reached(4, 4, 3));
        assert_eq!(rounds.whole(), reached(4, 4, 0));
        rounds.applied(peer(8, 6, 6));
        assert_eq!(rounds.whole(), reached(4, 4, 4));
    }

    #[test]
    fn after_a_round_without_a_store_nothing_counts_as_synced() {
        let mut rounds = Rounds::default();
        rounds.written(written(1, 10, 7, 3));
        rounds.synced(10);
        rounds.written(written(2, u64::MAX, 7, 4));
        rounds.written(written(3, 11, 7, 5));
        rounds.synced(12);
        assert_eq!(rounds.reached().disk, 1);
    }

    #[test]
    fn a_restarted_neighbour_takes_nothing_back() {
        let mut rounds = Rounds::default();
        rounds.written(written(1, 10, 7, 3));
        rounds.applied(peer(7, 3, 0));
        rounds.applied(peer(7, 0, 0));
        rounds.written(written(2, 10, 7, 3));
        assert_eq!(rounds.reached().peer, 2);
    }

    #[test]
    fn a_question_is_confirmed_by_a_neighbour_that_has_the_round() {
        let mut rounds = Rounds::default();
        let asked = |round, version, question| Written {
            question,
            ..written(round, 10, 7, version)
        };
        let answers = |merged, durable, answered| PeerProgress {
            answered,
            ..peer(7, merged, durable)
        };
        rounds.written(asked(1, 3, 0));
        rounds.applied(answers(3, 3, 0));
        assert_eq!(rounds.reached().peer, 1);
        // Nothing is published, and that neighbour may have lost its records.
        rounds.written(asked(2, 3, 1));
        rounds.applied(answers(3, 3, 0));
        assert_eq!(rounds.reached().peer, 1);
        // Another one answers, and has less.
        rounds.applied(answers(2, 2, 1));
        assert_eq!(rounds.reached().peer, 1);
        rounds.applied(answers(3, 2, 1));
        assert_eq!((rounds.reached().peer, rounds.reached().peer_disk), (2, 1));
        rounds.applied(answers(3, 3, 1));
        assert_eq!(rounds.reached().peer_disk, 2);
        // The next round asks nothing, and needs only its own records.
        rounds.written(asked(3, 4, 1));
        rounds.applied(answers(4, 4, 0));
        assert_eq!((rounds.reached().peer, rounds.reached().peer_disk), (3, 3));
    }

    #[test]
    fn forgotten_rounds_are_covered_by_later_ones() {
        let mut rounds = Rounds::default();
        for round in 1..=3 * ROUNDS_MAX as u64 {
            rounds.written(written(round, round, 7, round));
        }
        assert_eq!(rounds.written.len(), ROUNDS_MAX);
        rounds.synced(5);
        assert_eq!(rounds.reached().disk, 0);
        rounds.synced(3 * ROUNDS_MAX as u64);
        assert_eq!(rounds.reached().disk, 3 * ROUNDS_MAX as u64);
    }
}
