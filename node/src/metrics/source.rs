//! From what the parts of a server counted to families.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use herd_crdt::Outcome as Merge;

use super::encode::{Family, Labels};
use super::guards::{certificates, limits, strangers, tokens};
use super::process;
use crate::access::Access;
use crate::clock::SharedClock;
use crate::frontend::{Outcome, Statistics, Word};
use crate::histogram::HistogramView;
use crate::http::HttpStatistics;
use crate::locations::Locations;
use crate::places::online::OnlineStatistics;
use crate::replication::links::Links;
use crate::replication::neighbour::LinkCounts;
use crate::status::{Status, StatusSource};
use crate::storage::{SYNC_BUCKET_ENDS_MS, WriterFigures};
use crate::tls::status::TlsStatus;

/// Where a scrape finds what was counted.
pub struct MetricsParts {
    /// What `/status` says.
    pub status: Arc<StatusSource>,
    /// Clients and their commands.
    pub frontend: Arc<Statistics>,
    /// The map.
    pub locations: Arc<Locations>,
    /// Links, slots and the store.
    pub links: Arc<Links>,
    /// The tokens, if any are needed.
    pub access: Option<Arc<Access>>,
    /// Certificates of links and of the client port.
    pub tls: TlsStatus,
    /// HTTP connections.
    pub http: Arc<HttpStatistics>,
    /// The provider of places.
    pub places: Arc<OnlineStatistics>,
}

/// See the module.
pub struct MetricsSource {
    parts: MetricsParts,
    start_s: f64,
}

impl MetricsSource {
    /// The figures of a server that starts now.
    #[must_use]
    pub fn new(parts: MetricsParts, clock: &SharedClock) -> Self {
        MetricsSource {
            parts,
            start_s: clock.now_ns() as f64 / 1e9,
        }
    }

    /// All figures as they are now.
    #[must_use]
    pub fn look(&self) -> Vec<Family> {
        let status = self.parts.status.look();
        let mut families = Vec::new();
        server(&mut families, &status);
        clients(&mut families, &self.parts.frontend);
        tokens(&mut families, self.parts.access.as_deref());
        limits(
            &mut families,
            &self.parts.frontend.limits,
            &self.parts.places,
            &self.parts.http,
        );
        strangers(&mut families, &self.parts.http, &self.parts.links);
        certificates(&mut families, &self.parts.tls);
        map(&mut families, &status, &self.parts.locations);
        others(&mut families, &status, &self.parts.links);
        links(&mut families, &status, &self.parts.links);
        publishing(&mut families, &self.parts.links);
        storage(&mut families, &status, &self.parts.links);
        places(&mut families, &self.parts.frontend, &self.parts.places);
        process_figures(&mut families, self.start_s);
        families
    }
}

pub(super) fn counter(name: &'static str, help: &'static str, value: &AtomicU64) -> Family {
    Family::Counter(name, help, vec![(Vec::new(), load(value))])
}

pub(super) fn gauge(name: &'static str, help: &'static str, value: f64) -> Family {
    Family::Gauge(name, help, vec![(Vec::new(), value)])
}

pub(super) fn load(value: &AtomicU64) -> f64 {
    value.load(Ordering::Relaxed) as f64
}

pub(super) fn label(name: &'static str, value: &str) -> Labels {
    vec![(name, value.to_owned())]
}

pub(super) fn flag(set: bool) -> f64 {
    f64::from(u8::from(set))
}

fn server(families: &mut Vec<Family>, status: &Status) {
    let labels = vec![
        ("version", status.program.clone()),
        ("cluster", status.cluster.clone()),
        ("server", status.server.clone()),
    ];
    families.extend([
        Family::Gauge(
            "herd_server_info",
            "The version, the herd and the server; always 1.",
            vec![(labels, 1.0)],
        ),
        gauge(
            "herd_ready",
            "1 if clients should be sent here, as /readyz says, else 0.",
            flag(status.ready),
        ),
    ]);
}

/// What became of a command, as labels say it.
fn outcome_label(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::IamatTaken => "taken",
        Outcome::IamatInvalid | Outcome::WhatsatInvalid | Outcome::OtherInvalid => "invalid",
        Outcome::IamatAhead => "ahead",
        Outcome::IamatFull => "full",
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

fn clients(families: &mut Vec<Family>, statistics: &Statistics) {
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
        gauge(
            "herd_client_connections",
            "Connections of clients that are open.",
            load(&statistics.connections_open),
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

fn map(families: &mut Vec<Family>, status: &Status, locations: &Locations) {
    let merges = [
        (Merge::New, "new"),
        (Merge::Newer, "newer"),
        (Merge::Same, "same"),
        (Merge::Stale, "stale"),
        (Merge::TieWon, "tie_won"),
        (Merge::TieLost, "tie_lost"),
        (Merge::Expired, "expired"),
    ]
    .map(|(outcome, name)| {
        (
            label("outcome", name),
            locations.outcomes().get(outcome) as f64,
        )
    });
    families.extend([
        gauge(
            "herd_clients",
            "Clients whose location this server holds.",
            status.map.clients as f64,
        ),
        gauge(
            "herd_records_pending",
            "Records that wait to be published.",
            status.map.pending as f64,
        ),
        gauge(
            "herd_clients_slowed",
            "1 while clients are read more slowly, since replication does not keep up, else 0.",
            flag(status.map.slowed),
        ),
        Family::Counter(
            "herd_merges",
            "Records that met the map, from clients and servers, by what came of it.",
            merges.into(),
        ),
    ]);
}

fn others(families: &mut Vec<Family>, status: &Status, links: &Links) {
    let servers = &status.servers;
    let of = |value: fn(&crate::status::OtherServer) -> Option<f64>| {
        let figures = servers
            .iter()
            .filter_map(|server| Some((label("origin", &server.name), value(server)?)));
        figures.collect::<Vec<_>>()
    };
    let travels = links.propagation().iter();
    let travels = travels.map(|(name, histogram)| (label("origin", name), histogram.view()));
    families.extend([
        Family::Gauge(
            "herd_server_alive",
            "1 if another server counts as alive here, else 0.",
            of(|server| Some(flag(server.alive))),
        ),
        Family::Gauge(
            "herd_server_last_heard_seconds",
            "How long ago the last sign of life of another server was; none if it never gave one.",
            of(|server| server.last_heard_ms.map(|ms| ms as f64 / 1e3)),
        ),
        Family::Gauge(
            "herd_origin_lag_groups",
            "Groups of another server that this one or a neighbour knows of and that are not merged here.",
            of(|server| server.lag_groups.map(|groups| groups as f64)),
        ),
        Family::Histogram(
            "herd_propagation_seconds",
            "From receipt of a report at its server to receipt here; one for each group with news.",
            travels.collect(),
        ),
    ]);
}

/// A figure of each link.
type LinkFigure = (&'static str, &'static str, fn(&LinkCounts) -> &AtomicU64);

const LINK_FIGURES: [LinkFigure; 10] = [
    (
        "herd_link_connects",
        "Times that the link was made.",
        |counts| &counts.connects,
    ),
    (
        "herd_link_dropped_messages",
        "Messages dropped, since the link was down or too slow.",
        |counts| &counts.messages_dropped,
    ),
    (
        "herd_link_rounds",
        "Rounds of gossip that this server began.",
        |counts| &counts.rounds,
    ),
    (
        "herd_link_rounds_timed_out",
        "Rounds of these that did not end in time.",
        |counts| &counts.rounds_timed_out,
    ),
    (
        "herd_link_sent_deltas",
        "Messages with a delta that were sent.",
        |counts| &counts.deltas_sent,
    ),
    (
        "herd_link_received_deltas",
        "Messages with a delta that were received.",
        |counts| &counts.deltas_received,
    ),
    ("herd_link_sent_frames", "Frames sent.", |counts| {
        &counts.frames_sent
    }),
    ("herd_link_received_frames", "Frames received.", |counts| {
        &counts.frames_received
    }),
    ("herd_link_sent_bytes", "Bytes sent in frames.", |counts| {
        &counts.bytes_sent
    }),
    (
        "herd_link_received_bytes",
        "Bytes received in frames.",
        |counts| &counts.bytes_received,
    ),
];

fn links(families: &mut Vec<Family>, status: &Status, links: &Links) {
    let of = |value: fn(&crate::status::LinkStatus) -> Option<f64>| {
        let figures = status
            .links
            .iter()
            .filter_map(|link| Some((label("neighbour", &link.neighbour), value(link)?)));
        figures.collect::<Vec<_>>()
    };
    families.extend([
        Family::Gauge(
            "herd_link_up",
            "1 while there is a connection to the neighbour, else 0.",
            of(|link| Some(flag(link.up))),
        ),
        Family::Gauge(
            "herd_link_lag_groups",
            "Groups of this server that the neighbour has not merged; none while it has not said.",
            of(|link| link.lag_groups.map(|groups| groups as f64)),
        ),
        Family::Gauge(
            "herd_link_clock_offset_seconds",
            "The neighbour's wall clock less ours; none while it has not said.",
            of(|link| link.clock_offset_ms.map(|ms| ms as f64 / 1e3)),
        ),
    ]);
    for (name, help, count) in LINK_FIGURES {
        let figures = links.neighbours().iter().map(|neighbour| {
            let labels = label("neighbour", &neighbour.config.name);
            (labels, load(count(&neighbour.counts)))
        });
        families.push(Family::Counter(name, help, figures.collect()));
    }
}

fn publishing(families: &mut Vec<Family>, links: &Links) {
    let slots = links.slots();
    let replication = links.status();
    let by_state = [("used", slots.slots - slots.free), ("free", slots.free)]
        .map(|(state, count)| (label("state", state), count as f64));
    families.extend([
        Family::Gauge(
            "herd_slots",
            "Slots of this server, with live records in them or free.",
            by_state.into(),
        ),
        gauge(
            "herd_slot_live_records",
            "Records that live in the slots of this server.",
            slots.live_records as f64,
        ),
        Family::Counter(
            "herd_published_groups",
            "Groups that this incarnation set in its slots.",
            vec![(Vec::new(), slots.version as f64)],
        ),
        Family::Counter(
            "herd_adopted_records",
            "Records that this incarnation took over from servers that were gone.",
            vec![(Vec::new(), replication.adopted as f64)],
        ),
        Family::Counter(
            "herd_given_up_records",
            "Publications that this incarnation gave up to servers of lower rank.",
            vec![(Vec::new(), replication.given_up as f64)],
        ),
        gauge(
            "herd_known_incarnations",
            "Incarnations of other servers that gossip knows, dead ones included.",
            replication.members.len() as f64,
        ),
        gauge(
            "herd_buried_incarnations",
            "Dead ones of these whose copies are empty here.",
            replication.buried.len() as f64,
        ),
        Family::Counter(
            "herd_suppressed_messages",
            "Messages of gossip that were for nobody's neighbour, or not yet allowed.",
            vec![(Vec::new(), links.suppressed() as f64)],
        ),
    ]);
}

fn storage(families: &mut Vec<Family>, status: &Status, links: &Links) {
    let writer = links.store_writer();
    let figures = writer.map_or_else(WriterFigures::default, |writer| writer.figures());
    let states = ["ephemeral", "loading", "open", "failed"]
        .map(|state| (label("state", state), flag(status.storage.state == state)));
    let total =
        |name, help, value: u64| Family::Counter(name, help, vec![(Vec::new(), value as f64)]);
    families.extend([
        Family::Gauge(
            "herd_storage_state",
            "1 for the state that the store is in, 0 for the others.",
            states.into(),
        ),
        total(
            "herd_storage_commits",
            "Commits to the store that succeeded.",
            figures.commits,
        ),
        total(
            "herd_storage_writes",
            "Writes in these commits.",
            figures.writes,
        ),
        total(
            "herd_storage_written_bytes",
            "Bytes of groups in these commits.",
            figures.group_bytes,
        ),
        Family::Histogram(
            "herd_storage_sync_duration_seconds",
            "How long it took until what was committed was on the disk.",
            vec![(Vec::new(), syncs(&figures))],
        ),
        gauge(
            "herd_storage_queue_writes",
            "Writes that wait for the store.",
            figures.queue_writes as f64,
        ),
        gauge(
            "herd_storage_queue_bytes",
            "The same in bytes.",
            figures.queue_bytes as f64,
        ),
    ]);
}

fn syncs(figures: &WriterFigures) -> HistogramView {
    let ends = SYNC_BUCKET_ENDS_MS.map(|ms| Duration::from_millis(ms).as_secs_f64());
    let ends = ends.into_iter().chain([f64::INFINITY]);
    HistogramView::new(ends.zip(figures.sync_buckets).collect(), figures.sync_total)
}

fn places(families: &mut Vec<Family>, frontend: &Statistics, online: &OnlineStatistics) {
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

/// Under the names that all programs give these.
fn process_figures(families: &mut Vec<Family>, start_s: f64) {
    let figures = process::look();
    families.push(gauge(
        "process_start_time_seconds",
        "When the server started, in seconds since the POSIX epoch.",
        start_s,
    ));
    if let Some(cpu) = figures.cpu {
        families.push(Family::Counter(
            "process_cpu_seconds",
            "Time on processors, of the program and of the system for it.",
            vec![(Vec::new(), cpu.as_secs_f64())],
        ));
    }
    let gauges = [
        (
            "process_resident_memory_bytes",
            "Memory that is in RAM.",
            figures.resident_bytes,
        ),
        (
            "process_open_fds",
            "File descriptors that are open.",
            figures.open_fds,
        ),
        (
            "process_max_fds",
            "The most file descriptors that may be open.",
            figures.max_fds,
        ),
        ("process_threads", "Threads.", figures.threads),
    ];
    for (name, help, value) in gauges {
        if let Some(value) = value {
            families.push(gauge(name, help, value as f64));
        }
    }
}
