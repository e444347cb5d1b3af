//! HTTP/JSON, as families.

use super::family::{Family, label, load};
use crate::http_json::{HttpApiStatistics, STATUSES};

pub(super) fn http_json(families: &mut Vec<Family>, statistics: Option<&HttpApiStatistics>) {
    let none = HttpApiStatistics::default();
    let statistics = statistics.unwrap_or(&none);
    let answers = STATUSES.iter().zip(&statistics.answers);
    let answers = answers.map(|(status, count)| (label("status", status), load(count)));
    let reports = [
        ("taken", &statistics.reports_taken),
        ("refused", &statistics.reports_refused),
    ];
    families.extend([
        Family::Counter(
            "herd_http_answers",
            "Answers of HTTP/JSON and to phones, by status.",
            answers.collect(),
        ),
        Family::Counter(
            "herd_http_reports",
            "Reports that came over HTTP, taken in or not.",
            reports
                .map(|(outcome, count)| (label("outcome", outcome), load(count)))
                .into(),
        ),
    ]);
}
