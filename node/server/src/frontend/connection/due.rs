//! What a connection does because of the time alone.
//!
//! One timer waits for the first of them: many connections rest, and each timer takes memory.

use std::future::pending;
use std::time::Duration;

use tokio::time::Instant;

use super::{Connection, ConnectionEnd};
use crate::frontend::limits::Overdue;

/// What is due at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The client has taken none of its replies for too long.
    Unread,
    /// Commands may be executed again.
    PaceAllows,
    /// The client does not send in bulk any more.
    DepthEnds,
    /// The client was silent for too long, or did not end its line.
    Overdue(Overdue),
}

/// Times, and what is due then.
type Dues = [Option<(Instant, Due)>; 3];

impl Connection {
    /// What is due, apart from replies that are not read. `waits_to_answer` says that replies are there or are waited for.
    pub(super) fn dues(&self, reading: bool, waits_to_answer: bool) -> Dues {
        // Where there is no room for replies either, a write is waited for.
        let paused_until = self.pace.paused_until().filter(|_| self.replies.has_room());
        // Where nothing is read, nothing says that the client is silent.
        let deep_until = self.depth.ends_at();
        let deep_until = deep_until.filter(|_| self.is_in_bulk && reading);
        // One that watches waits for lines.
        let waits = waits_to_answer || self.lane.is_some();
        let deadline = self.quiet.deadline(waits).filter(|_| reading);
        [
            paused_until.map(|at| (at, Due::PaceAllows)),
            deep_until.map(|at| (at, Due::DepthEnds)),
            deadline.map(|(at, overdue)| (at, Due::Overdue(overdue))),
        ]
    }

    /// Does what is due.
    ///
    /// # Errors
    /// The connection ends.
    pub(super) fn act_on(&mut self, due: Due) -> Result<(), ConnectionEnd> {
        match due {
            Due::PaceAllows => Ok(()),
            Due::DepthEnds => {
                self.depth.end();
                Ok(())
            }
            Due::Unread if self.end_slow() => Ok(()),
            Due::Unread => Err(ConnectionEnd::Unread),
            Due::Overdue(Overdue::HalfLine) => Err(ConnectionEnd::HalfLine),
            Due::Overdue(Overdue::Idle) => Err(ConnectionEnd::Idle),
        }
    }
}

/// Resolves when the first of `dues` is due, or when the client has taken none of its replies for too long: `unread` is
/// since when, and how long that may be. Of two at the same time the one that is named first.
pub(super) async fn first_due(unread: Option<(&mut Option<Instant>, Duration)>, dues: Dues) -> Due {
    // The time counts from the first time that it is waited for.
    let unread = unread.map(|(since, unread_max)| {
        let since = *since.get_or_insert_with(Instant::now);
        (since + unread_max, Due::Unread)
    });
    let first = unread.into_iter().chain(dues.into_iter().flatten());
    match first.min_by_key(|(at, _)| *at) {
        Some((at, due)) => {
            tokio::time::sleep_until(at).await;
            due
        }
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_is_due_first_and_of_two_the_first_named() {
        let second = Duration::from_secs(1);
        let now = Instant::now();
        let at = |seconds: u32, due| Some((now + second * seconds, due));
        let idle = Due::Overdue(Overdue::Idle);
        let dues = [at(3, Due::PaceAllows), None, at(2, idle)];
        assert_eq!(first_due(None, dues).await, idle);
        let mut since = None;
        let unread = Some((&mut since, second));
        assert_eq!(first_due(unread, dues).await, idle, "it was due before");
        assert_eq!(since, Some(now + second * 2));
        let unread = Some((&mut since, second));
        let dues = [at(3, Due::PaceAllows), at(3, Due::DepthEnds), None];
        assert_eq!(first_due(unread, dues).await, Due::Unread);
        assert_eq!(first_due(None, dues).await, Due::PaceAllows);
        assert_eq!(now.elapsed(), second * 3);
    }
}
