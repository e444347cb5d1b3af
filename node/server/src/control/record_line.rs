//! From records to the lines of a dump, and back, bit for bit.

use herd_crdt::decimal::{Decimal, whole_number};
use herd_crdt::{InvalidRecord, NANOSECONDS_PER_SECOND, Record, ReportTime, ServerName};

use herd_protocol::{AtLine, Fields, difference_text};

/// The fields of the longest line.
const FIELDS_MAX: usize = 6;

/// Digits of a difference behind its dot.
const DIFFERENCE_DIGITS: usize = 9;

/// Why a line is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecordLine {
    /// Neither `AT` and five fields nor `GONE` and four.
    #[error(
        "neither `AT server difference client location time` nor `GONE server difference client time`"
    )]
    Form,
    /// Longer than any record's line.
    #[error("the line is too long")]
    TooLong,
    /// The last line has no LF, and may have lost more than that.
    #[error("the line has no line end, so it may be cut off")]
    CutOff,
    /// It stands behind the end.
    #[error("the line stands behind an END line")]
    BehindEnd,
    /// A server's name that is not text.
    #[error("server name is not printable ASCII")]
    ServerText,
    /// Not a sign, digits, a dot and nine digits.
    #[error("difference is not a sign, digits, a dot and nine digits")]
    Difference,
    /// Time and difference give a clock that no server can have had.
    #[error("time and difference together do not fit in 64 bits of nanoseconds")]
    Received,
    /// See [`InvalidRecord`].
    #[error(transparent)]
    Record(#[from] InvalidRecord),
    /// The report's time is too far ahead of the clock.
    #[error("time is further ahead of the server's clock than max_clock_skew allows")]
    Ahead,
    /// A server of the herd is of a release that cannot forget.
    #[error(
        "it forgets a client, which a server of the herd is too old for; upgrade that server first"
    )]
    Unread,
    /// This server has just started.
    #[error(
        "it forgets a client, and the server does not know yet whether all other servers can; load it again in a moment"
    )]
    ReadersUnknown,
    /// The floor of expiry keeps it out, though it is not old by the server's clock.
    #[error(
        "the server's floor of expiry is ahead of its clock, and keeps the record out though it has not expired; see \
         `herd store lower-floor`"
    )]
    KeptOut,
    /// An `END` line that does not fit.
    #[error(transparent)]
    End(#[from] InvalidEndLine),
}

/// The reason why an `END` line does not end the records before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndLine {
    /// No count.
    #[error("not a line `END count`")]
    Form,
    /// There was one before it.
    #[error("a second END line")]
    Second,
    /// The count is another one.
    #[error("END says {told} records, but {seen} lines came before it")]
    Count {
        /// The number in the line.
        told: u64,
        /// The number of records before it.
        seen: u64,
    },
}

/// The last line of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndLine {
    /// How many records came before it.
    pub records: u64,
}

/// Reads a line as an `END` line; `None` if its first word is another one.
///
/// # Errors
/// If it is one and has no count.
pub fn parse_end(line: &[u8]) -> Option<Result<EndLine, InvalidEndLine>> {
    let mut fields = Fields::new(line);
    if fields.next() != Some(b"END") {
        return None;
    }
    let count = match (fields.next(), fields.next()) {
        (Some(count), None) => whole_number(count),
        _ => None,
    };
    Some(match count {
        Some(records) => Ok(EndLine { records }),
        None => Err(InvalidEndLine::Form),
    })
}

/// Appends the line of a record, with its LF. That of a tombstone is `GONE server difference client time`; that of any
/// other is its `AT` line.
pub fn write_record(record: &Record, out: &mut Vec<u8>) {
    if record.is_tombstone() {
        let difference = difference_text(record.difference_ns());
        let fields = [
            b"GONE",
            record.server().as_bytes(),
            difference.as_bytes(),
            record.client(),
            record.time_text(),
        ];
        out.extend(fields.join(&b' '));
    } else {
        AtLine::of(record).write(out);
    }
    out.push(b'\n');
}

/// Reads a line that came without its LF as a record. `name` gives the server's name to share.
///
/// # Errors
/// Says which rule the line breaks; see [`InvalidRecordLine`].
pub fn parse_record(
    line: &[u8],
    name: impl FnOnce(&str) -> ServerName,
) -> Result<Record, InvalidRecordLine> {
    let fields: Vec<&[u8]> = Fields::new(line).take(FIELDS_MAX + 1).collect();
    let (server, difference, client, location, time) = match *fields.as_slice() {
        [b"AT", server, difference, client, location, time] => {
            (server, difference, client, Some(location), time)
        }
        [b"GONE", server, difference, client, time] => (server, difference, client, None, time),
        _ => return Err(InvalidRecordLine::Form),
    };
    let server = str::from_utf8(server).map_err(|_| InvalidRecordLine::ServerText)?;
    let difference_ns = difference_ns(difference).ok_or(InvalidRecordLine::Difference)?;
    let sent = ReportTime::parse(time).map_err(InvalidRecord::from)?;
    let received_ns = i64::try_from(i128::from(sent.ns()) + difference_ns)
        .map_err(|_| InvalidRecordLine::Received)?;
    let server = name(server);
    Ok(match location {
        Some(location) => Record::new(client, location, time, server, received_ns)?,
        None => Record::tombstone_of(client, time, server, received_ns)?,
    })
}

/// A sign, digits, a dot and nine digits, in nanoseconds.
fn difference_ns(text: &[u8]) -> Option<i128> {
    let (sign, digits) = text.split_first()?;
    let negative = match sign {
        b'+' => false,
        b'-' => true,
        _ => return None,
    };
    let decimal = Decimal::parse(digits)?;
    if decimal.fraction.len() != DIFFERENCE_DIGITS {
        return None;
    }
    let seconds = whole_number(decimal.whole)?;
    let nanoseconds = whole_number(decimal.fraction)?;
    // Far within an i128: both are at most 64 bits long.
    let magnitude =
        i128::from(seconds) * i128::from(NANOSECONDS_PER_SECOND) + i128::from(nanoseconds);
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use herd_crdt::is_blank;
    use proptest::prelude::*;

    use super::*;

    fn parse(line: &[u8]) -> Result<Record, InvalidRecordLine> {
        parse_record(line, |name| name.into())
    }

    fn line_of(record: &Record) -> Vec<u8> {
        let mut line = Vec::new();
        write_record(record, &mut line);
        assert_eq!(line.pop(), Some(b'\n'));
        line
    }

    #[test]
    fn each_mistake_has_its_name() {
        use InvalidRecordLine as Invalid;
        let form = Err(Invalid::Form);
        assert_eq!(parse(b""), form);
        assert_eq!(parse(b"# AT Hill +0.000000000 k +1+1 1"), form);
        assert_eq!(parse(b"AT Hill +0.000000000 k +1+1"), form);
        assert_eq!(parse(b"AT Hill +0.000000000 k +1+1 1 1"), form);
        assert_eq!(parse(b"IAMAT k +1+1 1"), form);
        assert_eq!(parse(b"GONE Hill +0.000000000 k +1+1 1"), form);
        assert_eq!(parse(b"GONE Hill k 1"), form);
        for difference in [
            "0.000000000",
            "+0",
            "+0.0",
            "+.000000000",
            "+0.0000000000",
            "+-1.000000000",
        ] {
            let line = format!("AT Hill {difference} k +1+1 1");
            assert_eq!(parse(line.as_bytes()), Err(Invalid::Difference), "{line}");
        }
        assert_eq!(
            parse(b"AT Hill +99999999999.000000000 k +1+1 1"),
            Err(Invalid::Received)
        );
        assert_eq!(
            parse(b"AT H\xff +0.000000000 k +1+1 1"),
            Err(Invalid::ServerText)
        );
        let record = parse(b"AT Hill +0.000000000 k 1+1 1");
        assert!(matches!(record, Err(Invalid::Record(_))), "{record:?}");
        let record = parse(b"AT Hill +0.000000000 k +1+1 1e9");
        assert!(matches!(record, Err(Invalid::Record(_))), "{record:?}");
    }

    #[test]
    fn the_end_of_a_dump() {
        assert_eq!(parse_end(b"END 7"), Some(Ok(EndLine { records: 7 })));
        assert_eq!(parse_end(b"END"), Some(Err(InvalidEndLine::Form)));
        assert_eq!(parse_end(b"END -7"), Some(Err(InvalidEndLine::Form)));
        assert_eq!(parse_end(b"END 7 7"), Some(Err(InvalidEndLine::Form)));
        assert_eq!(parse_end(b"AT Hill +0.000000000 END +1+1 1"), None);
        assert_eq!(parse_end(b""), None);
    }

    proptest! {
        #[test]
        fn every_record_comes_back_bit_for_bit(
            client in prop::collection::vec(any::<u8>().prop_filter("blank", |b| !is_blank(*b)), 1..40),
            seconds in -9_223_372_036_i64..=9_223_372_035,
            fraction in "(\\.[0-9]{1,9})?",
            received_ns in prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX)],
            server in "[!-~]{1,64}",
        ) {
            let time = format!("{seconds}{fraction}");
            let record =
                Record::new(&client, b"+1.50-2", time.as_bytes(), server.as_str().into(), received_ns);
            let record = record.unwrap();
            let again = parse(&line_of(&record)).unwrap();
            prop_assert_eq!(&again, &record);
            prop_assert_eq!(again.received_ns(), received_ns);
            prop_assert_eq!(again.time_text(), time.as_bytes());
        }

        #[test]
        fn every_tombstone_comes_back_bit_for_bit(
            client in prop::collection::vec(any::<u8>().prop_filter("blank", |b| !is_blank(*b)), 1..40),
            time_ns in prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX)],
            received_ns in prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX)],
        ) {
            let time = ReportTime::of_ns(time_ns);
            let tombstone = Record::tombstone(&client, time, "Hill".into(), received_ns).unwrap();
            let line = line_of(&tombstone);
            prop_assert!(line.starts_with(b"GONE Hill "));
            let again = parse(&line).unwrap();
            prop_assert!(again.is_tombstone());
            prop_assert_eq!(&again, &tombstone);
            prop_assert_eq!(again.received_ns(), received_ns);
        }

        #[test]
        fn no_line_is_too_much(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (parse(&line), parse_end(&line));
        }

        #[test]
        fn no_line_like_a_record_is_too_much(line in "AT [a-z]{1,3} [+-][0-9.]{1,40} k \\+1\\+1 [+-]?[0-9.]{1,40}") {
            let _ = parse(line.as_bytes());
        }
    }
}
