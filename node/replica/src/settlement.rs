//! What a server tells the herd of its map: whether somebody live publishes all that it holds.
//!
//! What only the dead published is in no version that anyone lags behind, until another server adopts it. So each
//! server tells in two keys of gossip, `settlement/told` and `settlement`, whether it holds any of that: a server that
//! starts is ready only when its neighbours hold none, and servers of lower rank need not be waited for that hold none.
//! The first key is set before anything else and never again: whoever has anything of an incarnation knows from it
//! whether the incarnation tells. Older versions pass both on and ignore them.

use std::collections::{BTreeMap, BTreeSet};

use super::incarnation::Incarnation;

/// How much of a server's map is published by somebody live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Settlement {
    /// Some is not, and this server is about to publish what is its own of that.
    #[default]
    Publishing,
    /// Some is not, and this server leaves it to others yet.
    Waiting,
    /// All is.
    Settled,
}

impl Settlement {
    /// As the value of the key.
    pub fn text(self) -> &'static str {
        match self {
            Settlement::Publishing => "publishing",
            Settlement::Waiting => "waiting",
            Settlement::Settled => "settled",
        }
    }

    /// Of the key's value. A word of a later version is taken for the one that everybody waits for.
    pub fn parse(text: &str) -> Settlement {
        match text {
            "waiting" => Settlement::Waiting,
            "settled" => Settlement::Settled,
            _ => Settlement::Publishing,
        }
    }
}

/// What an incarnation told last, as far as it is merged here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What it told.
    pub settlement: Settlement,
    /// The version of its state with which it said so.
    pub version: u64,
}

/// What all others told.
#[derive(Debug, Default)]
pub struct Settlements {
    told: BTreeMap<Incarnation, Told>,
}

impl Settlements {
    /// It tells, whatever.
    pub fn note_tells(&mut self, incarnation: &Incarnation) {
        self.told.entry(incarnation.clone()).or_default();
    }

    /// It told this.
    pub fn note(&mut self, incarnation: &Incarnation, told: Told) {
        let known = self.told.entry(incarnation.clone()).or_default();
        if told.version >= known.version {
            *known = told;
        }
    }

    /// `None` for an incarnation of a version that does not tell.
    pub fn of(&self, incarnation: &Incarnation) -> Option<Told> {
        self.told.get(incarnation).copied()
    }

    /// Leaves those that gossip knows.
    pub fn retain(&mut self, in_gossip: &BTreeSet<&Incarnation>) {
        self.told
            .retain(|incarnation, _| in_gossip.contains(incarnation));
    }
}

/// Finds out what to tell, look by look.
#[derive(Debug, Default)]
pub struct SettlementTeller {
    /// Until the publisher has done so many rounds, what it took last may not be out.
    publishing_until_round: u64,
    /// There was a backlog at the last look: its last piece may be under way.
    had_backlog: bool,
    told: Option<Settlement>,
}

/// Rounds of the publisher after which everything that was taken at a time is out: one may have been under way.
const ROUNDS: u64 = 2;

impl SettlementTeller {
    /// What to tell, if that is news. `publishes` says that this server has something to publish that is nobody's, or
    /// was; `backlog`, how much waits in its backlog; `has_orphans`, that it holds anything that nobody live publishes;
    /// `rounds`, how many the publisher has done.
    pub fn look(
        &mut self,
        publishes: bool,
        backlog: usize,
        has_orphans: bool,
        rounds: u64,
    ) -> Option<Settlement> {
        let has_backlog = backlog > 0;
        if publishes | has_backlog | std::mem::replace(&mut self.had_backlog, has_backlog) {
            self.publishing_until_round = rounds + ROUNDS;
        }
        let settlement = if rounds < self.publishing_until_round {
            Settlement::Publishing
        } else if has_orphans {
            Settlement::Waiting
        } else {
            Settlement::Settled
        };
        let is_news = self.told != Some(settlement);
        self.told = Some(settlement);
        is_news.then_some(settlement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_comes_back_and_unknown_words_are_waited_for() {
        for settlement in [
            Settlement::Publishing,
            Settlement::Waiting,
            Settlement::Settled,
        ] {
            assert_eq!(Settlement::parse(settlement.text()), settlement);
        }
        assert_eq!(Settlement::parse("later\0"), Settlement::Publishing);
    }

    #[test]
    fn only_news_is_told_and_nothing_is_settled_before_it_is_out() {
        let mut teller = SettlementTeller::default();
        assert_eq!(teller.look(false, 0, false, 0), Some(Settlement::Settled));
        assert_eq!(teller.look(false, 0, false, 9), None);
        assert_eq!(teller.look(false, 0, true, 10), Some(Settlement::Waiting));
        assert_eq!(teller.look(true, 0, true, 10), Some(Settlement::Publishing));
        assert_eq!(
            teller.look(false, 0, false, 11),
            None,
            "its round is under way"
        );
        assert_eq!(teller.look(false, 0, false, 12), Some(Settlement::Settled));
    }

    #[test]
    fn nothing_is_settled_before_the_backlog_is_out() {
        let mut teller = SettlementTeller::default();
        let first = teller.look(false, 9_000, false, 0);
        assert_eq!(first, Some(Settlement::Publishing));
        assert_eq!(teller.look(false, 1, false, 100), None);
        // The last piece was taken, and its round is under way.
        assert_eq!(teller.look(false, 0, false, 200), None);
        assert_eq!(teller.look(false, 0, false, 201), None);
        let out = teller.look(false, 0, false, 202);
        assert_eq!(out, Some(Settlement::Settled));
    }

    #[test]
    fn the_latest_word_counts_in_whatever_order_it_comes() {
        let hill = Incarnation {
            server: "Hill".into(),
            generation: 1,
        };
        let told = |settlement, version| Told {
            settlement,
            version,
        };
        let mut settlements = Settlements::default();
        assert_eq!(settlements.of(&hill), None);
        settlements.note_tells(&hill);
        assert_eq!(settlements.of(&hill), Some(Told::default()));
        settlements.note(&hill, told(Settlement::Settled, 7));
        settlements.note(&hill, told(Settlement::Waiting, 5));
        settlements.note_tells(&hill);
        assert_eq!(settlements.of(&hill), Some(told(Settlement::Settled, 7)));
        settlements.retain(&BTreeSet::new());
        assert_eq!(settlements.of(&hill), None);
    }
}
