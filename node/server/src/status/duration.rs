//! Times as `herd status` and `herd top` write them: all in one way.

use std::time::Duration;

/// A time in at most two units, such as `3d 4h`, `5s` or `350ms`.
#[must_use]
pub fn short_duration(time: Duration) -> String {
    let ms = time.as_millis();
    if ms < 1_000 {
        return if ms == 0 {
            "0s".to_owned()
        } else {
            format!("{ms}ms")
        };
    }
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let parts = units.iter().scan(time.as_secs(), |left, (size, unit)| {
        let count = *left / size;
        *left %= size;
        Some((count, unit))
    });
    let parts: Vec<String> = parts
        .skip_while(|(count, _)| *count == 0)
        .take(2)
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    parts.join(" ")
}

/// The same of seconds.
pub(super) fn short_seconds(seconds: u64) -> String {
    short_duration(Duration::from_secs(seconds))
}

/// A difference of clocks in milliseconds, with its sign.
pub(super) fn short_offset(ms: i64) -> String {
    let sign = if ms < 0 { '-' } else { '+' };
    format!(
        "{sign}{}",
        short_duration(Duration::from_millis(ms.unsigned_abs()))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let shown = [0, 59, 60, 3_661, 86_400 + 59, 2 * 86_400 + 3_600].map(short_seconds);
        assert_eq!(shown, ["0s", "59s", "1m", "1h 1m", "1d", "2d 1h"]);
        assert_eq!(short_duration(Duration::from_micros(350_900)), "350ms");
        assert_eq!(
            [-1_500, 0, 90_000].map(short_offset),
            ["-1s", "+0s", "+1m 30s"]
        );
    }
}
