//! The result of a load, as it is sent at the end of its session.
//!
//! The lines are, in this order: any number of `WAIT`, so that the other side knows that the server
//! lives; `INVALID line reason` for the first of the invalid lines; `LOADED` with the counts; more
//! `WAIT`; and `CONFIRMED`, or `UNCONFIRMED` with a reason.

use std::fmt;

use herd_crdt::Outcome;

/// How many invalid lines are told one by one.
pub const INVALID_LINES_TOLD_MAX: usize = 10;

/// Numbers of records, by their effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadCounts {
    /// Records of clients that were unknown.
    pub new: u64,
    /// Records that replaced an older one, or a lesser one of the same time.
    pub newer: u64,
    /// Records that were known, bit for bit.
    pub same: u64,
    /// Records that are older than the known one, or the lesser of the same time: nothing changed.
    pub older: u64,
    /// Lines that were not taken in.
    pub invalid: u64,
    /// Whether an `END` line told that the records are complete.
    pub ended: bool,
}

impl LoadCounts {
    /// Counts one record.
    pub fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::New => self.new += 1,
            Outcome::Newer | Outcome::TieWon => self.newer += 1,
            Outcome::Same => self.same += 1,
            Outcome::TieLost | Outcome::Stale | Outcome::Expired => self.older += 1,
        }
    }

    /// All records that were read.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.new + self.newer + self.same + self.older
    }
}

/// A line that was not taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidLine {
    /// Its number, from 1.
    pub line: u64,
    /// Why not.
    pub reason: String,
}

/// The result of a load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DumpLoadReport {
    /// The counts.
    pub counts: LoadCounts,
    /// The first invalid lines, at most [`INVALID_LINES_TOLD_MAX`].
    pub invalid: Vec<InvalidLine>,
}

impl DumpLoadReport {
    /// Notes a line that is not taken in.
    pub fn refuse(&mut self, line: u64, reason: &dyn fmt::Display) {
        self.counts.invalid += 1;
        if self.invalid.len() < INVALID_LINES_TOLD_MAX {
            let reason = reason.to_string();
            self.invalid.push(InvalidLine { line, reason });
        }
    }
}

/// One line of the answer to a load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportLine {
    /// The server is still at it.
    Wait,
    /// An invalid line.
    Invalid(InvalidLine),
    /// All was taken in.
    Loaded(LoadCounts),
    /// The records are as safe as promised. The last line.
    Confirmed,
    /// It may not be. The last line.
    Unconfirmed(String),
}

/// The line, without its LF.
impl fmt::Display for ReportLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReportLine::Wait => f.write_str("WAIT"),
            ReportLine::Invalid(InvalidLine { line, reason }) => {
                write!(f, "INVALID {line} {}", one_line(reason))
            }
            ReportLine::Loaded(LoadCounts {
                new,
                newer,
                same,
                older,
                invalid,
                ended,
            }) => {
                let ended = u8::from(*ended);
                write!(f, "LOADED {new} {newer} {same} {older} {invalid} {ended}")
            }
            ReportLine::Confirmed => f.write_str("CONFIRMED"),
            ReportLine::Unconfirmed(reason) => write!(f, "UNCONFIRMED {}", one_line(reason)),
        }
    }
}

impl ReportLine {
    /// Reads a line that came without its LF; `None` if it is none of these.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        let line = str::from_utf8(line).ok()?;
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "WAIT" => Some(ReportLine::Wait),
            "INVALID" => {
                let (line, reason) = rest.split_once(' ')?;
                Some(ReportLine::Invalid(InvalidLine {
                    line: line.parse().ok()?,
                    reason: reason.to_owned(),
                }))
            }
            "LOADED" => {
                let numbers: Option<Vec<u64>> =
                    rest.split(' ').map(|number| number.parse().ok()).collect();
                let [new, newer, same, older, invalid, ended] = *numbers?.as_slice() else {
                    return None;
                };
                Some(ReportLine::Loaded(LoadCounts {
                    new,
                    newer,
                    same,
                    older,
                    invalid,
                    ended: ended != 0,
                }))
            }
            "CONFIRMED" => Some(ReportLine::Confirmed),
            "UNCONFIRMED" => Some(ReportLine::Unconfirmed(rest.to_owned())),
            _ => None,
        }
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_as_they_were() {
        let counts = LoadCounts {
            new: 1,
            newer: 2,
            same: 3,
            older: 4,
            invalid: u64::MAX,
            ended: true,
        };
        let invalid = InvalidLine {
            line: 17,
            reason: "time is too long".to_owned(),
        };
        for line in [
            ReportLine::Wait,
            ReportLine::Invalid(invalid),
            ReportLine::Loaded(counts),
            ReportLine::Confirmed,
            ReportLine::Unconfirmed("no disk is left".to_owned()),
        ] {
            let text = line.to_string();
            assert_eq!(ReportLine::parse(text.as_bytes()), Some(line), "{text}");
        }
        for text in ["", "LOADED 1 2", "INVALID x y", "AT"] {
            assert_eq!(ReportLine::parse(text.as_bytes()), None, "{text}");
        }
        let two_lines = ReportLine::Unconfirmed("one\ntwo".to_owned());
        assert_eq!(two_lines.to_string(), "UNCONFIRMED one two");
    }

    #[test]
    fn invalid_lines_are_counted_and_the_first_are_named() {
        let mut report = DumpLoadReport::default();
        for line in 1..=25 {
            report.refuse(line, &"no");
        }
        assert_eq!(report.counts.invalid, 25);
        assert_eq!(report.invalid.len(), INVALID_LINES_TOLD_MAX);
    }

    #[test]
    fn every_outcome_is_counted_once() {
        let mut counts = LoadCounts::default();
        for outcome in [
            Outcome::New,
            Outcome::Newer,
            Outcome::TieWon,
            Outcome::Same,
            Outcome::TieLost,
            Outcome::Stale,
        ] {
            counts.count(outcome);
        }
        let told = (counts.new, counts.newer, counts.same, counts.older);
        assert_eq!(told, (1, 2, 1, 2));
        assert_eq!(counts.records(), 6);
    }
}
