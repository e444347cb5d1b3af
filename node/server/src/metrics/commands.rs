//! Clients, their commands, and the places that these ask for, as families.

use super::family::{Family, counter, gauge, label, load};
use crate::frontend::{Outcome, Statistics, Word};
use herd_places::online::OnlineStatistics;

/// What became of a command, as labels say it.
fn outcome_label(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::IamatTaken => "taken",
        Outcome::IamatInvalid | Outcome::WhatsatInvalid | Outcome::OtherInvalid => "invalid",
        Outcome::IamatAhead => "ahead",
        Outcome::IamatFull => "full",
        Outcome::IamatKeptOut => "kept_out",
        Outcome::WhatsatKnown => "known",
        Outcome::WhatsatUnknown => "unknown",
        Outcome::WhatsatLoading => "loading",
        Outcome::Oversized => "oversized",
    }
}

fn word_label(word: Word) -> &'static str {
    match word {
        Word::Iamat => "iamat",
        Word::Whatsat => "whatsat",
        Word::Other => "other",
    }
}

pub(super) fn clients(families: &mut Vec<Family>, statistics: &Statistics) {
    commands(families, statistics);
    open_connections(families, statistics);
    closed_connections(families, statistics);
    families.extend([
        counter(
            "herd_client_received_bytes",
            "Bytes that clients sent.",
            &statistics.bytes_read,
        ),
        counter(
            "herd_client_sent_bytes",
            "Bytes that clients were sent.",
            &statistics.bytes_written,
        ),
    ]);
}

fn commands(families: &mut Vec<Family>, statistics: &Statistics) {
    let requests = Outcome::ALL.into_iter().map(|outcome| {
        let labels = vec![
            ("command", word_label(outcome.word()).to_owned()),
            ("outcome", outcome_label(outcome).to_owned()),
        ];
        (labels, statistics.commands(outcome) as f64)
    });
    let durations = Word::ALL.into_iter().map(|word| {
        let labels = label("command", word_label(word));
        (labels, statistics.latency(word).view())
    });
    families.extend([
        Family::Counter(
            "herd_requests",
            "Commands of clients by what became of them.",
            requests.collect(),
        ),
        Family::Histogram(
            "herd_request_duration_seconds",
            "From when a command was taken up to when its reply could go out.",
            durations.collect(),
        ),
        counter(
            "herd_unconfirmed_reports",
            "Reports that did not become as safe as replies promise in time.",
            &statistics.unconfirmed,
        ),
    ]);
}

fn open_connections(families: &mut Vec<Family>, statistics: &Statistics) {
    families.extend([
        gauge(
            "herd_client_connections",
            "Connections of clients that are open.",
            load(&statistics.connections_open),
        ),
        gauge(
            "herd_client_connections_max",
            "Connections of clients that may be open: connections_max, or what the limit of open files leaves.",
            load(&statistics.connections_max),
        ),
        gauge(
            "herd_client_connections_bulk",
            "Connections of clients that send many commands at a time, and are served by threads of their own.",
            load(&statistics.connections_bulk),
        ),
        counter(
            "herd_client_connections_accepted",
            "Connections of clients that were accepted and served.",
            &statistics.connections_accepted,
        ),
    ]);
}

/// Those that were closed by the server, or not even opened.
fn closed_connections(families: &mut Vec<Family>, statistics: &Statistics) {
    let foreign = [
        ("http", &statistics.connections_http),
        ("tls", &statistics.connections_tls),
    ]
    .map(|(protocol, count)| (label("protocol", protocol), load(count)));
    families.extend([
        counter(
            "herd_client_connections_refused",
            "Connections of clients that were closed at once, since too many were open.",
            &statistics.connections_refused,
        ),
        counter(
            "herd_client_connections_unread",
            "Connections that were dropped, since the client left its replies unread.",
            &statistics.connections_unread,
        ),
        Family::Counter(
            "herd_client_connections_foreign",
            "Connections of clients that were closed, since they spoke another protocol.",
            foreign.into(),
        ),
        counter(
            "herd_client_accept_errors",
            "Failures to accept a connection of a client.",
            &statistics.accept_errors,
        ),
        counter(
            "herd_client_tls_failures",
            "Connections of clients on which TLS could not be agreed.",
            &statistics.tls_handshakes_failed,
        ),
        counter(
            "herd_client_certificates_distrusted",
            "Connections of clients that were cut, since the client's certificate was good no more.",
            &statistics.certificates_distrusted,
        ),
    ]);
}

pub(super) fn places(families: &mut Vec<Family>, frontend: &Statistics, online: &OnlineStatistics) {
    let questions = [
        ("answered", &online.answered),
        ("failed", &online.failed),
        ("joined", &online.joined),
        ("cached", &online.cached),
    ]
    .map(|(outcome, count)| (label("outcome", outcome), load(count)));
    families.extend([
        Family::Counter(
            "herd_places_questions",
            "Questions for an online provider of places by what became of them.",
            questions.into(),
        ),
        Family::Histogram(
            "herd_places_duration_seconds",
            "How long questions took that were answered or failed.",
            vec![(Vec::new(), online.durations.view())],
        ),
        counter(
            "herd_places_not_asked",
            "Failed questions for which the provider was not asked: breaker, pause or too many waiting.",
            &online.not_asked,
        ),
        counter(
            "herd_places_requests",
            "Requests to the provider, further attempts included.",
            &online.requests,
        ),
        counter(
            "herd_places_retries",
            "Further attempts among them.",
            &online.retries,
        ),
        counter(
            "herd_places_fallbacks",
            "Questions that the embedded data answered in the provider's place.",
            &online.fallbacks,
        ),
        counter(
            "herd_places_timeouts",
            "WHATSATs that got an error, since no answer of places came at all.",
            &frontend.places_timeouts,
        ),
    ]);
}
