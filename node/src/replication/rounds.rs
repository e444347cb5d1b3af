//! Which rounds of gossip are under way on the links of a server, whoever began them.
//!
//! A round moves what the other side's digest lacks. Two that overlap at a server, over one link or over two,
//! were given the same digest, and so move the same groups: under load, with rounds that take as long as
//! the time between two, every group came more than twice.

use std::collections::BTreeMap;
use std::time::Duration;

use herd_crdt::ServerName;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::timing::{BUSY_FOR, LARGE_DELTA_BYTES, OTHER_ROUNDS_WAIT_MAX, THEIR_ROUND_MAX};

/// The rounds of all links of a server.
#[derive(Debug)]
pub(super) struct Rounds {
    of: watch::Sender<BTreeMap<ServerName, LinkRounds>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct LinkRounds {
    own_is_underway: bool,
    /// When the neighbour last began a round.
    theirs_began: Option<Instant>,
    theirs_is_underway: bool,
    /// When a large delta last crossed the link, either way.
    moved_much: Option<Instant>,
}

impl LinkRounds {
    /// Whether a delta may come over this link soon.
    fn is_underway(&self, now: Instant) -> bool {
        self.own_is_underway || self.theirs_is_underway(now)
    }

    /// A round of theirs whose end is lost does not count for ever.
    fn theirs_is_underway(&self, now: Instant) -> bool {
        self.theirs_is_underway
            && self
                .theirs_began
                .is_some_and(|began| now < began + THEIR_ROUND_MAX)
    }
}

impl Rounds {
    /// No rounds on these links.
    pub(super) fn new<'a>(neighbours: impl Iterator<Item = &'a ServerName>) -> Self {
        let of = neighbours.map(|name| (name.clone(), LinkRounds::default()));
        Rounds {
            of: watch::Sender::new(of.collect()),
        }
    }

    /// We begin a round, which lasts until what this returns is dropped.
    #[must_use]
    pub(super) fn own<'a>(&'a self, neighbour: &'a str) -> OwnRound<'a> {
        self.change(neighbour, |rounds| rounds.own_is_underway = true);
        OwnRound {
            rounds: self,
            neighbour,
        }
    }

    /// The neighbour begins a round with us.
    pub(super) fn theirs_began(&self, neighbour: &str) {
        self.change(neighbour, |rounds| {
            rounds.theirs_began = Some(Instant::now());
            rounds.theirs_is_underway = true;
        });
    }

    /// The last message of it has come.
    pub(super) fn theirs_ended(&self, neighbour: &str) {
        self.change(neighbour, |rounds| rounds.theirs_is_underway = false);
    }

    /// A delta in a message of this size was sent or received.
    pub(super) fn note_delta(&self, neighbour: &str, bytes: usize) {
        if bytes >= LARGE_DELTA_BYTES {
            let now = Some(Instant::now());
            self.change(neighbour, |rounds| rounds.moved_much = now);
        }
    }

    /// Whether much has crossed the link lately.
    pub(super) fn is_busy(&self, neighbour: &str) -> bool {
        let moved_much = self.with(neighbour, |rounds| rounds.moved_much);
        moved_much.is_some_and(|moved| moved.elapsed() < BUSY_FOR)
    }

    /// When the neighbour last began a round.
    pub(super) fn theirs_last_began(&self, neighbour: &str) -> Option<Instant> {
        self.with(neighbour, |rounds| rounds.theirs_began)
    }

    /// Resolves when the neighbour's round is over, after [`THEIR_ROUND_MAX`] at the latest.
    pub(super) async fn theirs_is_over(&self, neighbour: &str) {
        self.quiet(THEIR_ROUND_MAX, |of, now| {
            of.get(neighbour)
                .is_none_or(|rounds| !rounds.theirs_is_underway(now))
        })
        .await;
    }

    /// Resolves when no other link has a round under way, after [`OTHER_ROUNDS_WAIT_MAX`] at the latest.
    pub(super) async fn others_are_over(&self, neighbour: &str) {
        self.quiet(OTHER_ROUNDS_WAIT_MAX, |of, now| {
            of.iter()
                .all(|(name, rounds)| **name == *neighbour || !rounds.is_underway(now))
        })
        .await;
    }

    async fn quiet(
        &self,
        wait_max: Duration,
        is_quiet: impl Fn(&BTreeMap<ServerName, LinkRounds>, Instant) -> bool,
    ) {
        let mut of = self.of.subscribe();
        let quiet = of.wait_for(|of| is_quiet(of, Instant::now()));
        let _ = timeout(wait_max, quiet).await;
    }

    fn with<T: Default>(&self, neighbour: &str, look: impl FnOnce(&LinkRounds) -> T) -> T {
        self.of
            .borrow()
            .get(neighbour)
            .map(look)
            .unwrap_or_default()
    }

    fn change(&self, neighbour: &str, change: impl FnOnce(&mut LinkRounds)) {
        self.of.send_modify(|of| {
            if let Some(rounds) = of.get_mut(neighbour) {
                change(rounds);
            }
        });
    }
}

/// A round that we began, until it is over or given up.
#[derive(Debug)]
pub(super) struct OwnRound<'a> {
    rounds: &'a Rounds,
    neighbour: &'a str,
}

impl Drop for OwnRound<'_> {
    fn drop(&mut self) {
        let over = |rounds: &mut LinkRounds| rounds.own_is_underway = false;
        self.rounds.change(self.neighbour, over);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds() -> Rounds {
        let neighbours: Vec<ServerName> = vec!["Hill".into(), "Smith".into()];
        Rounds::new(neighbours.iter())
    }

    async fn waited(wait: impl Future<Output = ()>) -> Duration {
        let started = Instant::now();
        wait.await;
        started.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_round_of_theirs_is_waited_for_but_not_for_ever() {
        let rounds = rounds();
        assert_eq!(waited(rounds.theirs_is_over("Hill")).await, Duration::ZERO);
        rounds.theirs_began("Hill");
        assert_eq!(waited(rounds.theirs_is_over("Smith")).await, Duration::ZERO);
        assert!(waited(rounds.theirs_is_over("Hill")).await >= THEIR_ROUND_MAX);
        assert_eq!(
            waited(rounds.theirs_is_over("Hill")).await,
            Duration::ZERO,
            "its end is lost"
        );
        rounds.theirs_began("Hill");
        let ends = async {
            tokio::time::sleep(Duration::from_millis(2)).await;
            rounds.theirs_ended("Hill");
        };
        let (waited, ()) = tokio::join!(waited(rounds.theirs_is_over("Hill")), ends);
        assert!(waited < THEIR_ROUND_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn rounds_on_other_links_are_waited_for_whoever_began_them() {
        let rounds = rounds();
        let own = rounds.own("Hill");
        assert_eq!(waited(rounds.others_are_over("Hill")).await, Duration::ZERO);
        assert_eq!(
            waited(rounds.others_are_over("Smith")).await,
            OTHER_ROUNDS_WAIT_MAX
        );
        drop(own);
        assert_eq!(
            waited(rounds.others_are_over("Smith")).await,
            Duration::ZERO
        );
        rounds.theirs_began("Hill");
        assert!(waited(rounds.others_are_over("Smith")).await > Duration::ZERO);
        rounds.theirs_ended("Hill");
        assert_eq!(
            waited(rounds.others_are_over("Smith")).await,
            Duration::ZERO
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_is_busy_for_a_while_after_a_large_delta() {
        let rounds = rounds();
        rounds.note_delta("Hill", LARGE_DELTA_BYTES - 1);
        assert!(!rounds.is_busy("Hill"));
        rounds.note_delta("Hill", LARGE_DELTA_BYTES);
        assert!(rounds.is_busy("Hill") && !rounds.is_busy("Smith"));
        tokio::time::sleep(BUSY_FOR).await;
        assert!(!rounds.is_busy("Hill"));
    }
}
