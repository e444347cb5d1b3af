//! The result of a load.

use serde::Serialize;

use super::latency::Percentiles;
use super::plan::{Plan, Protocol, SearchPlan};
use super::spread::Movement;
use super::tally::{Errors, KindTally, LATE_NS, Tally};

/// The result of a load, as `--json` prints it; times have their units in their names.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// The load.
    pub load: LoadReport,
    /// How long was measured, to the last reply, in seconds.
    pub measured_s: f64,
    /// Requests answered as asked, of all kinds.
    pub requests: u64,
    /// The same for each second.
    pub per_second: f64,
    /// Reports: updates.
    pub iamat: KindReport,
    /// Look-ups.
    pub whatsat: KindReport,
    /// Searches for clients.
    pub nearby: KindReport,
    /// The failures.
    pub errors: ErrorReport,
    /// Requests that were due in an open loop, and never sent because the servers were too slow.
    pub not_sent: u64,
    /// Requests that went out more than 10 ms late through the fault of the load generator.
    pub sent_late: u64,
    /// How late at most, in milliseconds.
    pub sent_late_max_ms: f64,
    /// Whether it was stopped before its time.
    pub stopped_early: bool,
}

/// The parameters of a load.
#[derive(Clone, Debug, Serialize)]
pub struct LoadReport {
    /// `herd` or `redis`.
    pub protocol: &'static str,
    /// The servers.
    pub servers: Vec<String>,
    /// How many connections there were.
    pub connections: usize,
    /// How many requests of one connection could be unanswered.
    pub pipeline: usize,
    /// Requests a second, in an open loop.
    pub rate: Option<f64>,
    /// How many clients there were.
    pub clients: u64,
    /// How unevenly they were chosen.
    pub skew: f64,
    /// How many of a hundred requests were look-ups, or searches.
    pub look_ups_percent: f64,
    /// The radius of look-ups.
    pub radius_km: f64,
    /// The most places of look-ups.
    pub results: u8,
    /// The questions of searches, if searches took the place of look-ups.
    pub search: Option<SearchReport>,
    /// How many threads made the load.
    pub threads: usize,
    /// How long it ran before measuring, in seconds.
    pub warmup_s: f64,
}

/// The questions of searches.
#[derive(Clone, Debug, Serialize)]
pub struct SearchReport {
    /// The radius; `None` for no bound.
    pub radius_km: Option<f64>,
    /// The most clients.
    pub limit: u32,
    /// How far clients drove from report to report, in metres; `None` if they jumped.
    pub drive_m: Option<f64>,
}

impl SearchReport {
    fn of(search: &SearchPlan) -> Self {
        SearchReport {
            radius_km: search.radius_km,
            limit: search.limit,
            drive_m: match search.movement {
                Movement::Jump => None,
                Movement::Drive(metres) => Some(metres),
            },
        }
    }
}

/// The result of one kind of request.
#[derive(Clone, Debug, Serialize)]
pub struct KindReport {
    /// Those answered as asked.
    pub count: u64,
    /// The same for each second.
    pub per_second: f64,
    /// Their latencies; from when they should have gone out, in an open loop.
    pub latency: Percentiles,
    /// The mean length of their replies, in bytes.
    pub reply_bytes: f64,
}

/// The failures, in the warm-up too.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorReport {
    /// Requests that the server refused.
    pub refused: u64,
    /// Requests that got a reply to something else.
    pub wrong: u64,
    /// Requests whose connection was lost before they were answered.
    pub lost: u64,
    /// Requests that were not answered within 10 s after the end.
    pub unanswered: u64,
    /// Connections that failed, and attempts to open them that did.
    pub connections_failed: u64,
    /// Connections that were not tried again any more.
    pub connections_given_up: u64,
    /// The first few, in words.
    pub samples: Vec<String>,
}

impl BenchReport {
    /// Whether every request was answered as asked, and no connection failed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let errors = &self.errors;
        let requests = errors.refused + errors.wrong + errors.lost + errors.unanswered;
        requests == 0 && errors.connections_failed == 0
    }

    pub(super) fn new(plan: &Plan, tally: &Tally) -> Self {
        let from_ns = plan.measure_from_ns();
        // A count ends a run when the last reply is there, a time at that time or later.
        let last_ns = match (plan.count, tally.stopped_ns) {
            (Some(_), None) => tally.last_answer_ns,
            (_, Some(stopped_ns)) => tally.last_answer_ns.max(stopped_ns),
            (None, None) => tally.last_answer_ns.max(plan.end_ns()),
        };
        let measured_s = last_ns.saturating_sub(from_ns) as f64 / 1e9;
        let per_second = |count: u64| match count {
            0 => 0.0,
            count => count as f64 / measured_s,
        };
        let kind = |tally: &KindTally| KindReport {
            count: tally.good.len(),
            per_second: per_second(tally.good.len()),
            latency: tally.good.percentiles(),
            reply_bytes: tally.reply_bytes as f64 / tally.good.len().max(1) as f64,
        };
        let kinds = [&tally.reports, &tally.look_ups, &tally.searches];
        let requests = kinds.map(|kind| kind.good.len()).iter().sum();
        BenchReport {
            load: LoadReport::of(plan),
            measured_s,
            requests,
            per_second: per_second(requests),
            iamat: kind(&tally.reports),
            whatsat: kind(&tally.look_ups),
            nearby: kind(&tally.searches),
            errors: ErrorReport::of(&tally.errors),
            not_sent: tally.missed,
            sent_late: tally.late,
            sent_late_max_ms: match plan.rate {
                Some(_) => tally.late_ns_max as f64 / 1e6,
                None => 0.0,
            },
            stopped_early: tally.stopped_ns.is_some(),
        }
    }

    /// How late a request must go out to be counted, in milliseconds.
    pub(super) const LATE_MS: u64 = LATE_NS / 1_000_000;
}

impl LoadReport {
    fn of(plan: &Plan) -> Self {
        LoadReport {
            protocol: match plan.protocol {
                Protocol::Herd => "herd",
                Protocol::Redis => "redis",
            },
            servers: plan.servers.clone(),
            connections: plan.connections,
            pipeline: plan.pipeline,
            rate: plan.rate,
            clients: plan.clients,
            skew: plan.skew,
            look_ups_percent: plan.look_ups_per_mille as f64 / 10.0,
            radius_km: plan.radius_km,
            results: plan.results,
            search: plan.search.as_ref().map(SearchReport::of),
            threads: plan.threads,
            warmup_s: plan.warmup.as_secs_f64(),
        }
    }
}

impl ErrorReport {
    fn of(errors: &Errors) -> Self {
        ErrorReport {
            refused: errors.refused,
            wrong: errors.wrong,
            lost: errors.lost,
            unanswered: errors.unanswered,
            connections_failed: errors.connections_failed,
            connections_given_up: errors.connections_given_up,
            samples: errors.samples.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::plan::tests::plan;
    use super::*;

    #[test]
    fn a_rate_is_over_all_that_was_measured() {
        let mut tally = Tally::default();
        for _ in 0..100 {
            tally.reports.good.record(1_000_000);
        }
        let timed = Plan {
            warmup: Duration::from_secs(2),
            duration: Duration::from_secs(10),
            ..plan()
        };
        // The last reply came before the end: the time of the plan counts.
        tally.last_answer_ns = 11_000_000_000;
        assert_eq!(BenchReport::new(&timed, &tally).per_second, 10.0);
        // It came long after the end: servers that are behind are not faster for it.
        tally.last_answer_ns = 22_000_000_000;
        assert_eq!(BenchReport::new(&timed, &tally).per_second, 5.0);
        tally.last_answer_ns = 4_000_000_000;
        let counted = Plan {
            count: Some(100),
            ..timed.clone()
        };
        assert_eq!(BenchReport::new(&counted, &tally).per_second, 50.0);
        tally.stopped_ns = Some(7_000_000_000);
        let stopped = BenchReport::new(&timed, &tally);
        assert_eq!(stopped.per_second, 20.0);
        assert!(stopped.stopped_early && stopped.is_clean());
    }

    #[test]
    fn any_error_makes_a_result_unclean() {
        let broken: [fn(&mut Errors); 5] = [
            |errors| errors.refused = 1,
            |errors| errors.wrong = 1,
            |errors| errors.lost = 1,
            |errors| errors.unanswered = 1,
            |errors| errors.connections_failed = 1,
        ];
        for breaks in broken {
            let mut tally = Tally::default();
            breaks(&mut tally.errors);
            assert!(!BenchReport::new(&plan(), &tally).is_clean());
        }
    }
}
