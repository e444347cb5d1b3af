//! An AT line, taken apart, and which of two is the greater.

use std::cmp::Ordering;

/// Digits behind the dot of a nanosecond.
const NANOSECOND_DIGITS: usize = 9;

/// The content of an AT line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The whole line, without its LF.
    pub line: Vec<u8>,
    /// The server that heard the report.
    pub server: Vec<u8>,
    /// That server's clock less the report's time, in nanoseconds.
    pub difference_ns: i128,
    /// The client.
    pub client: Vec<u8>,
    /// Where it was.
    pub location: Vec<u8>,
    /// When it said so, as it said it.
    pub time: Vec<u8>,
    /// The same in nanoseconds since the POSIX epoch.
    pub time_ns: i128,
}

impl Record {
    /// Reads a line without its LF. `None` if it is no AT line, or not exactly in the form that servers write.
    pub fn parse(line: &[u8]) -> Option<Record> {
        let fields: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        let &[b"AT", server, difference, client, location, time] = fields.as_slice() else {
            return None;
        };
        let (signed, exact) = (difference.first()?, fraction_digits(difference));
        if !matches!(signed, b'+' | b'-') || exact != Some(NANOSECOND_DIGITS) {
            return None;
        }
        Some(Record {
            line: line.to_vec(),
            server: server.to_vec(),
            difference_ns: nanoseconds(difference)?,
            client: client.to_vec(),
            location: location.to_vec(),
            time: time.to_vec(),
            time_ns: nanoseconds(time)?,
        })
    }

    /// The total order of the records of one client.
    pub fn order(&self, other: &Record) -> Ordering {
        // The earlier receipt is the greater.
        let received = |record: &Record| record.time_ns + record.difference_ns;
        self.time_ns
            .cmp(&other.time_ns)
            .then_with(|| self.server.cmp(&other.server))
            .then_with(|| self.location.cmp(&other.location))
            .then_with(|| self.time.cmp(&other.time))
            .then_with(|| received(other).cmp(&received(self)))
    }

    /// Whether this is an earlier one than `other`.
    pub fn is_behind(&self, other: &Record) -> bool {
        self.order(other) == Ordering::Less
    }
}

fn fraction_digits(number: &[u8]) -> Option<usize> {
    let dot = number.iter().position(|&byte| byte == b'.')?;
    Some(number.len() - dot - 1)
}

/// A sign or none, digits, and a dot and 1 to 9 digits or neither.
pub(super) fn nanoseconds(text: &[u8]) -> Option<i128> {
    let (negative, digits) = match text.split_first()? {
        (b'-', digits) => (true, digits),
        (b'+', digits) => (false, digits),
        _ => (false, text),
    };
    let mut parts = digits.splitn(2, |&byte| byte == b'.');
    let (whole, fraction) = (parts.next()?, parts.next());
    let mut number = whole.to_vec();
    if let Some(fraction) = fraction {
        if fraction.is_empty() || fraction.len() > NANOSECOND_DIGITS {
            return None;
        }
        number.extend_from_slice(fraction);
    }
    let zeros = NANOSECOND_DIGITS - fraction.map_or(0, <[u8]>::len);
    number.resize(number.len() + zeros, b'0');
    if whole.is_empty() || !number.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let magnitude: i128 = str::from_utf8(&number).ok()?.parse().ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(line: &str) -> Record {
        Record::parse(line.as_bytes()).unwrap()
    }

    #[test]
    fn times_are_read_to_the_nanosecond() {
        for (text, ns) in [
            ("1", 1_000_000_000),
            ("-1.5", -1_500_000_000),
            ("+0.000000001", 1),
            ("1520023934.918963997", 1_520_023_934_918_963_997),
        ] {
            assert_eq!(nanoseconds(text.as_bytes()), Some(ns), "{text}");
        }
        for text in ["", ".5", "1.", "1.0000000000", "1e9", "--1", "1.2.3"] {
            assert_eq!(nanoseconds(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn only_the_form_of_servers_is_an_at_line() {
        assert!(Record::parse(b"AT Hill +0.5 kiwi +1+1 1").is_none());
        assert!(Record::parse(b"AT Hill 0.500000000 kiwi +1+1 1").is_none());
        assert!(Record::parse(b"AT Hill  +0.500000000 kiwi +1+1 1").is_none());
        assert!(Record::parse(b"AT Hill +0.500000000 kiwi +1+1 1 ").is_none());
        assert_eq!(
            record("AT Hill -0.500000000 kiwi +1+1 2").time_ns,
            2_000_000_000
        );
    }

    #[test]
    fn each_field_decides_in_its_turn() {
        let rising = [
            "AT Smith +0.000000000 kiwi +9+9 1",
            "AT Hill +0.000000000 kiwi +1+1 1.000000001",
            "AT Smith +0.000000000 kiwi +1+1 1.000000001",
            "AT Smith +0.000000000 kiwi +2+1 1.000000001",
            "AT Smith +5.000000000 kiwi +2+1 2",
            "AT Smith +5.000000000 kiwi +2+1 2.0",
            "AT Smith +4.000000000 kiwi +2+1 2.0",
        ];
        for (position, line) in rising.iter().enumerate() {
            for (other, than) in rising.iter().enumerate() {
                let order = record(line).order(&record(than));
                assert_eq!(order, position.cmp(&other), "{line} and {than}");
            }
        }
    }
}
