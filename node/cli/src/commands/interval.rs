//! `--interval`: how often a command does what it does again and again.

use std::time::Duration;

use herd_server::settings::{Durations, Kind as _};

const INTERVAL_MIN: Duration = Duration::from_millis(50);
const INTERVAL_MAX: Duration = Duration::from_secs(3_600);

/// Reads it, from 50ms to 1h.
///
/// # Errors
/// Says which durations there are.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    let (min, max) = (INTERVAL_MIN, INTERVAL_MAX);
    Durations { min, max }.parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_neither_nothing_nor_for_ever() {
        assert_eq!(interval("50ms"), Ok(Duration::from_millis(50)));
        for wrong in ["0s", "49ms", "61m", "", "1"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
