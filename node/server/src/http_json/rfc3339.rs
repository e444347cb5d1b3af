//! Times between the seconds of herd and RFC 3339.

use jiff::Timestamp;

/// A time, in nanoseconds since the epoch, with nine decimals, of UTC.
#[must_use]
pub(super) fn utc(ns: i64) -> String {
    // Every i64 of nanoseconds is a time between the years 1677 and 2262.
    Timestamp::from_nanosecond(i128::from(ns))
        .map(|time| format!("{time:.9}"))
        .unwrap_or_default()
}

/// Whether a text looks like a time of RFC 3339, and not like seconds.
#[must_use]
pub(super) fn is_meant(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b':' | b'T' | b't'))
}

/// The seconds since the epoch of a time that says how far from UTC it is: the shortest decimal. `None` if it is no time.
#[must_use]
pub(super) fn seconds(text: &str) -> Option<String> {
    const SECOND_NS: u128 = 1_000_000_000;
    let ns = text.parse::<Timestamp>().ok()?.as_nanosecond();
    let sign = if ns < 0 { "-" } else { "" };
    let (seconds, rest) = (ns.unsigned_abs() / SECOND_NS, ns.unsigned_abs() % SECOND_NS);
    if rest == 0 {
        return Some(format!("{sign}{seconds}"));
    }
    let text = format!("{sign}{seconds}.{rest:09}");
    Some(text.trim_end_matches('0').to_owned())
}

#[cfg(test)]
mod tests {
    use herd_crdt::ReportTime;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_of_utc_with_nine_decimals() {
        assert_eq!(
            utc(1_520_023_934_918_963_997),
            "2018-03-02T20:52:14.918963997Z"
        );
        assert_eq!(utc(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(utc(-1), "1969-12-31T23:59:59.999999999Z");
        assert!(utc(i64::MIN).starts_with("1677-") && utc(i64::MAX).starts_with("2262-"));
    }

    #[test]
    fn a_time_is_its_seconds() {
        for (text, expected) in [
            ("2018-03-02T20:52:14.918963997Z", "1520023934.918963997"),
            ("2018-03-02T21:52:14.9+01:00", "1520023934.9"),
            ("2018-03-02t20:52:14z", "1520023934"),
            ("1969-12-31T23:59:59.5Z", "-0.5"),
        ] {
            assert!(is_meant(text));
            assert_eq!(seconds(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["T", "12:00", "2018-03-02T20:52:14", "2018-13-02T20:52:14Z"] {
            assert_eq!(seconds(text), None, "{text}");
        }
        assert!(!is_meant("1520023934.918963997"));
    }

    proptest! {
        #[test]
        fn a_written_time_is_read_again(ns: i64) {
            let text = seconds(&utc(ns)).unwrap();
            prop_assert_eq!(ReportTime::parse(text.as_bytes()).unwrap().ns(), ns);
        }
    }
}
