//! The time of a report: POSIX seconds and nanoseconds, as the client wrote them.

use crate::decimal::{Decimal, whole_number};

/// The longest time text, in bytes.
pub const REPORT_TIME_BYTES_MAX: usize = 40;

/// Nanoseconds in one second.
pub const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;

const FRACTION_DIGITS_MAX: usize = 9;

/// Why a text is not a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTime {
    /// More than [`REPORT_TIME_BYTES_MAX`] bytes.
    #[error("time is longer than {REPORT_TIME_BYTES_MAX} bytes")]
    TooLong,
    /// Not an optional sign, digits, and an optional fraction of 1 to 9 digits.
    #[error("time is not a plain decimal number with at most 9 decimals")]
    Malformed,
    /// Outside the years 1677 to 2262, the range of an `i64` of nanoseconds.
    #[error("time does not fit in 64 bits of nanoseconds")]
    OutOfRange,
}

/// A checked time: nanoseconds since the POSIX epoch, leap seconds ignored. Two reports 1 ns apart
/// are two reports, which a double could not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReportTime {
    ns: i64,
}

impl ReportTime {
    /// Checks `text`, byte by byte.
    ///
    /// # Errors
    /// Says which rule the text breaks; see [`InvalidTime`].
    pub fn parse(text: &[u8]) -> Result<Self, InvalidTime> {
        if text.len() > REPORT_TIME_BYTES_MAX {
            return Err(InvalidTime::TooLong);
        }
        let (negative, digits) = match text.split_first() {
            Some((b'-', rest)) => (true, rest),
            Some((b'+', rest)) => (false, rest),
            _ => (false, text),
        };
        let decimal = Decimal::parse(digits).ok_or(InvalidTime::Malformed)?;
        if decimal.fraction.len() > FRACTION_DIGITS_MAX {
            return Err(InvalidTime::Malformed);
        }
        let seconds = whole_number(decimal.whole).ok_or(InvalidTime::OutOfRange)?;
        let magnitude = i128::from(seconds) * i128::from(NANOSECONDS_PER_SECOND)
            + i128::from(fraction_ns(decimal.fraction));
        let ns = if negative { -magnitude } else { magnitude };
        match i64::try_from(ns) {
            Ok(ns) => Ok(ReportTime { ns }),
            Err(_) => Err(InvalidTime::OutOfRange),
        }
    }

    /// This many nanoseconds since the POSIX epoch.
    #[must_use]
    pub fn of_ns(ns: i64) -> Self {
        ReportTime { ns }
    }

    /// Nanoseconds since the POSIX epoch.
    #[must_use]
    pub fn ns(self) -> i64 {
        self.ns
    }

    /// The time as a text with 9 decimals, which parses as the same time.
    #[must_use]
    pub fn to_text(self) -> String {
        let sign = if self.ns < 0 { "-" } else { "" };
        let second = NANOSECONDS_PER_SECOND.unsigned_abs();
        let (seconds, ns) = (
            self.ns.unsigned_abs() / second,
            self.ns.unsigned_abs() % second,
        );
        format!("{sign}{seconds}.{ns:09}")
    }
}

/// The value of up to nine fraction digits, in nanoseconds.
fn fraction_ns(digits: &[u8]) -> u64 {
    let value = whole_number(digits).unwrap_or(0);
    (digits.len()..FRACTION_DIGITS_MAX).fold(value, |value, _| value * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ns(text: &str) -> Result<i64, InvalidTime> {
        ReportTime::parse(text.as_bytes()).map(ReportTime::ns)
    }

    #[test]
    fn times_are_exact_to_the_nanosecond() {
        assert_eq!(ns("1520023934.918963997"), Ok(1_520_023_934_918_963_997));
        assert_eq!(ns("1520023934.918963998"), Ok(1_520_023_934_918_963_998));
        assert_eq!(ns("1520023934.9"), Ok(1_520_023_934_900_000_000));
        assert_eq!(ns("1520023934"), Ok(1_520_023_934_000_000_000));
        assert_eq!(ns("-0.5"), Ok(-500_000_000));
        assert_eq!(ns("+00000000000000001"), Ok(NANOSECONDS_PER_SECOND));
    }

    #[test]
    fn a_text_is_the_same_time() {
        for (ns_of, text) in [
            (0, "0.000000000"),
            (1, "0.000000001"),
            (-1, "-0.000000001"),
            (-1_500_000_000, "-1.500000000"),
            (1_520_023_934_918_963_997, "1520023934.918963997"),
            (i64::MAX, "9223372036.854775807"),
            (i64::MIN, "-9223372036.854775808"),
        ] {
            assert_eq!(ReportTime::of_ns(ns_of).to_text(), text);
            assert_eq!(ns(text), Ok(ns_of));
        }
    }

    #[test]
    fn the_range_is_that_of_an_i64() {
        assert_eq!(ns("9223372036.854775807"), Ok(i64::MAX));
        assert_eq!(ns("9223372036.854775808"), Err(InvalidTime::OutOfRange));
        assert_eq!(ns("-9223372036.854775808"), Ok(i64::MIN));
        assert_eq!(ns("-9223372036.854775809"), Err(InvalidTime::OutOfRange));
        assert_eq!(
            ns("999999999999999999999999999999"),
            Err(InvalidTime::OutOfRange)
        );
    }

    #[test]
    fn nothing_but_plain_decimals() {
        for text in [
            "",
            "+",
            "-",
            ".",
            "1.",
            ".5",
            "-.5",
            "1e9",
            "nan",
            "inf",
            "0x10",
            "1_000",
            "--1",
            "1 2",
            "1.0000000000",
            "1.5s",
        ] {
            assert_eq!(ns(text), Err(InvalidTime::Malformed), "{text}");
        }
        assert_eq!(ns(&"0".repeat(41)), Err(InvalidTime::TooLong));
        assert_eq!(ns(&"0".repeat(40)), Ok(0));
    }
}
