//! Makes families of the counts of a server's parts.

use std::sync::Arc;
use std::time::Duration;

use herd_crdt::Outcome as Merge;

use super::commands::{clients, places};
use super::family::{Family, flag, gauge, label, load};
use super::guards::{certificates, gossip, limits, strangers, tokens};
use super::http_json::http_json;
use super::process;
use super::replication::{links, others, publishing};
use super::searches::searches;
use super::watches::watches;
use crate::access::Access;
use crate::frontend::Statistics;
use crate::http::HttpStatistics;
use crate::http_json::HttpApiStatistics;
use crate::location_service::LocationService;
use crate::logging;
use crate::status::{Status, StatusSource};
use herd_clock::clock::SharedClock;
use herd_expiry::FloorWatch;
use herd_gossip::links::Links;
use herd_locations::{Locations, Room};
use herd_places::online::OnlineStatistics;
use herd_replication::figures::Figures;
use herd_replication::store_handle::StoreHandle;
use herd_replication::view::Erasing;
use herd_storage::{SYNC_BUCKET_ENDS_MS, WriterFigures};
use herd_telemetry::histogram::HistogramView;
use herd_tls::status::TlsStatus;

/// The sources of the counts for a scrape.
pub struct MetricsParts {
    /// The source of `/status`.
    pub status: Arc<StatusSource>,
    /// Clients and their commands.
    pub frontend: Arc<Statistics>,
    /// The operations, and the map.
    pub service: Arc<LocationService>,
    /// The floor of expiry, where records expire.
    pub floor: Option<FloorWatch>,
    /// Links, slots and the store.
    pub links: Arc<Links>,
    /// The figures of replication.
    pub replication: Arc<Figures>,
    /// The store.
    pub store: Arc<StoreHandle>,
    /// How many forgotten clients are not erased yet.
    pub erasing: Erasing,
    /// The tokens, if any are needed.
    pub access: Option<Arc<Access>>,
    /// Certificates of links and of the client port.
    pub tls: TlsStatus,
    /// HTTP connections.
    pub http: Arc<HttpStatistics>,
    /// HTTP/JSON, if it is on.
    pub api: Option<Arc<HttpApiStatistics>>,
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
        let counted = self.parts.service.statistics();
        clients(&mut families, &self.parts.frontend, counted);
        searches(&mut families, &self.parts.service);
        watches(&mut families, &self.parts.service);
        http_json(&mut families, self.parts.api.as_deref());
        tokens(&mut families, self.parts.access.as_deref());
        limits(
            &mut families,
            &self.parts.frontend.limits,
            counted,
            &self.parts.places,
            &self.parts.http,
        );
        gossip(&mut families, &self.parts.links);
        strangers(&mut families, &self.parts.http, &self.parts.links);
        certificates(&mut families, &self.parts.tls);
        map(
            &mut families,
            &status,
            self.parts.service.locations(),
            &self.parts.erasing,
        );
        room(&mut families, self.parts.service.room());
        floor(&mut families, self.parts.floor.as_ref());
        others(&mut families, &status, &self.parts.replication);
        links(&mut families, &status, &self.parts.links);
        publishing(&mut families, &self.parts.replication, &self.parts.links);
        storage(&mut families, &status, &self.parts.store);
        places(&mut families, counted, &self.parts.places);
        log_lines(&mut families);
        process_figures(&mut families, self.start_s);
        families
    }
}

fn server(families: &mut Vec<Family>, status: &Status) {
    let labels = vec![
        ("version", status.program.clone()),
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

fn map(families: &mut Vec<Family>, status: &Status, locations: &Locations, erasing: &Erasing) {
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
            "herd_tombstones",
            "Clients that are forgotten and whose tombstone this server holds.",
            status.map.tombstones as f64,
        ),
        gauge(
            "herd_forgotten_unerased",
            "Forgotten clients, at least, whose locations may still be in gossip or on this disk.",
            erasing.clients() as f64,
        ),
        gauge(
            "herd_client_memory_bytes",
            "Memory that clients and tombstones take, as max_client_bytes counts it.",
            locations.memory_bytes() as f64,
        ),
        gauge(
            "herd_records_pending",
            "Records that wait to be published.",
            status.map.pending as f64,
        ),
        gauge(
            "herd_clients_slowed",
            "1 while the server reads its clients more slowly because replication does not keep up, else 0.",
            flag(status.map.slowed),
        ),
        Family::Counter(
            "herd_merges",
            "Records that met the map, from clients and from servers, by outcome.",
            merges.into(),
        ),
    ]);
}

/// The bounds of the map; none for a bound that is off.
fn room(families: &mut Vec<Family>, room: Room) {
    let bound = |max: Option<usize>| {
        let sample = max.map(|max| (Vec::new(), max as f64));
        sample.into_iter().collect()
    };
    families.extend([
        Family::Gauge(
            "herd_clients_max",
            "Clients and tombstones beyond which reports of new clients are refused; missing where max_clients is off.",
            bound(room.clients_max),
        ),
        Family::Gauge(
            "herd_client_memory_max_bytes",
            "Memory of clients beyond which reports of new clients are refused; missing where max_client_bytes is off.",
            bound(room.bytes_max),
        ),
    ]);
}

fn floor(families: &mut Vec<Family>, floor: Option<&FloorWatch>) {
    let ahead_ns = floor.map_or(0, FloorWatch::ahead_ns);
    let keeps_out = floor.is_some_and(|floor| floor.fault().is_some());
    families.extend([
        gauge(
            "herd_expiry_floor_ahead_seconds",
            "Seconds by which the floor of expiry is ahead of the clock less expire_after; 0 if it is not.",
            ahead_ns as f64 / 1e9,
        ),
        gauge(
            "herd_expiry_floor_fault",
            "1 while the floor of expiry refuses reports of the present, else 0.",
            flag(keeps_out),
        ),
    ]);
}

fn storage(families: &mut Vec<Family>, status: &Status, store: &StoreHandle) {
    let writer = store.writer();
    let figures = writer.map_or_else(WriterFigures::default, |writer| writer.figures());
    let states = ["ephemeral", "loading", "open", "failed"]
        .map(|state| (label("state", state), flag(status.storage.state == state)));
    let total =
        |name, help, value: u64| Family::Counter(name, help, vec![(Vec::new(), value as f64)]);
    families.extend([
        Family::Gauge(
            "herd_storage_state",
            "1 for the state of the store, 0 for the other states.",
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
        total(
            "herd_storage_left_out_writes",
            "Writes that no store can hold and that were left out: a defect.",
            figures.left_out,
        ),
        Family::Histogram(
            "herd_storage_sync_duration_seconds",
            "Time until committed groups were on the disk.",
            vec![(Vec::new(), syncs(&figures))],
        ),
        gauge(
            "herd_storage_queue_writes",
            "Writes that wait for the store.",
            figures.queue_writes as f64,
        ),
        gauge(
            "herd_storage_queue_bytes",
            "Bytes that wait for the store.",
            figures.queue_bytes as f64,
        ),
    ]);
}

fn syncs(figures: &WriterFigures) -> HistogramView {
    let ends = SYNC_BUCKET_ENDS_MS.map(|ms| Duration::from_millis(ms).as_secs_f64());
    let ends = ends.into_iter().chain([f64::INFINITY]);
    HistogramView::new(ends.zip(figures.sync_buckets).collect(), figures.sync_total)
}

fn log_lines(families: &mut Vec<Family>) {
    let statistics = logging::statistics();
    let dropped = [
        ("repeated", &statistics.repeated),
        ("no_room", &statistics.no_room),
        ("not_written", &statistics.not_written),
    ];
    families.push(Family::Counter(
        "herd_log_lines_dropped",
        "Lines that are missing in the log: repeats, no room in the queue, or standard error did not take them.",
        dropped
            .map(|(reason, count)| (label("reason", reason), load(count)))
            .into(),
    ));
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
            "Processor time of the program, the system's work for it included.",
            vec![(Vec::new(), cpu.as_secs_f64())],
        ));
    }
    let gauges = [
        (
            "process_resident_memory_bytes",
            "Memory of the process that is in RAM.",
            figures.resident_bytes,
        ),
        (
            "process_open_fds",
            "Open file descriptors.",
            figures.open_fds,
        ),
        (
            "process_max_fds",
            "The limit on open file descriptors.",
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
