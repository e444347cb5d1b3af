//! Whether clients should be sent to this server: what `/readyz` says.
//!
//! A server becomes ready when it knows what its neighbours know, or has waited long enough for
//! those that it cannot reach. From then on it stays so as long as one link stands: neither the death of
//! some neighbours nor a partition that leaves each server another one leaves clients without a server. One
//! that has had no link at all for a minute hears from nobody and is heard by nobody, so clients are better
//! off elsewhere. It still answers those that come.

use std::fmt;
use std::time::Duration;

/// A server waits for this long, from its start, for neighbours that it has no link to.
pub const ALONE_AFTER: Duration = Duration::from_secs(10);

/// A server none of whose links has stood for this long is cut off.
pub const CUT_OFF_AFTER: Duration = Duration::from_secs(60);

/// A server that came no nearer to its neighbours in this time has caught up as far as it can.
pub const CATCH_UP_STALLED_AFTER: Duration = Duration::from_secs(10);

/// A server waits for this long, from its start or from when its store was read, for neighbours that hold what nobody live
/// publishes: until somebody does. Where all restarted and a server stayed away, that takes up to 10 s until it counts as gone and 2 s for each of
/// the other servers that would come first.
pub const UNSETTLED_MAX: Duration = Duration::from_secs(60);

/// The facts that readiness follows from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// How long the server has been serving: its ports are bound.
    pub up_for: Duration,
    /// It was told to stop.
    pub draining: bool,
    /// What is wrong with its own clock, if anything is.
    pub clock_fault: Option<&'static str>,
    /// What is wrong with its floor of expiry, if anything is.
    pub floor_fault: Option<String>,
    /// What is wrong with its own store, or that it is not read yet.
    pub store_fault: Option<String>,
    /// How far it is behind its neighbours.
    pub catch_up: CatchUp,
    /// How long no link has stood, zero for a server that has no neighbours.
    pub linkless_for: Duration,
}

/// How far a server is behind its neighbours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatchUp {
    /// The neighbours that it has no link to, or that have not said yet what they know.
    pub absent: Vec<String>,
    /// The neighbours that knew something when the link was made that this server does not know.
    pub ahead: Vec<String>,
    /// The neighbours that hold what nobody live publishes: this server may lack it, and no version says so.
    pub unsettled: Vec<String>,
    /// The versions that are missing, of all publishers and from all of them.
    pub missing: u64,
}

/// Why a server is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// It was told to stop.
    Draining,
    /// Its own clock cannot be right.
    Clock(&'static str),
    /// Its floor of expiry keeps out what is reported now.
    Floor(String),
    /// Its own store is not there, or not yet.
    Store(String),
    /// It is catching up with these neighbours.
    CatchingUp(Vec<String>),
    /// It waits for a link to these neighbours.
    Alone(Vec<String>),
    /// It has had no link to any neighbour for this long.
    CutOff(Duration),
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotReady::Draining => f.write_str("told to stop"),
            NotReady::Clock(fault) => f.write_str(fault),
            NotReady::Floor(fault) | NotReady::Store(fault) => f.write_str(fault),
            NotReady::CatchingUp(names) => write!(f, "catching up with {}", names.join(", ")),
            NotReady::Alone(names) => write!(f, "waiting for {}", names.join(", ")),
            NotReady::CutOff(time) => {
                write!(
                    f,
                    "cut off: no link to any neighbour for {} s",
                    time.as_secs()
                )
            }
        }
    }
}

/// What is remembered between two looks.
#[derive(Debug, Default)]
pub struct Readiness {
    /// It was ready once: neighbours count no more.
    caught_up: bool,
    /// The least that was missing, and when.
    nearest: Option<(u64, Duration)>,
    /// The last look that found its store not there or not read yet.
    storeless_at: Duration,
}

impl Readiness {
    /// Whether the server is ready.
    ///
    /// # Errors
    /// Why it is not.
    pub fn look(&mut self, facts: Facts) -> Result<(), NotReady> {
        if facts.store_fault.is_some() {
            self.storeless_at = facts.up_for;
        }
        if facts.draining {
            return Err(NotReady::Draining);
        }
        if let Some(fault) = facts.clock_fault {
            return Err(NotReady::Clock(fault));
        }
        if let Some(fault) = facts.floor_fault {
            return Err(NotReady::Floor(fault));
        }
        if let Some(fault) = facts.store_fault {
            return Err(NotReady::Store(fault));
        }
        if !self.caught_up {
            self.catch_up(facts.catch_up, facts.up_for)?;
            self.caught_up = true;
        }
        if facts.linkless_for >= CUT_OFF_AFTER {
            return Err(NotReady::CutOff(facts.linkless_for));
        }
        Ok(())
    }

    fn catch_up(&mut self, catch_up: CatchUp, now: Duration) -> Result<(), NotReady> {
        let waited = now.saturating_sub(self.storeless_at);
        if !catch_up.unsettled.is_empty() && waited < UNSETTLED_MAX {
            // From here on more may be missing than before.
            self.nearest = None;
            let mut names = catch_up.ahead;
            names.extend(catch_up.unsettled);
            return Err(NotReady::CatchingUp(names));
        }
        if !catch_up.ahead.is_empty() && !self.is_stalled(catch_up.missing, now) {
            return Err(NotReady::CatchingUp(catch_up.ahead));
        }
        if !catch_up.absent.is_empty() && now < ALONE_AFTER {
            return Err(NotReady::Alone(catch_up.absent));
        }
        Ok(())
    }

    fn is_stalled(&mut self, missing: u64, now: Duration) -> bool {
        match self.nearest {
            Some((least, since)) if missing >= least => {
                now.saturating_sub(since) >= CATCH_UP_STALLED_AFTER
            }
            _ => {
                self.nearest = Some((missing, now));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn facts(up_for: Duration, absent: &[&str], ahead: &[&str], missing: u64) -> Facts {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Facts {
            up_for,
            catch_up: CatchUp {
                absent: names(absent),
                ahead: names(ahead),
                unsettled: Vec::new(),
                missing,
            },
            ..Facts::default()
        }
    }

    fn alone(names: &[&str]) -> Result<(), NotReady> {
        Err(NotReady::Alone(
            names.iter().map(|&n| n.to_owned()).collect(),
        ))
    }

    fn catching_up(names: &[&str]) -> Result<(), NotReady> {
        Err(NotReady::CatchingUp(
            names.iter().map(|&n| n.to_owned()).collect(),
        ))
    }

    #[test]
    fn a_server_without_neighbours_is_ready_at_once() {
        assert_eq!(Readiness::default().look(Facts::default()), Ok(()));
    }

    #[test]
    fn it_waits_for_its_neighbours_and_not_for_ever() {
        let mut readiness = Readiness::default();
        let nobody = |up_for| facts(up_for, &["A", "B"], &[], 0);
        assert_eq!(readiness.look(nobody(SECOND)), alone(&["A", "B"]));
        let one = facts(2 * SECOND, &["B"], &[], 0);
        assert_eq!(readiness.look(one), alone(&["B"]));
        let almost = ALONE_AFTER - SECOND;
        assert_eq!(readiness.look(nobody(almost)), alone(&["A", "B"]));
        assert_eq!(readiness.look(nobody(ALONE_AFTER)), Ok(()));
    }

    #[test]
    fn it_catches_up_first_however_long_that_takes() {
        let mut readiness = Readiness::default();
        for (second, missing) in (0..60).zip((1..=60).rev()) {
            let behind = facts(second * SECOND, &["B"], &["A"], missing);
            assert_eq!(readiness.look(behind), catching_up(&["A"]));
        }
        assert_eq!(
            readiness.look(facts(60 * SECOND, &["B"], &[], 0)),
            Ok(()),
            "B has had its time"
        );
    }

    #[test]
    fn catching_up_that_comes_no_further_ends_too() {
        let mut readiness = Readiness::default();
        let behind = |up_for, missing| facts(up_for, &[], &["A"], missing);
        assert_eq!(readiness.look(behind(SECOND, 9)), catching_up(&["A"]));
        assert_eq!(readiness.look(behind(2 * SECOND, 5)), catching_up(&["A"]));
        let almost = SECOND + CATCH_UP_STALLED_AFTER;
        assert_eq!(readiness.look(behind(almost, 5)), catching_up(&["A"]));
        assert_eq!(readiness.look(behind(almost + SECOND, 7)), Ok(()));
    }

    #[test]
    fn what_nobody_live_publishes_is_waited_for_and_not_for_ever() {
        let mut readiness = Readiness::default();
        let unsettled = |up_for, is_unsettled: bool, missing| {
            let ahead: &[&str] = if missing > 0 { &["A"] } else { &[] };
            let mut facts = facts(up_for, &[], ahead, missing);
            facts.catch_up.unsettled = is_unsettled.then(|| "B".to_owned()).into_iter().collect();
            facts
        };
        assert_eq!(
            readiness.look(unsettled(SECOND, true, 9)),
            catching_up(&["A", "B"])
        );
        // That takes longer than catching up may stand still.
        let later = SECOND + 2 * CATCH_UP_STALLED_AFTER;
        assert_eq!(
            readiness.look(unsettled(later, true, 0)),
            catching_up(&["B"])
        );
        // Now that somebody publishes it, it is missing.
        assert_eq!(
            readiness.look(unsettled(later, false, 99)),
            catching_up(&["A"])
        );
        assert_eq!(readiness.look(unsettled(later, false, 0)), Ok(()));
        let mut readiness = Readiness::default();
        let almost = UNSETTLED_MAX - SECOND;
        assert_eq!(
            readiness.look(unsettled(almost, true, 0)),
            catching_up(&["B"])
        );
        assert_eq!(readiness.look(unsettled(UNSETTLED_MAX, true, 0)), Ok(()));
        // What it takes to read the store is not a part of it.
        let mut readiness = Readiness::default();
        let read = 2 * UNSETTLED_MAX;
        let mut loading = unsettled(read, true, 0);
        loading.store_fault = Some("being read".to_owned());
        assert!(readiness.look(loading).is_err());
        assert_eq!(
            readiness.look(unsettled(read + almost, true, 0)),
            catching_up(&["B"])
        );
        let over = read + UNSETTLED_MAX;
        assert_eq!(readiness.look(unsettled(over, true, 0)), Ok(()));
    }

    #[test]
    fn a_server_that_is_cut_off_is_not_ready_until_a_link_stands() {
        let mut readiness = Readiness::default();
        assert_eq!(readiness.look(facts(SECOND, &[], &[], 0)), Ok(()));
        let linkless = |linkless_for| Facts {
            linkless_for,
            ..facts(CUT_OFF_AFTER + SECOND, &["A", "B"], &[], 0)
        };
        assert_eq!(readiness.look(linkless(CUT_OFF_AFTER - SECOND)), Ok(()));
        let cut_off = readiness.look(linkless(CUT_OFF_AFTER)).unwrap_err();
        assert_eq!(
            cut_off.to_string(),
            "cut off: no link to any neighbour for 60 s"
        );
        assert_eq!(readiness.look(linkless(Duration::ZERO)), Ok(()));
    }

    #[test]
    fn once_ready_only_drain_and_its_own_faults_count() {
        let mut readiness = Readiness::default();
        assert_eq!(readiness.look(facts(SECOND, &[], &[], 0)), Ok(()));
        let cut_off = facts(2 * SECOND, &["A"], &["B"], 9);
        assert_eq!(readiness.look(cut_off.clone()), Ok(()));
        let clock_fault = Some("1970");
        let wrong_clock = Facts {
            clock_fault,
            ..cut_off.clone()
        };
        assert_eq!(readiness.look(wrong_clock), Err(NotReady::Clock("1970")));
        assert_eq!(readiness.look(cut_off.clone()), Ok(()));
        let keeps_out = Facts {
            floor_fault: Some("ahead".to_owned()),
            ..cut_off.clone()
        };
        assert_eq!(
            readiness.look(keeps_out),
            Err(NotReady::Floor("ahead".to_owned()))
        );
        let failed = Facts {
            store_fault: Some("failed".to_owned()),
            ..cut_off.clone()
        };
        assert_eq!(
            readiness.look(failed),
            Err(NotReady::Store("failed".to_owned()))
        );
        let draining = Facts {
            draining: true,
            ..cut_off
        };
        assert_eq!(readiness.look(draining), Err(NotReady::Draining));
    }
}
