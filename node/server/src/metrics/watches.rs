//! Watches, as families.

use super::family::{Family, counter, gauge, label, load};
use crate::location_service::LocationService;
use herd_protocol::EndReason;

pub(super) fn watches(families: &mut Vec<Family>, service: &LocationService) {
    let statistics = &service.statistics().watches;
    let figures = service.watch_figures();
    let ended = EndReason::ALL.map(|reason| {
        let count = load(&statistics.ended[reason as usize]);
        (label("reason", reason.word()), count)
    });
    families.extend([
        gauge(
            "herd_watchers",
            "Watches that are under way.",
            figures.watchers as f64,
        ),
        gauge(
            "herd_watch_marks",
            "Clients that have changed and whose watchers have not read it, beyond the first ones of each.",
            figures.marks as f64,
        ),
        gauge(
            "herd_watch_inside",
            "Clients inside of watched areas, beyond the first ones of each.",
            figures.inside as f64,
        ),
        counter(
            "herd_watches_begun",
            "Watches that have begun.",
            &statistics.begun,
        ),
        Family::Counter(
            "herd_watches_ended",
            "Watches that ended with a last line, by its reason.",
            ended.into(),
        ),
        counter(
            "herd_watch_lines",
            "Lines about clients that watchers were sent.",
            &statistics.told,
        ),
        counter(
            "herd_watch_lookups",
            "Clients that were looked at for watchers.",
            &statistics.looked,
        ),
        Family::Histogram(
            "herd_watch_first_state_seconds",
            "Time from a WATCH until all that was so at its beginning was told.",
            vec![(Vec::new(), statistics.first_states.view())],
        ),
    ]);
}
