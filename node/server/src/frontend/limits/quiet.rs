//! How long a client may keep the server waiting.

use std::time::Duration;

use tokio::time::Instant;

use super::settings::Limits;

/// The timer that a client exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::frontend) enum Overdue {
    /// It said nothing for too long.
    Idle,
    /// It began a line and did not end it.
    HalfLine,
}

/// Since when a client says nothing, or does not end its line.
#[derive(Debug)]
pub(in crate::frontend) struct Quiet {
    idle_timeout: Option<Duration>,
    half_line_timeout: Option<Duration>,
    idle_since: Instant,
    half_line_since: Option<Instant>,
}

impl Quiet {
    pub(in crate::frontend) fn new(limits: &Limits, now: Instant) -> Self {
        Quiet {
            idle_timeout: limits.idle_timeout,
            half_line_timeout: limits.half_line_timeout,
            idle_since: now,
            half_line_since: None,
        }
    }

    /// Notes that bytes went in or out.
    pub(in crate::frontend) fn moved(&mut self) {
        if self.idle_timeout.is_some() {
            self.idle_since = Instant::now();
        }
    }

    /// Notes whether a line has begun and not ended, and whether another one ended since the last note.
    pub(in crate::frontend) fn noted_lines(&mut self, some_ended: bool, inside_line: bool) {
        if !inside_line || self.half_line_timeout.is_none() {
            self.half_line_since = None;
        } else if some_ended || self.half_line_since.is_none() {
            self.half_line_since = Some(Instant::now());
        }
    }

    /// The deadline of the client, and the timer behind it. A client is not idle while replies wait.
    pub(in crate::frontend) fn deadline(&self, replies_wait: bool) -> Option<(Instant, Overdue)> {
        let half_line = self
            .half_line_since
            .zip(self.half_line_timeout)
            .and_then(|(since, timeout)| Some((since.checked_add(timeout)?, Overdue::HalfLine)));
        let idle = self
            .idle_timeout
            .filter(|_| !replies_wait)
            .and_then(|timeout| Some((self.idle_since.checked_add(timeout)?, Overdue::Idle)));
        match (half_line, idle) {
            (Some(half_line), Some(idle)) if idle.0 < half_line.0 => Some(idle),
            (Some(half_line), _) => Some(half_line),
            (None, idle) => idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn quiet(idle_s: Option<u64>, half_line_s: Option<u64>) -> Quiet {
        let limits = Limits {
            idle_timeout: idle_s.map(Duration::from_secs),
            half_line_timeout: half_line_s.map(Duration::from_secs),
            ..Limits::default()
        };
        Quiet::new(&limits, Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn the_idle_timer_runs_while_no_reply_waits() {
        let mut quiet = quiet(Some(10), None);
        tokio::time::advance(SECOND * 9).await;
        quiet.moved();
        let due = Instant::now() + SECOND * 10;
        assert_eq!(quiet.deadline(false), Some((due, Overdue::Idle)));
        assert_eq!(quiet.deadline(true), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_timer_of_a_line_starts_at_its_first_byte() {
        let mut quiet = quiet(Some(100), Some(10));
        let start = Instant::now();
        quiet.noted_lines(false, true);
        tokio::time::advance(SECOND * 9).await;
        quiet.moved();
        quiet.noted_lines(false, true);
        let due = |from: Instant| Some((from + SECOND * 10, Overdue::HalfLine));
        assert_eq!(quiet.deadline(true), due(start));
        quiet.noted_lines(true, true);
        assert_eq!(quiet.deadline(true), due(start + SECOND * 9));
        quiet.noted_lines(true, false);
        assert_eq!(quiet.deadline(true), None);
    }

    #[test]
    fn without_limits_no_client_times_out() {
        let mut quiet = quiet(None, None);
        quiet.moved();
        quiet.noted_lines(false, true);
        assert_eq!(quiet.deadline(false), None);
    }
}
