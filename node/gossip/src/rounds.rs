//! Which rounds of gossip are under way on the links of a server, whoever began them.
//!
//! A round moves what the other side's digest lacks. Two that overlap at a server, over one link or over two,
//! were given the same digest, and so move the same groups: under load, with rounds that take as long as
//! the time between two, every group came more than twice.

use std::collections::BTreeMap;

use herd_crdt::ServerName;
use tokio::time::{Instant, sleep_until};

use super::fifo_watch::FifoWatch;
use super::timing::{BUSY_FOR, LARGE_DELTA_BYTES, OTHER_ROUNDS_WAIT_MAX, ROUND_WAITED_FOR_MAX};

/// The rounds of all links of a server.
#[derive(Debug)]
pub struct Rounds {
    of: FifoWatch<RoundsOf>,
}

/// By neighbour.
type RoundsOf = BTreeMap<ServerName, LinkRounds>;

#[derive(Clone, Copy, Debug, Default)]
struct LinkRounds {
    /// When the round of ours that is under way began.
    own: Option<Instant>,
    /// The same for one of theirs.
    theirs: Option<Instant>,
    /// When the neighbour last began a round.
    theirs_last_began: Option<Instant>,
    /// When a large delta last crossed the link, either way.
    moved_much: Option<Instant>,
}

impl LinkRounds {
    fn busy_until(&self, now: Instant) -> Option<Instant> {
        let until = self.moved_much? + BUSY_FOR;
        (now < until).then_some(until)
    }
}

/// Until when a round that began then is waited for; `None` if it is not, any more.
fn waited_for_until(began: Option<Instant>, now: Instant) -> Option<Instant> {
    let until = began? + ROUND_WAITED_FOR_MAX;
    (now < until).then_some(until)
}

impl Rounds {
    /// No rounds on these links.
    pub(crate) fn new<'a>(neighbours: impl Iterator<Item = &'a ServerName>) -> Self {
        let of = neighbours.map(|name| (name.clone(), LinkRounds::default()));
        Rounds {
            of: FifoWatch::new(of.collect()),
        }
    }

    /// Begins a round of ours as soon as none of the neighbour's is under way, and on a busy link also no other of
    /// this server; for those it waits [`OTHER_ROUNDS_WAIT_MAX`] at most, and for none longer than
    /// [`ROUND_WAITED_FOR_MAX`] since it began. The round lasts until what this returns is dropped.
    pub async fn begin_own<'a>(&'a self, neighbour: &'a str) -> OwnRound<'a> {
        let mut changes = self.of.subscribe();
        let others_until = Instant::now() + OTHER_ROUNDS_WAIT_MAX;
        loop {
            let now = Instant::now();
            let mut blocked_until = None;
            self.of.send_if_modified(|of| {
                blocked_until = blocks(of, neighbour, now, others_until);
                let may_begin = blocked_until.is_none();
                if may_begin && let Some(rounds) = of.get_mut(neighbour) {
                    rounds.own = Some(now);
                }
                may_begin
            });
            let Some(until) = blocked_until else {
                break;
            };
            tokio::select! {
                biased;
                () = changes.changed() => {}
                () = sleep_until(until) => {}
            }
        }
        OwnRound {
            rounds: self,
            neighbour,
        }
    }

    /// The link to this neighbour is made anew: what the one before knew of the neighbour's rounds ended with it.
    pub(crate) fn link_made(&self, neighbour: &str) {
        self.change(neighbour, |rounds| {
            rounds.theirs = None;
            rounds.theirs_last_began = None;
            rounds.moved_much = None;
        });
    }

    /// The neighbour begins a round with us.
    pub(crate) fn theirs_began(&self, neighbour: &str) {
        let now = Some(Instant::now());
        self.change(neighbour, |rounds| {
            rounds.theirs = now;
            rounds.theirs_last_began = now;
        });
    }

    /// The last message of it was processed.
    pub(crate) fn theirs_ended(&self, neighbour: &str) {
        self.change(neighbour, |rounds| rounds.theirs = None);
    }

    /// A delta of this size was sent or received.
    pub(crate) fn note_delta(&self, neighbour: &str, bytes: usize) {
        if bytes >= LARGE_DELTA_BYTES {
            let now = Some(Instant::now());
            self.change(neighbour, |rounds| rounds.moved_much = now);
        }
    }

    /// Until when the link is busy, if it is: much has crossed it lately.
    pub fn busy_until(&self, neighbour: &str) -> Option<Instant> {
        let of = self.of.borrow();
        of.get(neighbour)?.busy_until(Instant::now())
    }

    /// When the neighbour last began a round.
    pub fn theirs_last_began(&self, neighbour: &str) -> Option<Instant> {
        self.of.borrow().get(neighbour)?.theirs_last_began
    }

    fn change(&self, neighbour: &str, change: impl FnOnce(&mut LinkRounds)) {
        self.of.send_modify(|of| {
            if let Some(rounds) = of.get_mut(neighbour) {
                change(rounds);
            }
        });
    }
}

/// When to look again whether a round of ours may begin; `None` if it may.
fn blocks(of: &RoundsOf, neighbour: &str, now: Instant, others_until: Instant) -> Option<Instant> {
    let link = of.get(neighbour)?;
    let theirs = waited_for_until(link.theirs, now);
    if theirs.is_some() || now >= others_until || link.busy_until(now).is_none() {
        return theirs;
    }
    let others = of.iter().filter(|(name, _)| ***name != *neighbour);
    let rounds = others.flat_map(|(_, rounds)| [rounds.own, rounds.theirs]);
    let first = rounds
        .filter_map(|began| waited_for_until(began, now))
        .min();
    first.map(|until| until.min(others_until))
}

/// A round that we began, until it is over or given up.
#[derive(Debug)]
pub struct OwnRound<'a> {
    rounds: &'a Rounds,
    neighbour: &'a str,
}

impl Drop for OwnRound<'_> {
    fn drop(&mut self) {
        self.rounds
            .change(self.neighbour, |rounds| rounds.own = None);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;

    fn rounds() -> Rounds {
        let neighbours: [ServerName; 3] = ["Hill".into(), "Jaquez".into(), "Smith".into()];
        Rounds::new(neighbours.iter())
    }

    fn make_busy(rounds: &Rounds) {
        for neighbour in ["Hill", "Jaquez", "Smith"] {
            rounds.note_delta(neighbour, LARGE_DELTA_BYTES);
        }
    }

    async fn waited<T>(wait: impl Future<Output = T>) -> Duration {
        let started = Instant::now();
        wait.await;
        started.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_round_of_theirs_is_waited_for_but_not_for_ever() {
        let rounds = rounds();
        assert_eq!(waited(rounds.begin_own("Hill")).await, Duration::ZERO);
        rounds.theirs_began("Hill");
        assert_eq!(
            waited(rounds.begin_own("Smith")).await,
            Duration::ZERO,
            "idle"
        );
        sleep(ROUND_WAITED_FOR_MAX / 2).await;
        let left = waited(rounds.begin_own("Hill")).await;
        assert!(
            left <= ROUND_WAITED_FOR_MAX / 2 + Duration::from_millis(1),
            "since it began"
        );
        rounds.theirs_began("Hill");
        let ends = async {
            sleep(Duration::from_millis(2)).await;
            rounds.theirs_ended("Hill");
        };
        let (waited, ()) = tokio::join!(waited(rounds.begin_own("Hill")), ends);
        assert_eq!(waited, Duration::from_millis(2));
    }

    #[tokio::test(start_paused = true)]
    async fn rounds_on_busy_links_make_way_for_each_other() {
        let rounds = rounds();
        make_busy(&rounds);
        let own = rounds.begin_own("Hill").await;
        assert_eq!(waited(rounds.begin_own("Hill")).await, Duration::ZERO);
        drop(own);
        rounds.theirs_began("Hill");
        assert_eq!(
            waited(rounds.begin_own("Smith")).await,
            OTHER_ROUNDS_WAIT_MAX
        );
        rounds.theirs_ended("Hill");
        assert_eq!(waited(rounds.begin_own("Smith")).await, Duration::ZERO);
    }

    /// A neighbour that has stopped does not hold up the others for long.
    #[tokio::test(start_paused = true)]
    async fn a_round_that_does_not_end_is_not_waited_for_after_a_while() {
        let rounds = rounds();
        let _stuck = rounds.begin_own("Hill").await;
        sleep(ROUND_WAITED_FOR_MAX).await;
        make_busy(&rounds);
        assert_eq!(waited(rounds.begin_own("Smith")).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_that_wait_for_the_same_end_one_begins() {
        let rounds = rounds();
        make_busy(&rounds);
        let first = rounds.begin_own("Hill").await;
        let ends = async {
            sleep(Duration::from_millis(2)).await;
            drop(first);
        };
        let took = Duration::from_millis(3);
        let round = async |neighbour| {
            let own = rounds.begin_own(neighbour).await;
            let began = Instant::now();
            sleep(took).await;
            drop(own);
            began
        };
        let (jaquez, smith, ()) = tokio::join!(round("Jaquez"), round("Smith"), ends);
        assert_eq!(jaquez.max(smith) - jaquez.min(smith), took);
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_that_is_made_anew_waits_for_nothing_of_the_one_before() {
        let rounds = rounds();
        make_busy(&rounds);
        rounds.theirs_began("Hill");
        rounds.link_made("Hill");
        assert_eq!(waited(rounds.begin_own("Hill")).await, Duration::ZERO);
        assert_eq!(rounds.theirs_last_began("Hill"), None);
        assert_eq!(rounds.busy_until("Hill"), None);
        assert_ne!(rounds.busy_until("Smith"), None, "another link");
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_is_busy_for_a_while_after_a_large_delta() {
        let rounds = rounds();
        rounds.note_delta("Hill", LARGE_DELTA_BYTES - 1);
        assert_eq!(rounds.busy_until("Hill"), None);
        rounds.note_delta("Hill", LARGE_DELTA_BYTES);
        assert_eq!(rounds.busy_until("Hill"), Some(Instant::now() + BUSY_FOR));
        assert_eq!(rounds.busy_until("Smith"), None);
        sleep(BUSY_FOR).await;
        assert_eq!(rounds.busy_until("Hill"), None);
    }
}
