//! Which closed connections of strangers are worth a line in the log.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// Connections that were closed for one reason and from one address are logged no more often than this.
const CLOSED_LOG_INTERVAL: Duration = Duration::from_secs(30);

/// How many such reasons and addresses are logged in that time.
const CLOSED_REASONS_MAX: usize = 64;

/// Whoever can reach a port can make connections that are closed again, as fast as it likes
/// and for ever. So each reason is logged once in a while for each address.
#[derive(Debug, Default)]
pub(crate) struct ClosedLog {
    seen: BTreeMap<(String, String), Seen>,
}

#[derive(Debug)]
struct Seen {
    logged: Instant,
    repeats: u64,
}

impl ClosedLog {
    /// Whether to log that a connection from `host` was closed for `reason`: if so, how many of the
    /// same were not logged since the last time.
    pub(crate) fn note(&mut self, host: &str, reason: &str, now: Instant) -> Option<u64> {
        let is_recent = |seen: &Seen| now.duration_since(seen.logged) < CLOSED_LOG_INTERVAL;
        let key = (host.to_owned(), reason.to_owned());
        if let Some(seen) = self.seen.get_mut(&key) {
            if is_recent(seen) {
                seen.repeats += 1;
                return None;
            }
            seen.logged = now;
            return Some(std::mem::take(&mut seen.repeats));
        }
        if self.seen.len() >= CLOSED_REASONS_MAX {
            self.seen.retain(|_, seen| is_recent(seen));
        }
        if self.seen.len() >= CLOSED_REASONS_MAX {
            return None;
        }
        let (logged, repeats) = (now, 0);
        self.seen.insert(key, Seen { logged, repeats });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "127.0.0.1";

    #[test]
    fn a_reason_is_logged_again_after_a_while_with_the_number_of_repeats() {
        let mut log = ClosedLog::default();
        let now = Instant::now();
        assert_eq!(log.note(HOST, "late", now), Some(0));
        assert_eq!(log.note(HOST, "late", now), None);
        assert_eq!(log.note(HOST, "damaged", now), Some(0));
        let later = now + CLOSED_LOG_INTERVAL;
        assert_eq!(log.note(HOST, "late", later), Some(1));
        assert_eq!(log.note(HOST, "late", later), None);
    }

    #[test]
    fn many_reasons_are_forgotten_and_do_not_fill_the_log() {
        let mut log = ClosedLog::default();
        let now = Instant::now();
        let logged = |log: &mut ClosedLog, now| {
            (0..10 * CLOSED_REASONS_MAX)
                .filter(|number| log.note(HOST, &number.to_string(), now).is_some())
                .count()
        };
        assert_eq!(logged(&mut log, now), CLOSED_REASONS_MAX);
        let later = now + CLOSED_LOG_INTERVAL + Duration::from_millis(1);
        assert_eq!(log.note(HOST, "a new one", later), Some(0));
        assert_eq!(log.seen.len(), 1);
    }
}
