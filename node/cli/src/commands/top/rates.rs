//! How much changed between two looks.

use std::collections::BTreeMap;

use tokio::time::Instant;

use herd_server::status::comparison::StatusAnswer;

/// News per second of each server, by the last two answers that it gave.
#[derive(Debug, Default)]
pub(super) struct UpdateRates {
    last: BTreeMap<String, RatesSample>,
}

#[derive(Debug)]
struct RatesSample {
    incarnation: String,
    updates: u64,
    at: Instant,
    per_second: Option<f64>,
}

impl UpdateRates {
    /// Takes in the answers of servers at this time.
    pub(super) fn note(&mut self, answers: &[StatusAnswer], now: Instant) {
        let mut looks = BTreeMap::new();
        for status in answers.iter().filter_map(|answer| answer.status.as_ref()) {
            let earlier = self.last.get(&status.server);
            // Another incarnation of the same process goes on counting; a lower count is a new process.
            let per_second = earlier.and_then(|earlier| {
                let news = status.map.updates.checked_sub(earlier.updates)?;
                let passed_s = now.duration_since(earlier.at).as_secs_f64();
                let same = earlier.incarnation == status.incarnation;
                (same && passed_s > 0.0).then(|| news as f64 / passed_s)
            });
            let look = RatesSample {
                incarnation: status.incarnation.clone(),
                updates: status.map.updates,
                at: now,
                per_second,
            };
            looks.insert(status.server.clone(), look);
        }
        self.last = looks;
    }

    /// For the table.
    pub(super) fn of(&self, server: &str) -> String {
        let look = self.last.get(server).and_then(|look| look.per_second);
        look.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}"))
    }
}
