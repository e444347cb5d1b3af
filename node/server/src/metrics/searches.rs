//! Searches for clients in an area, as families.

use super::family::{Family, counter, gauge};
use crate::location_service::LocationService;

pub(super) fn searches(families: &mut Vec<Family>, service: &LocationService) {
    let statistics = &service.statistics().searches;
    let (clients, nodes) = service.locations().index_size();
    families.extend([
        Family::Histogram(
            "herd_search_duration_seconds",
            "How long searches for clients took, from the question to its answer.",
            vec![(Vec::new(), statistics.durations.view())],
        ),
        counter(
            "herd_search_candidates",
            "Clients that searches looked up, since they might be in the area.",
            &statistics.candidates,
        ),
        counter(
            "herd_search_hits",
            "Clients that searches told of.",
            &statistics.hits,
        ),
        counter(
            "herd_searches_long",
            "Searches that looked at many clients, and went on in turn with others.",
            &statistics.long,
        ),
        gauge(
            "herd_searches_in_flight",
            "Those of them that are under way.",
            service.searches_in_flight() as f64,
        ),
        gauge(
            "herd_index_clients",
            "Clients in the index of where they are.",
            clients as f64,
        ),
        gauge(
            "herd_index_cells",
            "Cells of the index that hold clients: larger where there are few.",
            nodes as f64,
        ),
    ]);
}
