//! What clients report: some far more often than others, at any server, with times that tie, go back and
//! repeat. And which of them are forgotten, at any server.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;

use super::clock::START_S;
use super::operation::{Operation, Report, Timed};
use super::scenario::Shape;

/// Between the times of two episodes' reports, in milliseconds.
const EPISODE_MS: u64 = 1_000_000;

const MILLISECONDS_PER_SECOND: u64 = 1_000;

/// The reports of one episode, in order.
pub(super) fn reports(
    rng: &mut StdRng,
    shape: Shape,
    clients: u32,
    episode: u32,
    length: Duration,
) -> Vec<Timed> {
    let per_second = rng.random_range(2.0..16.0);
    let mean_gap = Duration::from_secs_f64(1.0 / per_second);
    let mut script: Vec<Timed> = Vec::new();
    let mut at = Duration::ZERO;
    loop {
        // Bursts, and pauses.
        at += mean_gap.mul_f64(if rng.random_bool(0.3) {
            0.02
        } else {
            rng.random_range(0.0..2.8)
        });
        if at >= length {
            return script;
        }
        let earlier = (!script.is_empty()).then(|| rng.random_range(0..script.len()));
        let earlier = earlier.and_then(|index| match &script[index].operation {
            Operation::Report(report) => Some(report.clone()),
            _ => None,
        });
        let fresh = fresh(rng, shape, clients, episode, at);
        let report = match earlier {
            Some(earlier) => vary(rng, fresh, earlier),
            None => fresh,
        };
        let operation = Operation::Report(report);
        script.push(Timed { at, operation });
    }
}

/// A new report of any client, most often of one of the first.
fn fresh(rng: &mut StdRng, shape: Shape, clients: u32, episode: u32, at: Duration) -> Report {
    let client = rng.random_range(0..clients) >> rng.random_range(0..3_u32);
    let jitter_ms = rng.random_range(0..400);
    let since_start_ms = u64::from(episode) * EPISODE_MS + at.as_millis() as u64 + jitter_ms;
    let time_ms = START_S as u64 * MILLISECONDS_PER_SECOND + since_start_ms;
    let (seconds, ms) = (
        time_ms / MILLISECONDS_PER_SECOND,
        time_ms % MILLISECONDS_PER_SECOND,
    );
    let latitude = rng.random_range(-90..=90);
    let longitude = rng.random_range(-180..=180);
    Report {
        server: rng.random_range(0..shape.names.len()),
        client,
        location: Some(format!("{latitude:+}{longitude:+}")),
        time: format!("{seconds}.{ms:03}"),
    }
}

/// Now and then a report has to do with an earlier one.
fn vary(rng: &mut StdRng, fresh: Report, earlier: Report) -> Report {
    match rng.random_range(0..100) {
        // The client tries again, here or elsewhere.
        0..6 => earlier,
        6..10 => Report {
            server: fresh.server,
            ..earlier
        },
        // Another place at the very time.
        10..20 => Report {
            client: earlier.client,
            time: earlier.time,
            ..fresh
        },
        // The same time in other digits.
        20..24 => Report {
            time: in_other_digits(&earlier.time),
            server: fresh.server,
            ..earlier
        },
        // Old news.
        24..32 => Report {
            location: fresh.location,
            client: earlier.client,
            server: fresh.server,
            time: earlier.time.split('.').next().unwrap_or("0").to_owned(),
        },
        // It is forgotten.
        32..40 => Report {
            location: None,
            client: earlier.client,
            ..fresh
        },
        // At the time that a tombstone of the earlier report may have.
        40..44 => Report {
            client: earlier.client,
            time: one_ns_later(&earlier.time),
            ..fresh
        },
        _ => fresh,
    }
}

/// The same with nine digits behind the dot, and the last of them 1, as long as there are not nine yet.
fn one_ns_later(time: &str) -> String {
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    match fraction.len() {
        0..9 => format!("{seconds}.{fraction:0<8}1"),
        _ => time.to_owned(),
    }
}

/// With one more zero behind the fraction, as long as that is a time.
fn in_other_digits(time: &str) -> String {
    match time.split_once('.') {
        None => format!("{time}.0"),
        Some((seconds, fraction)) if fraction.len() < 9 => format!("{seconds}.{fraction}0"),
        Some(_) => time.to_owned(),
    }
}
