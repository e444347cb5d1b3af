//! The work of clients: several reporters at any server report and ask about the same clients, with times that tie,
//! repeat, go back and lie ahead.

use std::fmt;
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;

use super::scenario::Shape;
use super::{ServerIndex, show};

/// The reporters, each with one connection at a time.
pub(super) const REPORTERS: usize = 5;

/// A reporter sends this many commands at once, at most.
const BURST_MAX: usize = 40;

/// Of the commands that a new one may have to do with.
const RECENT: usize = 60;

const NS_PER_S: i64 = 1_000_000_000;

/// The commands that one reporter sends at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When, from the beginning of the history; later if it still waits for replies.
    pub at: Duration,
    /// The reporter.
    pub reporter: usize,
    /// To whom.
    pub server: ServerIndex,
    /// The commands, pipelined.
    pub commands: Vec<StepCommand>,
}

/// A command in which times are told from the beginning of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepCommand {
    /// IAMAT.
    Report {
        /// Which of the scenario's clients.
        client: usize,
        /// The second operand.
        location: String,
        /// The third.
        time: StepTime,
    },
    /// WHATSAT.
    Question {
        /// Which of the scenario's clients.
        client: usize,
    },
}

/// A time as it is sent: nanoseconds after the second in which the history began, and the number of digits behind
/// the dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepTime {
    /// Nanoseconds; nothing is below the last digit.
    pub ns: i64,
    /// Digits, 0 to 9.
    pub digits: u32,
}

impl StepTime {
    /// As it is sent in a history that began in this second.
    pub fn text(self, began_s: i64) -> String {
        let seconds = began_s + self.ns.div_euclid(NS_PER_S);
        let fraction = format!("{:09}", self.ns.rem_euclid(NS_PER_S));
        match self.digits as usize {
            0 => seconds.to_string(),
            digits => format!("{seconds}.{}", &fraction[..digits]),
        }
    }

    fn of(ns: i64, digits: u32) -> Self {
        let unit = 10_i64.pow(9 - digits);
        let ns = ns.div_euclid(unit) * unit;
        StepTime { ns, digits }
    }
}

/// The steps of one history, in order.
pub(super) fn steps(rng: &mut StdRng, shape: Shape, clients: usize, length: Duration) -> Vec<Step> {
    let mut drawing = Drawing {
        shape,
        clients,
        recent: Vec::new(),
    };
    let gap_us = rng.random_range(6_000..16_000);
    let mut steps = Vec::new();
    let mut at = Duration::ZERO;
    while at < length {
        let step = drawing.step(rng, at);
        let twin = rng.random_bool(0.1).then(|| drawing.twin(rng, &step));
        steps.push(step);
        steps.extend(twin);
        at += Duration::from_micros(rng.random_range(0..2 * gap_us));
    }
    steps
}

struct Drawing {
    shape: Shape,
    clients: usize,
    recent: Vec<(usize, String, StepTime)>,
}

impl Drawing {
    fn step(&mut self, rng: &mut StdRng, at: Duration) -> Step {
        let burst = match rng.random_range(0..10) {
            0..6 => 1,
            6..9 => rng.random_range(2..10),
            _ => rng.random_range(10..=BURST_MAX),
        };
        Step {
            at,
            reporter: rng.random_range(0..REPORTERS),
            server: rng.random_range(0..self.shape.names.len()),
            commands: (0..burst).map(|_| self.command(rng, at)).collect(),
        }
    }

    /// The same clients at the same times, elsewhere and by somebody else at the same moment.
    fn twin(&mut self, rng: &mut StdRng, step: &Step) -> Step {
        let commands = step.commands.iter().map(|command| match command {
            StepCommand::Report { client, time, .. } => StepCommand::Report {
                client: *client,
                location: location(rng),
                time: *time,
            },
            question @ StepCommand::Question { .. } => question.clone(),
        });
        Step {
            at: step.at,
            commands: commands.collect(),
            reporter: (step.reporter + 1) % REPORTERS,
            server: rng.random_range(0..self.shape.names.len()),
        }
    }

    fn command(&mut self, rng: &mut StdRng, at: Duration) -> StepCommand {
        // Some clients far more often than others.
        let client = rng.random_range(0..self.clients) >> rng.random_range(0..3_u32);
        if rng.random_bool(0.35) {
            return StepCommand::Question { client };
        }
        let now_ns = i64::try_from(at.as_nanos()).unwrap_or(i64::MAX);
        let jitter_ns = rng.random_range(-NS_PER_S..NS_PER_S / 10);
        let time = StepTime::of(now_ns + jitter_ns, rng.random_range(0..=9));
        let fresh = (client, location(rng), time);
        let report = match self.earlier(rng) {
            Some(earlier) => vary(rng, fresh, earlier),
            None => fresh,
        };
        self.recent.push(report.clone());
        let (client, location, time) = report;
        StepCommand::Report {
            client,
            location,
            time,
        }
    }

    fn earlier(&self, rng: &mut StdRng) -> Option<(usize, String, StepTime)> {
        if self.recent.is_empty() {
            return None;
        }
        let first = self.recent.len().saturating_sub(RECENT);
        Some(self.recent[rng.random_range(first..self.recent.len())].clone())
    }
}

/// Now and then a report has to do with an earlier one, or is of another time.
fn vary(
    rng: &mut StdRng,
    fresh: (usize, String, StepTime),
    earlier: (usize, String, StepTime),
) -> (usize, String, StepTime) {
    let (client, place, time) = earlier;
    match rng.random_range(0..100) {
        // A client tries again, byte for byte.
        0..10 => (client, place, time),
        // Another place at the very time.
        10..25 => (client, fresh.1, time),
        // The same time in more digits.
        25..30 => {
            let digits = (time.digits + 1).min(9);
            (client, place, StepTime { digits, ..time })
        }
        // A nanosecond later.
        30..33 => (client, fresh.1, StepTime::of(time.ns + 1, 9)),
        // Old news.
        33..43 => {
            let age_ns = rng.random_range(1..100_000) * NS_PER_S;
            (client, fresh.1, StepTime::of(time.ns - age_ns, time.digits))
        }
        // Times ahead of the clock, allowed and not allowed: only for few clients, which stay there.
        43..45 => {
            let ahead_ns = rng.random_range(1..8_000) * NS_PER_S;
            let (client, place, time) = fresh;
            let ahead = StepTime::of(time.ns + ahead_ns, time.digits);
            (client - client % 8, place, ahead)
        }
        _ => fresh,
    }
}

fn location(rng: &mut StdRng) -> String {
    let latitude = rng.random_range(-89..=89);
    let longitude = rng.random_range(-179..=179);
    match rng.random_range(0..3) {
        0 => format!("{latitude:+}{longitude:+}"),
        1 => format!("{latitude:+03}.0{longitude:+04}.5"),
        _ => {
            let fraction: u32 = rng.random_range(0..1_000_000);
            format!("{latitude:+}.{fraction:06}{longitude:+}.{fraction:06}")
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>9.3} s  reporter {} to {}:",
            self.at.as_secs_f64(),
            self.reporter,
            self.server
        )?;
        for command in &self.commands {
            match command {
                StepCommand::Report {
                    client,
                    location,
                    time,
                } => write!(f, " IAMAT {client} {location} {};", time.text(0))?,
                StepCommand::Question { client } => write!(f, " WHATSAT {client};")?,
            }
        }
        Ok(())
    }
}

/// The IDs of `count` clients: each is a word of the protocol or bytes that are no text, or just a name.
pub(super) fn client_ids(count: usize) -> Vec<Vec<u8>> {
    let odd: [&[u8]; 6] = [
        b"IAMAT",
        b"+12-118",
        b"1520023934.918963997",
        b"?",
        b"\xff\xfe\x80\xa0",
        b"AT",
    ];
    (0..count)
        .map(|number| match odd.get(number / 3) {
            Some(id) if number.is_multiple_of(3) => id.to_vec(),
            _ => format!("client{number}").into_bytes(),
        })
        .collect()
}

/// The clients' numbers and IDs, a line each.
pub(super) fn show_ids(ids: &[Vec<u8>]) -> String {
    let lines = ids.iter().enumerate();
    let line = |(number, id): (usize, &Vec<u8>)| format!("{number}={}", show(id));
    lines.map(line).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_count_from_the_beginning() {
        let time = |ns, digits| StepTime::of(ns, digits).text(1_000);
        assert_eq!(time(1_500_000_000, 1), "1001.5");
        assert_eq!(time(1_500_000_001, 9), "1001.500000001");
        assert_eq!(time(1_999_999_999, 0), "1001");
        assert_eq!(time(-1, 9), "999.999999999");
        assert_eq!(time(-1_500_000_000, 3), "998.500");
        let (one, other) = (
            StepTime::of(1_500_000_000, 1),
            StepTime::of(1_500_000_000, 2),
        );
        assert_eq!(one.ns, other.ns);
        assert_ne!(one.text(0), other.text(0));
    }
}
