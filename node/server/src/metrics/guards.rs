//! Tokens, limits and certificates, as families.

use std::sync::atomic::AtomicU64;

use super::family::{Family, counter, flag, gauge, label, load};
use crate::access::{Access, AccessStatistics};
use crate::frontend::LimitStatistics;
use crate::http::HttpStatistics;
use crate::location_service::ServiceStatistics;
use herd_gossip::guard::{FaultKind, LeftOut};
use herd_gossip::link::closed_counts::ClosedReason;
use herd_gossip::links::Links;
use herd_places::online::OnlineStatistics;
use herd_tls::status::TlsStatus;

pub(super) fn tokens(families: &mut Vec<Family>, access: Option<&Access>) {
    let none = AccessStatistics::default();
    let statistics = access.map_or(&none, Access::statistics);
    let by = |name: &'static str, counts: [(&str, &AtomicU64); 2]| {
        counts
            .map(|(value, count)| (label(name, value), load(count)))
            .into()
    };
    families.extend([
        Family::Counter(
            "herd_tokens_shown",
            "Tokens that clients showed with AUTH, by outcome.",
            by(
                "outcome",
                [
                    ("accepted", &statistics.tokens_accepted),
                    ("refused", &statistics.tokens_refused),
                ],
            ),
        ),
        Family::Counter(
            "herd_forbidden",
            "Commands and HTTP requests that no shown token allows.",
            by(
                "what",
                [
                    ("command", &statistics.commands_forbidden),
                    ("request", &statistics.requests_forbidden),
                ],
            ),
        ),
        Family::Counter(
            "herd_token_files",
            "Changes of the tokens file, taken, or refused because the file is wrong.",
            by(
                "outcome",
                [
                    ("taken", &statistics.files_taken),
                    ("refused", &statistics.files_refused),
                ],
            ),
        ),
    ]);
}

pub(super) fn limits(
    families: &mut Vec<Family>,
    statistics: &LimitStatistics,
    service: &ServiceStatistics,
    places: &OnlineStatistics,
    http: &HttpStatistics,
) {
    let met = [
        (
            "connections_per_address_max",
            &statistics.connections_refused_address,
        ),
        ("idle_timeout", &statistics.connections_idle),
        ("half_line_timeout", &statistics.connections_half_line),
        ("commands_per_second", &statistics.pauses_connection),
        (
            "commands_per_second_per_address",
            &statistics.pauses_address,
        ),
        ("whatsat_in_flight_max", &service.whatsat_refused),
        ("searches_in_flight_max", &service.searches.refused),
        ("watchers_max", &service.watches.refused),
        ("watchers_per_address_max", &service.watches.refused_address),
        ("watch_marks_max", &service.watches.too_slow),
        ("watch_inside_max", &service.watches.too_large),
        ("max_clients", &service.clients_refused),
        ("max_client_bytes", &service.client_bytes_refused),
        ("client_id_bytes_max", &service.client_ids_refused),
        ("reply_bytes_max", &statistics.pauses_replies),
        ("places_per_minute", &places.used_up),
        ("http_connections_max", &http.connections_full),
        (
            "http_connections_per_address_max",
            &http.connections_full_address,
        ),
        ("viewers_max", &http.viewers_refused),
    ];
    families.push(Family::Counter(
        "herd_limits_met",
        "Times that clients met a limit, by its setting.",
        met.map(|(limit, count)| (label("limit", limit), load(count)))
            .into(),
    ));
}

/// Counts of the guard of gossip about neighbours' messages.
pub(super) fn gossip(families: &mut Vec<Family>, links: &Links) {
    let counts = links.guard.counts();
    let refused = FaultKind::ALL.map(|kind| {
        let count = counts.refused(kind) as f64;
        (label("fault", kind.label()), count)
    });
    let left_out = LeftOut::ALL.map(|why| {
        let count = counts.left_out(why) as f64;
        (label("reason", why.label()), count)
    });
    families.extend([
        Family::Counter(
            "herd_gossip_refused",
            "Messages of neighbours that no server sends, by their fault; each cut the link.",
            refused.into(),
        ),
        Family::Counter(
            "herd_gossip_left_out",
            "Parts of neighbours' messages that were left out, by reason.",
            left_out.into(),
        ),
    ]);
}

/// Strangers at the ports for HTTP and for neighbours.
pub(super) fn strangers(families: &mut Vec<Family>, http: &HttpStatistics, links: &Links) {
    let closed = ClosedReason::ALL.map(|reason| {
        let count = links.closed().get(reason);
        (label("reason", reason.label()), count as f64)
    });
    let http_closed = [
        ("displaced", &http.connections_displaced),
        ("full", &http.connections_refused),
        ("tls", &http.tls_failed),
    ]
    .map(|(reason, count)| (label("reason", reason), load(count)));
    families.extend([
        gauge(
            "herd_http_connections",
            "Open HTTP connections.",
            load(&http.connections_open),
        ),
        Family::Counter(
            "herd_http_connections_closed",
            "HTTP connections that the server closed, by reason.",
            http_closed.into(),
        ),
        counter(
            "herd_http_requests_refused",
            "Requests that were refused because there was room for health probes only.",
            &http.requests_refused,
        ),
        Family::Counter(
            "herd_peer_connections_closed",
            "Connections to the peer port that did not become links, by reason.",
            closed.into(),
        ),
    ]);
}

pub(super) fn certificates(families: &mut Vec<Family>, tls: &TlsStatus) {
    let ends = [
        ("links", tls.links_expire_s()),
        ("client_port", tls.clients_expire_s()),
    ];
    let (of_links, of_clients) = tls.lifetimes_s();
    let lifetimes = [("links", of_links), ("client_port", of_clients)];
    let (taken, failed) = tls.reloads();
    let (links, clients) = tls.out_of_time();
    families.extend([
        gauge(
            "herd_links_insecure",
            "1 if links leave this machine without TLS, else 0.",
            flag(tls.links_insecure),
        ),
        Family::Gauge(
            "herd_certificate_expiry_timestamp_seconds",
            "End of the certificate of links or the client port, in seconds since the POSIX epoch; +Inf without one.",
            ends.map(|(of, end)| (label("of", of), end.map_or(f64::INFINITY, |end| end as f64)))
                .into(),
        ),
        Family::Gauge(
            "herd_certificate_lifetime_seconds",
            "Time from the begin to the end of the certificate of links or the client port; +Inf without one.",
            lifetimes.map(|(of, all)| (label("of", of), all.map_or(f64::INFINITY, |all| all as f64)))
                .into(),
        ),
        Family::Gauge(
            "herd_certificate_out_of_time",
            "1 if the certificates of links or the client port were expired or not yet valid at the start, else 0.",
            vec![
                (label("of", "links"), flag(links)),
                (label("of", "client_port"), flag(clients)),
            ],
        ),
        Family::Counter(
            "herd_certificate_reloads",
            "Changes of certificate files, taken, or refused because the files cannot be used.",
            vec![
                (label("outcome", "taken"), taken as f64),
                (label("outcome", "refused"), failed as f64),
            ],
        ),
    ]);
}
