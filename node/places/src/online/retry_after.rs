//! The `Retry-After` header.

use std::time::{Duration, UNIX_EPOCH};

/// How long a `Retry-After` header asks to wait: its value is whole seconds or an HTTP date. `now_ns`
/// is the wall clock, in nanoseconds since the POSIX epoch. A date in the past is no wait; `None` if
/// the value is neither.
#[must_use]
pub fn retry_after(value: &str, now_ns: i64) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than a u64 holds is still a long time.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let date = date.duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Duration::from_nanos(u64::try_from(now_ns).unwrap_or_default());
    Some(date.saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates() {
        let now_ns = 1_445_412_480 * 1_000_000_000;
        let seconds = |value| retry_after(value, now_ns).map(|wait| wait.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("99999999999999999999999"), Some(u64::MAX));
        assert_eq!(seconds("Wed, 21 Oct 2015 07:28:30 GMT"), Some(30));
        assert_eq!(seconds("Wed, 21 Oct 2015 07:27:00 GMT"), Some(0));
        for value in ["", "-1", "1.5", "soon", "Wed, 32 Oct 2015 07:28:00 GMT"] {
            assert_eq!(seconds(value), None, "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(value: String, now_ns: i64) {
            let _ = retry_after(&value, now_ns);
        }
    }
}
