//! From replies to bytes.

use bytes::Bytes;
use herd_crdt::{Record, ReportTime};
use memchr::{memchr, memchr_iter};

/// The reply to a token that is known.
pub const ACCEPTED_LINE: &[u8] = b"OK";

pub(super) const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// The answer to one command.
#[derive(Clone, Debug)]
pub enum Reply<'a> {
    /// An `IAMAT` was taken in.
    At(AtLine<'a>),
    /// A client is known, and this is near it.
    Places {
        /// The client's record; its `AT` line comes first.
        record: Record,
        /// The JSON text of a Nearby Search reply.
        json: Bytes,
    },
    /// These clients are near, and perhaps more.
    Near {
        /// Nearest first, with their distances in metres.
        hits: Vec<(f64, Record)>,
        /// Whether there are further ones in the area.
        more: bool,
    },
    /// These clients are in a box, and perhaps more.
    In {
        /// In the order of their ids' bytes.
        records: Vec<Record>,
        /// Whether there are further ones in the box.
        more: bool,
    },
    /// A client is forgotten.
    Gone(GoneLine<'a>),
    /// The line could not be carried out: a copy of it.
    Invalid(&'a [u8]),
    /// The token that the client showed is known.
    Accepted,
}

/// The values of an `AT` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtLine<'a> {
    /// The server that heard the report.
    pub server: &'a str,
    /// Its clock at receipt less the client's time, in nanoseconds.
    pub difference_ns: i128,
    /// The client ID.
    pub client: &'a [u8],
    /// The location as the client wrote it.
    pub location: &'a [u8],
    /// The time as the client wrote it.
    pub time: &'a [u8],
}

/// The values of a `GONE` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoneLine<'a> {
    /// The server that was told to forget the client.
    pub server: &'a str,
    /// The client ID.
    pub client: &'a [u8],
    /// The time of the tombstone.
    pub time: ReportTime,
}

impl Reply<'_> {
    /// Appends the reply to `out`, to the last newline.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Reply::At(at) => {
                at.write(out);
                out.push(b'\n');
            }
            Reply::Places { record, json } => {
                AtLine::of(record).write(out);
                out.push(b'\n');
                write_json(out, json);
                out.extend_from_slice(b"\n\n");
            }
            Reply::Near { hits, more } => {
                write_count(out, b"NEAR ", hits.len(), *more);
                for (distance_m, record) in hits {
                    write_kilometres(out, *distance_m);
                    out.push(b' ');
                    AtLine::of(record).write(out);
                    out.push(b'\n');
                }
                out.push(b'\n');
            }
            Reply::In { records, more } => {
                write_count(out, b"IN ", records.len(), *more);
                for record in records {
                    AtLine::of(record).write(out);
                    out.push(b'\n');
                }
                out.push(b'\n');
            }
            Reply::Gone(gone) => {
                gone.write(out);
                out.push(b'\n');
            }
            Reply::Accepted => {
                out.extend_from_slice(ACCEPTED_LINE);
                out.push(b'\n');
            }
            Reply::Invalid(line) => {
                out.extend_from_slice(b"? ");
                out.extend_from_slice(line);
                out.push(b'\n');
            }
        }
    }
}

impl<'a> AtLine<'a> {
    /// The `AT` line of a stored record: that of the server that heard it.
    #[must_use]
    pub fn of(record: &'a Record) -> Self {
        AtLine {
            server: record.server(),
            difference_ns: record.difference_ns(),
            client: record.client(),
            location: record.location_text(),
            time: record.time_text(),
        }
    }

    /// Appends the line to `out`, without a newline.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"AT ");
        out.extend_from_slice(self.server.as_bytes());
        out.push(b' ');
        write_difference(out, self.difference_ns);
        for operand in [self.client, self.location, self.time] {
            out.push(b' ');
            out.extend_from_slice(operand);
        }
    }
}

impl GoneLine<'_> {
    /// Appends the line to `out`, without a newline.
    pub fn write(&self, out: &mut Vec<u8>) {
        for field in [&b"GONE"[..], self.server.as_bytes(), self.client] {
            out.extend_from_slice(field);
            out.push(b' ');
        }
        out.extend_from_slice(self.time.to_text().as_bytes());
    }
}

/// A difference as an `AT` line has it.
#[must_use]
pub fn difference_text(difference_ns: i128) -> String {
    let mut text = Vec::new();
    write_difference(&mut text, difference_ns);
    String::from_utf8_lossy(&text).into_owned()
}

/// Appends nanoseconds as seconds: always a sign, always nine decimals.
fn write_difference(out: &mut Vec<u8>, difference_ns: i128) {
    out.push(if difference_ns < 0 { b'-' } else { b'+' });
    let magnitude = difference_ns.unsigned_abs();
    let mut digits = itoa::Buffer::new();
    // Two clocks of 64 bits differ by no more than a u64 holds; beyond that is slower, not wrong.
    let nanoseconds = match u64::try_from(magnitude) {
        Ok(ns) => {
            let seconds = digits.format(ns / NANOSECONDS_PER_SECOND);
            out.extend_from_slice(seconds.as_bytes());
            ns % NANOSECONDS_PER_SECOND
        }
        Err(_) => {
            let seconds = digits.format(magnitude / u128::from(NANOSECONDS_PER_SECOND));
            out.extend_from_slice(seconds.as_bytes());
            (magnitude % u128::from(NANOSECONDS_PER_SECOND)) as u64
        }
    };
    // One second more, whose digit is replaced by a dot, so the leading zeros are there.
    let decimals = digits.format(NANOSECONDS_PER_SECOND + nanoseconds);
    out.push(b'.');
    out.extend_from_slice(&decimals.as_bytes()[1..]);
}

/// Appends the first line of a reply that tells of clients: how many, and whether these are all.
fn write_count(out: &mut Vec<u8>, word: &[u8], count: usize, more: bool) {
    out.extend_from_slice(word);
    out.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
    out.extend_from_slice(if more { b" more\n" } else { b" complete\n" });
}

/// Appends metres as kilometres with exactly six decimals.
fn write_kilometres(out: &mut Vec<u8>, metres: f64) {
    const MILLIMETRES_PER_KILOMETRE: u64 = 1_000_000;
    // No distance on the earth is too large for this.
    let millimetres = (metres * 1_000.0).round() as u64;
    let mut digits = itoa::Buffer::new();
    let whole = digits.format(millimetres / MILLIMETRES_PER_KILOMETRE);
    out.extend_from_slice(whole.as_bytes());
    out.push(b'.');
    // One kilometre more, whose digit is left out: so the zeros in front are there.
    let rest = MILLIMETRES_PER_KILOMETRE + millimetres % MILLIMETRES_PER_KILOMETRE;
    out.extend_from_slice(&digits.format(rest).as_bytes()[1..]);
}

/// Appends JSON text with every run of newlines made one, and none at its ends: an empty line then
/// ends the reply and nothing else.
fn write_json(out: &mut Vec<u8>, json: &[u8]) {
    let start = json.iter().position(|&b| b != b'\n').unwrap_or(json.len());
    let json = &json[start..];
    if memchr(b'\n', json).is_none() {
        out.extend_from_slice(json);
        return;
    }
    let mut copied = 0;
    for lf in memchr_iter(b'\n', json) {
        if lf > copied {
            if copied > 0 {
                out.push(b'\n');
            }
            out.extend_from_slice(&json[copied..lf]);
        }
        copied = lf + 1;
    }
    if copied < json.len() {
        out.push(b'\n');
        out.extend_from_slice(&json[copied..]);
    }
}

#[cfg(test)]
mod tests {
    use herd_crdt::is_blank;
    use proptest::prelude::*;

    use super::super::command::Command;
    use super::*;

    fn difference(ns: i128) -> String {
        let mut out = Vec::new();
        write_difference(&mut out, ns);
        String::from_utf8(out).unwrap()
    }

    fn json(text: &str) -> String {
        let mut out = Vec::new();
        write_json(&mut out, text.as_bytes());
        String::from_utf8(out).unwrap()
    }

    fn written(reply: &Reply<'_>) -> Vec<u8> {
        let mut out = b"before".to_vec();
        reply.write(&mut out);
        out.split_off(6)
    }

    #[test]
    fn differences_have_a_sign_and_nine_decimals() {
        for (ns, text) in [
            (0, "+0.000000000"),
            (1, "+0.000000001"),
            (-1, "-0.000000001"),
            (263_873_386, "+0.263873386"),
            (-3_599_100_000_000, "-3599.100000000"),
            (10_000_000_000, "+10.000000000"),
            (i128::from(u64::MAX), "+18446744073.709551615"),
            (-i128::from(u64::MAX), "-18446744073.709551615"),
            (i128::from(u64::MAX) + 1, "+18446744073.709551616"),
            (i128::MIN, "-170141183460469231731687303715.884105728"),
        ] {
            assert_eq!(difference(ns), text);
        }
    }

    #[test]
    fn the_specs_own_example() {
        let received_ns = 1_520_023_934_918_963_997 + 263_873_386;
        let record = Record::new(
            b"kiwi.cs.ucla.edu",
            b"+34.068930-118.445127",
            b"1520023934.918963997",
            "Hill".into(),
            received_ns,
        )
        .unwrap();
        let at = "AT Hill +0.263873386 kiwi.cs.ucla.edu +34.068930-118.445127 \
                  1520023934.918963997\n";
        assert_eq!(written(&Reply::At(AtLine::of(&record))), at.as_bytes());
        let places = Reply::Places {
            record,
            json: Bytes::from_static(b"\n{\n\n\n \"results\" : []\n}\n\n"),
        };
        let expected = format!("{at}{{\n \"results\" : []\n}}\n\n");
        assert_eq!(written(&places), expected.as_bytes());
    }

    #[test]
    fn clients_are_told_with_their_count_and_an_empty_line() {
        let record = |client: &[u8], location: &[u8], server: &str| {
            Record::new(
                client,
                location,
                b"1520023934",
                server.into(),
                1_520_023_934_000_000_001,
            )
            .unwrap()
        };
        let (kiwi, emu) = (
            record(b"kiwi", b"+1+1", "Hill"),
            record(b"emu", b"+1.0+1", "Jaquez"),
        );
        let near = Reply::Near {
            hits: vec![(0.0, kiwi.clone()), (1_204.417_4, emu.clone())],
            more: true,
        };
        let expected = "NEAR 2 more\n\
            0.000000 AT Hill +0.000000001 kiwi +1+1 1520023934\n\
            1.204417 AT Jaquez +0.000000001 emu +1.0+1 1520023934\n\n";
        assert_eq!(written(&near), expected.as_bytes());
        let within = Reply::In {
            records: vec![emu, kiwi],
            more: false,
        };
        let expected = "IN 2 complete\n\
            AT Jaquez +0.000000001 emu +1.0+1 1520023934\n\
            AT Hill +0.000000001 kiwi +1+1 1520023934\n\n";
        assert_eq!(written(&within), expected.as_bytes());
        let nobody = Reply::Near {
            hits: Vec::new(),
            more: true,
        };
        assert_eq!(written(&nobody), b"NEAR 0 more\n\n");
    }

    #[test]
    fn a_gone_line_has_nine_decimals() {
        let gone = |ns| {
            written(&Reply::Gone(GoneLine {
                server: "Hill",
                client: b"\xff",
                time: ReportTime::of_ns(ns),
            }))
        };
        let text = b"GONE Hill \xff 1520023934.918963997\n";
        assert_eq!(gone(1_520_023_934_918_963_997), text);
        assert_eq!(gone(-1), b"GONE Hill \xff -0.000000001\n");
        assert_eq!(gone(i64::MAX), b"GONE Hill \xff 9223372036.854775807\n");
    }

    #[test]
    fn distances_have_six_decimals() {
        for (metres, text) in [
            (0.0, "0.000000"),
            (0.0004, "0.000000"),
            (0.0006, "0.000001"),
            (999.9996, "1.000000"),
            (1_000.0, "1.000000"),
            (20_015_114.352_186, "20015.114352"),
        ] {
            let mut out = Vec::new();
            write_kilometres(&mut out, metres);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn runs_of_newlines_become_one() {
        for (text, expected) in [
            ("{}", "{}"),
            ("{}\n", "{}"),
            ("{}\n\n\n", "{}"),
            ("{\n}", "{\n}"),
            ("{\n\n}", "{\n}"),
            ("\n\n{\n\n\n\n \n\n}\n\n", "{\n \n}"),
            ("", ""),
            ("\n", ""),
        ] {
            assert_eq!(json(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_copy_keeps_its_inner_blanks() {
        let line = b"  IAMAT \t \xff\x00  x ";
        let reply = written(&Reply::Invalid(line));
        assert_eq!(reply, [&b"? "[..], line, b"\n"].concat());
    }

    proptest! {
        #[test]
        fn differences_agree_with_plain_arithmetic(received: i64, sent: i64) {
            let ns = i128::from(received) - i128::from(sent);
            let sign = if ns < 0 { '-' } else { '+' };
            let (s, rest) = (ns.unsigned_abs() / 1_000_000_000, ns.unsigned_abs() % 1_000_000_000);
            prop_assert_eq!(difference(ns), format!("{}{}.{:09}", sign, s, rest));
        }

        #[test]
        fn json_never_holds_an_empty_line(text in "[\\n\\r a{}]{0,60}") {
            let out = json(&text);
            prop_assert!(!out.contains("\n\n"));
            prop_assert!(!out.starts_with('\n') && !out.ends_with('\n'));
            let kept = |text: &str| text.replace('\n', "");
            prop_assert_eq!(kept(&out), kept(&text));
            prop_assert_eq!(out.split('\n').count(),
                text.split('\n').filter(|line| !line.is_empty()).count().max(1));
        }

        /// The values of an `AT` line can be read back from it, and its operands make the same command.
        #[test]
        fn an_at_line_prints_the_parsed_values(
            client in prop::collection::vec(
                any::<u8>().prop_filter("blank", |&b| !is_blank(b)), 1..40),
            location in "[+-][0-8][0-9](\\.[0-9]{1,6})?[+-]1[0-7][0-9](\\.[0-9]{1,6})?",
            time in "[+-]?[0-9]{1,9}(\\.[0-9]{1,9})?",
            received_ns: i64,
        ) {
            let line = [b"IAMAT ", &client[..], b" ", location.as_bytes(), b" ", time.as_bytes()]
                .concat();
            let Ok(Some(Command::Iamat(iamat))) = Command::parse(&line) else {
                return Err(TestCaseError::fail("not an IAMAT"));
            };
            let record = Record::of(&iamat.operands, "Hill".into(), received_ns);
            let reply = written(&Reply::At(AtLine::of(&record)));
            let text = reply.strip_suffix(b"\n").unwrap();
            let fields: Vec<&[u8]> = super::super::Fields::new(text).collect();
            prop_assert_eq!(fields.len(), 6);
            prop_assert_eq!(fields[0], b"AT");
            prop_assert_eq!(fields[1], b"Hill");
            prop_assert_eq!(&fields[3..], [&client[..], location.as_bytes(), time.as_bytes()]);
            let again = [&b"IAMAT "[..], fields[3], b" ", fields[4], b" ", fields[5]].concat();
            prop_assert_eq!(Command::parse(&again), Ok(Some(Command::Iamat(iamat))));
        }
    }
}
