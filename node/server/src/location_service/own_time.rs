//! Reports without a time of their own: they get that of this server's clock.

use std::sync::atomic::{AtomicI64, Ordering};

use herd_crdt::{BorrowedRecord, InvalidRecord, NANOSECONDS_PER_SECOND, Operands, Outcome, Record};

use super::intake::{Batch, Refusal};
use crate::access::Principal;

/// A batch takes so many times at once, one nanosecond each. A batch takes longer than that to be executed.
const TIMES_AT_ONCE: i64 = 128;

/// Times are never further ahead of the clock than this: a clock that was set back by more is followed.
const AHEAD_NS_MAX: i64 = NANOSECONDS_PER_SECOND;

/// The times of this server, of which each is given once: of two reports, one after the other, the second is later.
#[derive(Debug)]
pub(super) struct OwnClock {
    /// All times below were given.
    next_ns: AtomicI64,
}

impl Default for OwnClock {
    fn default() -> Self {
        OwnClock {
            next_ns: AtomicI64::new(i64::MIN),
        }
    }
}

impl OwnClock {
    /// The first of the next [`TIMES_AT_ONCE`], by a clock that shows `now_ns`.
    fn take(&self, now_ns: i64) -> i64 {
        let first = |next_ns: i64| {
            if next_ns > now_ns.saturating_add(AHEAD_NS_MAX) {
                now_ns
            } else {
                next_ns.max(now_ns)
            }
        };
        let after = |next_ns| Some(first(next_ns).saturating_add(TIMES_AT_ONCE));
        let before = self
            .next_ns
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
        // It always updates.
        before.map_or_else(first, first)
    }

    /// Whether a report with this time may be one of this clock, or older.
    fn has_given(&self, time_ns: i64) -> bool {
        time_ns < self.next_ns.load(Ordering::Relaxed)
    }
}

/// The times that a batch has taken, and not given yet.
#[derive(Debug, Default)]
pub(super) struct OwnTimes {
    next_ns: i64,
    left: i64,
    text: Vec<u8>,
}

/// Which reports are taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReportIf {
    /// All.
    #[default]
    Always,
    /// Those of clients that are not known here.
    Unknown,
    /// Those of clients that are known here.
    Known,
}

/// What a report at this server's clock has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// Nothing: it was not meant for the client.
    NotMeant,
    /// Nothing: a record or a tombstone is known whose time is ahead of this server's clock.
    Superseded,
    /// The client was not known here.
    Added,
    /// The client is elsewhere now.
    Moved,
    /// The client is where it was.
    Confirmed,
}

impl Batch<'_> {
    /// The next time of this server's clock, which no other report of this server has. A report of it was received at it.
    pub fn next_time_ns(&mut self) -> i64 {
        let times = &mut self.own_times;
        if times.left == 0 {
            times.next_ns = self.service.own_clock.take(self.received_ns);
            times.left = TIMES_AT_ONCE;
        }
        times.left -= 1;
        let time_ns = times.next_ns;
        times.next_ns = time_ns.saturating_add(1);
        time_ns
    }

    /// Takes in a report of a client that is at `location` now, by this server's clock, if `condition` says so. The look
    /// at what is known and the report are one step at this server; at several, they are not. It is known to every later
    /// question when this returns.
    ///
    /// # Errors
    /// See [`PlacingRefusal`].
    pub fn report_now(
        &mut self,
        principal: &Principal,
        client: &[u8],
        location: &[u8],
        condition: ReportIf,
    ) -> Result<Placed, PlacingRefusal> {
        let service = self.service;
        // While the store is read, one that is not found may be known all the same.
        if condition != ReportIf::Always && service.locations.loading().is_running() {
            return Err(PlacingRefusal::Loading);
        }
        let time_ns = self.next_time_ns();
        write_time(time_ns, &mut self.own_times.text);
        let operands = Operands::check(client, location, &self.own_times.text)?;
        if !principal.may_report(client) {
            return Err(Refusal::Forbidden.into());
        }
        service.check(&operands, time_ns)?;
        let record = BorrowedRecord::of(operands, &service.settings.server, time_ns);
        let mut placed = Placed::NotMeant;
        let mut known_ns = None;
        let is_meant = |known: Option<&Record>| {
            known_ns = known.map(|known| known.time().ns());
            placed = match known {
                None => Placed::Added,
                Some(known) if known.location_text() == location => Placed::Confirmed,
                Some(_) => Placed::Moved,
            };
            match condition {
                ReportIf::Always => true,
                ReportIf::Unknown => known.is_none(),
                ReportIf::Known => known.is_some(),
            }
        };
        let outcome = self.reports.report_if(record, is_meant);
        if outcome == Some(Outcome::Expired) && service.is_kept_out(time_ns, self.received_ns) {
            return Err(Refusal::KeptOut.into());
        }
        Ok(match outcome {
            None => Placed::NotMeant,
            Some(outcome) if outcome.changed() => placed,
            // Another connection reports the client at the same moment, with a time that was given later: as if it had been
            // reported behind this.
            Some(_) if known_ns.is_some_and(|ns| service.own_clock.has_given(ns)) => placed,
            Some(_) => Placed::Superseded,
        })
    }
}

/// Why a report at this server's clock was not taken in. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlacingRefusal {
    /// The client ID or the location is none.
    #[error(transparent)]
    Invalid(#[from] InvalidRecord),
    /// A rule of this server.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It depends on what is known, and the store is still read.
    #[error("the server still reads its store")]
    Loading,
}

/// The seconds with 9 decimals, as [`herd_crdt::ReportTime::to_text`] writes them.
fn write_time(ns: i64, text: &mut Vec<u8>) {
    const DECIMALS: usize = 9;
    let mut digits = [b'0'; 20];
    let mut rest = ns.unsigned_abs();
    let mut from = digits.len();
    while rest > 0 || from > digits.len() - DECIMALS - 1 {
        from -= 1;
        digits[from] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let (seconds, decimals) = digits.split_at(digits.len() - DECIMALS);
    text.clear();
    if ns < 0 {
        text.push(b'-');
    }
    text.extend_from_slice(&seconds[from..]);
    text.push(b'.');
    text.extend_from_slice(decimals);
}

#[cfg(test)]
mod tests {
    use herd_crdt::ReportTime;

    use super::*;

    #[test]
    fn times_are_written_as_times() {
        for ns in [
            0,
            1,
            -1,
            999_999_999,
            1_000_000_000,
            1_520_023_934_918_963_997,
            i64::MAX,
            i64::MIN,
        ] {
            let mut text = b"before".to_vec();
            write_time(ns, &mut text);
            assert_eq!(
                String::from_utf8(text).unwrap(),
                ReportTime::of_ns(ns).to_text()
            );
        }
    }

    #[test]
    fn each_time_is_given_once_and_stays_near_the_clock() {
        let clock = OwnClock::default();
        assert_eq!(clock.take(5), 5);
        assert_eq!(clock.take(5), 5 + TIMES_AT_ONCE);
        assert_eq!(clock.take(4), 5 + 2 * TIMES_AT_ONCE, "set back a little");
        assert_eq!(clock.take(10_000), 10_000);
        let earlier = 10_000 + TIMES_AT_ONCE - AHEAD_NS_MAX;
        assert_eq!(clock.take(earlier), 10_000 + TIMES_AT_ONCE);
        assert_eq!(clock.take(earlier), earlier, "set back by much");
    }
}
