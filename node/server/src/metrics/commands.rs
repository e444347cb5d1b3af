//! Clients, their commands, and the places that these ask for, as families.

use super::family::{Family, counter, gauge, label, load};
use crate::frontend::{CommandOutcome, Statistics, Word};
use crate::location_service::ServiceStatistics;
use herd_places::online::OnlineStatistics;

/// The outcome of a command, as a label.
fn outcome_label(outcome: CommandOutcome) -> &'static str {
    match outcome {
        CommandOutcome::IamatTaken
        | CommandOutcome::ForgetTaken
        | CommandOutcome::GeoaddTaken
        | CommandOutcome::ZremTaken => "taken",
        CommandOutcome::IamatInvalid
        | CommandOutcome::WhatsatInvalid
        | CommandOutcome::NearbyInvalid
        | CommandOutcome::WithinInvalid
        | CommandOutcome::WatchInvalid
        | CommandOutcome::ForgetInvalid
        | CommandOutcome::OtherInvalid
        | CommandOutcome::GeoaddInvalid
        | CommandOutcome::GeoposInvalid
        | CommandOutcome::GeosearchInvalid
        | CommandOutcome::ZremInvalid
        | CommandOutcome::RespInvalid => "invalid",
        CommandOutcome::IamatAhead => "ahead",
        CommandOutcome::IamatFull | CommandOutcome::ForgetFull => "full",
        CommandOutcome::IamatKeptOut | CommandOutcome::ForgetKeptOut => "kept_out",
        CommandOutcome::ForgetUnread => "unread",
        CommandOutcome::WhatsatKnown => "known",
        CommandOutcome::WhatsatUnknown | CommandOutcome::NearbyUnknown => "unknown",
        CommandOutcome::WhatsatLoading
        | CommandOutcome::NearbyLoading
        | CommandOutcome::WithinLoading => "loading",
        CommandOutcome::NearbyAnswered
        | CommandOutcome::WithinAnswered
        | CommandOutcome::GeoposAnswered
        | CommandOutcome::GeosearchAnswered
        | CommandOutcome::CountAnswered
        | CommandOutcome::RespAnswered => "answered",
        CommandOutcome::GeoaddRefused
        | CommandOutcome::GeosearchRefused
        | CommandOutcome::ZremRefused
        | CommandOutcome::CountRefused => "refused",
        CommandOutcome::NearbyTooMany
        | CommandOutcome::WithinTooMany
        | CommandOutcome::WatchTooMany => "too_many",
        CommandOutcome::WatchBegun => "begun",
        CommandOutcome::WatchUnwatched => "unwatched",
        CommandOutcome::DuringWatch => "during_watch",
        CommandOutcome::Oversized => "oversized",
    }
}

fn word_label(word: Word) -> &'static str {
    match word {
        Word::Iamat => "iamat",
        Word::Whatsat => "whatsat",
        Word::Nearby => "nearby",
        Word::Within => "within",
        Word::Watch => "watch",
        Word::Forget => "forget",
        Word::Other => "other",
        Word::Geoadd => "geoadd",
        Word::Geopos => "geopos",
        Word::Geosearch => "geosearch",
        Word::Zrem => "zrem",
        Word::Count => "count",
        Word::Resp => "resp",
    }
}

pub(super) fn clients(
    families: &mut Vec<Family>,
    statistics: &Statistics,
    service: &ServiceStatistics,
) {
    commands(families, statistics, service);
    open_connections(families, statistics);
    closed_connections(families, statistics);
    families.extend([
        counter(
            "herd_client_received_bytes",
            "Bytes received from clients.",
            &statistics.bytes_read,
        ),
        counter(
            "herd_client_sent_bytes",
            "Bytes sent to clients.",
            &statistics.bytes_written,
        ),
    ]);
}

fn commands(families: &mut Vec<Family>, statistics: &Statistics, service: &ServiceStatistics) {
    let requests = CommandOutcome::ALL.into_iter().map(|outcome| {
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
            "Commands of clients by outcome.",
            requests.collect(),
        ),
        Family::Histogram(
            "herd_request_duration_seconds",
            "Time from reading a command until its reply can be sent.",
            durations.collect(),
        ),
        counter(
            "herd_unconfirmed_reports",
            "Reports that did not reach the promised safety (ack) in time.",
            &service.unconfirmed,
        ),
    ]);
}

fn open_connections(families: &mut Vec<Family>, statistics: &Statistics) {
    families.extend([
        gauge(
            "herd_client_connections",
            "Open connections of clients.",
            load(&statistics.connections_open),
        ),
        gauge(
            "herd_client_connections_max",
            "The limit on open connections of clients, by connections_max and the limit of open files.",
            load(&statistics.connections_max),
        ),
        gauge(
            "herd_client_connections_bulk",
            "Open connections of clients that send many commands at a time; threads of their own serve them.",
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
            "Connections of clients that were closed at once because too many were open.",
            &statistics.connections_refused,
        ),
        counter(
            "herd_client_connections_unread",
            "Connections of clients that were dropped because the client did not read its replies.",
            &statistics.connections_unread,
        ),
        Family::Counter(
            "herd_client_connections_foreign",
            "Connections of clients that were closed because they spoke another protocol.",
            foreign.into(),
        ),
        counter(
            "herd_client_accept_errors",
            "Failures to accept a connection of a client.",
            &statistics.accept_errors,
        ),
        counter(
            "herd_client_tls_failures",
            "Connections of clients whose TLS handshake failed.",
            &statistics.tls_handshakes_failed,
        ),
        counter(
            "herd_client_certificates_distrusted",
            "Connections of clients that were cut because the client's certificate was no longer trusted.",
            &statistics.certificates_distrusted,
        ),
    ]);
}

pub(super) fn places(
    families: &mut Vec<Family>,
    service: &ServiceStatistics,
    online: &OnlineStatistics,
) {
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
            "Questions for an online provider of places, by outcome.",
            questions.into(),
        ),
        Family::Histogram(
            "herd_places_duration_seconds",
            "Duration of questions that were answered or failed.",
            vec![(Vec::new(), online.durations.view())],
        ),
        counter(
            "herd_places_not_asked",
            "Failed questions that never went to the provider: circuit breaker, pause, or too many waiting.",
            &online.not_asked,
        ),
        counter(
            "herd_places_requests",
            "Requests to the provider, retries included.",
            &online.requests,
        ),
        counter(
            "herd_places_retries",
            "Retries of requests to the provider.",
            &online.retries,
        ),
        counter(
            "herd_places_fallbacks",
            "Questions that the fallback answered in the provider's place.",
            &online.fallbacks,
        ),
        counter(
            "herd_places_timeouts",
            "WHATSATs that got an error because no answer of places came at all.",
            &service.places_timeouts,
        ),
    ]);
}
