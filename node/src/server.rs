//! One server, put together from its parts.

use std::sync::Arc;
use std::time::Duration;

use herd_crdt::Outcome;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::access::Access;
use crate::acknowledgement::Acknowledgements;
use crate::client_threads::ClientHandles;
use crate::clock::{self, SharedClock, SystemClock};
use crate::config::ServeSettings;
use crate::control::Control;
use crate::expiry::{ExpireAfter, Expiry, FloorWatch, HerdClocks};
use crate::frontend::{Frontend, FrontendSettings};
use crate::http;
use crate::http::{Endpoints, Health, HttpStatistics};
use crate::listeners::BoundSockets;
use crate::live::{Figures, HerdSource, Live, PropagationCounts};
use crate::locations::Locations;
use crate::metrics::{self, MetricsParts, MetricsSource};
use crate::places;
use crate::readiness::Facts;
use crate::replication::chance::Chance;
use crate::replication::link::network::TcpNetwork;
use crate::replication::links::{LinkObserver, Links};
use crate::replication::run::Replication;
use crate::replication::stored_floor::StoredFloor;
use crate::replication::storing::StorageState;
use crate::status::StatusSource;
use crate::wire_log::WireLog;

mod error;
mod opening;
mod parts;

pub use error::ServerError;
use opening::{OnDisk, herd_view, network, open_certificates, open_on_disk, store_in};
use parts::{Part, watch_parts};

/// How long the last lines of the wire log may take to the disk.
const WIRE_LOG_PATIENCE: Duration = Duration::from_secs(1);

/// How a server is told to stop, in this order.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// It is not ready any more, and goes on serving all the same.
    pub drain: CancellationToken,
    /// It stops.
    pub stop: CancellationToken,
    /// Not to stop: its files were moved away, and it is to open them anew.
    pub reopen: Arc<Notify>,
}

/// Serves, clients on the threads of `clients`, until `stop.stop`, then lets replies in flight finish, hands what clients reported last to
/// a neighbour, and returns. From `stop.drain` on it says that it is not ready.
///
/// # Errors
/// A part of the server failed; all others are ended.
pub async fn run(
    settings: ServeSettings,
    bound: BoundSockets,
    clients: ClientHandles,
    stop: Stop,
) -> Result<(), ServerError> {
    let shutdown = stop.stop.clone();
    let clock: SharedClock = Arc::new(SystemClock);
    let Some(on_disk) = open_on_disk(&settings, &clock, &shutdown).await? else {
        // Told to stop meanwhile.
        return Ok(());
    };
    let OnDisk {
        wire_log: (wire_log, wire_log_writer),
        data_folder,
        control_socket,
    } = on_disk;
    let (places, places_statistics) = places::open_places(&settings.places, clock.clone())?;
    let locations = Arc::new(Locations::default());
    let durability = &settings.durability;
    let acknowledgements = Arc::new(Acknowledgements::new(
        durability.ack,
        durability.ack_timeout,
    ));
    let reopening = reopen_files(stop.reopen.clone(), wire_log.clone());
    let observer = wire_log
        .clone()
        .map(|log| Arc::new(log) as Arc<dyn LinkObserver>);
    let chance = Chance::new(clock.clone(), rand::random());
    let mut replication = Replication::new(
        herd_view(&settings),
        locations.clone(),
        chance,
        observer,
        acknowledgements.clone(),
    )
    .with_allowed_skew(settings.max_clock_skew)
    .with_strangers_per_address(settings.limits.peer_connections_per_address_max)
    .with_expiry(settings.expire_after.is_some());
    if let Some(folder) = data_folder {
        replication = replication.with_store(store_in(folder, &settings));
    }
    let control = Control::new(
        locations.clone(),
        clock.clone(),
        settings.max_clock_skew,
        acknowledgements.clone(),
    )
    .with_expiry(settings.expire_after.map(ExpireAfter::new));
    let tls = open_certificates(&settings, &clock)?;
    let mut frontend_settings = FrontendSettings::new(settings.name.clone());
    frontend_settings.bulk = Some(clients.bulk.clone());
    frontend_settings.tls.clone_from(&tls.clients);
    frontend_settings.max_clock_skew = settings.max_clock_skew.unwrap_or(Duration::ZERO);
    frontend_settings.expire_after = settings.expire_after.map(ExpireAfter::new);
    frontend_settings.connections_max = settings.limits.connections_max;
    frontend_settings.line_bytes_max = settings.limits.line_bytes_max;
    frontend_settings.limits = settings.limits.clients;
    let access = settings.limits.tokens.clone();
    let access = access.map(|(path, tokens)| Access::new(path, tokens));
    frontend_settings.access.clone_from(&access);
    let expiry = match settings.expire_after {
        Some(after) => {
            info!(
                after = %humantime::format_duration(after),
                "records expire; all servers must use the same time"
            );
            let links = replication.links().clone();
            let (of_clocks, of_rejoin) = (links.clone(), links.clone());
            let herd = HerdClocks {
                has_neighbours: !links.neighbours().is_empty(),
                offsets_ns: Box::new(move || of_clocks.clock_offsets_ns()),
                rejoin: Box::new(move || of_rejoin.rejoin()),
            };
            let (locations, clock) = (locations.clone(), clock.clone());
            Some(async move {
                let store = StoredFloor::new(links);
                let floor_ns = store.at_start().await;
                Expiry::new(after, floor_ns, locations, clock, Arc::new(store), herd).await
            })
        }
        None => None,
    };
    let frontend = Frontend::new(
        frontend_settings,
        locations.clone(),
        acknowledgements,
        clock.clone(),
        places,
        wire_log,
    );
    let floor = settings
        .expire_after
        .map(|after| FloorWatch::new(after, locations.clone(), clock.clone()));
    let health = health(
        &frontend,
        replication.links(),
        clock.clone(),
        floor.clone(),
        stop,
    );
    let status = Arc::new(StatusSource::new(
        settings.topology.clone(),
        replication.links().clone(),
        locations.clone(),
        health.clone(),
        clock.clone(),
        durability.ack,
        &settings.places,
    ));
    let http_statistics: Arc<HttpStatistics> = Arc::default();
    let live = live_page(
        &settings,
        &bound,
        &locations,
        replication.links(),
        &clock,
        &http_statistics,
        &shutdown,
    );
    let parts = MetricsParts {
        status: status.clone(),
        frontend: frontend.statistics(),
        locations: locations.clone(),
        floor,
        links: replication.links().clone(),
        access: access.clone(),
        tls: tls.clone(),
        http: http_statistics.clone(),
        places: places_statistics,
    };
    let metrics = MetricsSource::new(parts, &clock);
    let endpoints = Endpoints {
        health,
        status: Box::new(move || status.look()),
        metrics: Box::new(move || metrics::render(metrics.look())),
        shows_locations: settings.http.shows_locations,
        page: live.clone(),
    };
    log_addresses(&settings, &bound);
    let network = network(TcpNetwork::new(bound.peer), &tls, &clock);
    places::log_choice(&settings.places);

    // Replication ends last: it carries on what the frontend took in.
    let stop_replication = CancellationToken::new();
    let mut parts = JoinSet::new();
    if let Some(listener) = bound.http {
        let routes = http::guarded(http::routes(endpoints), access.clone());
        let names = http::OwnNames::new(&settings.topology, &settings.http.hosts);
        let routes = http::for_own_names(routes, names);
        let http = http::serve(
            listener,
            routes,
            settings.limits.http(),
            http_statistics,
            shutdown.clone(),
        );
        parts.spawn(async {
            http.await;
            Part::Http
        });
    }
    let until = shutdown.clone();
    parts.spawn(async move {
        // It has no end of its own.
        until.run_until_cancelled(reopening).await;
        Part::Files
    });
    if let Some(access) = access {
        let following = access.follow(shutdown.clone());
        parts.spawn(async {
            following.await;
            Part::Access
        });
    }
    if let Some(live) = live {
        let links = replication.links().clone();
        let figures = move || figures(&locations, &links);
        parts.spawn(async {
            live.run(figures).await;
            Part::Page
        });
    }
    let serving = frontend.serve(bound.client, shutdown.clone());
    let serving = async {
        serving.await;
        Part::Frontend
    };
    parts.spawn_on(serving, &clients.prompt);
    if let Some(socket) = control_socket {
        let serving = control.serve(socket, shutdown.clone());
        parts.spawn(async {
            serving.await;
            Part::Control
        });
    }
    let replicating = replication.run(network, stop_replication.clone());
    parts.spawn(async { Part::Replication(replicating.await) });
    if let Some(live) = tls.links {
        let watching = live.watch(stop_replication.clone());
        parts.spawn(async {
            watching.await;
            Part::Certificates
        });
    }
    if let Some(live) = tls.clients {
        let watching = live.watch(stop_replication.clone());
        parts.spawn(async {
            watching.await;
            Part::Certificates
        });
    }
    if let Some(expiry) = expiry {
        let stop = stop_replication.clone();
        parts.spawn(async move {
            // It waits for the store, and the disk may hang.
            if let Some(expiry) = stop.run_until_cancelled(expiry).await {
                expiry.run(stop).await;
            }
            Part::Expiry
        });
    }

    let ended = watch_parts(&mut parts, &shutdown, &stop_replication).await;
    parts.shutdown().await;
    if let Some(writer) = wire_log_writer
        && let Err(error) = writer.close(WIRE_LOG_PATIENCE).await
    {
        error!(%error, "the last lines of the wire log may be lost");
    }
    ended
}

/// Opens files anew whenever it is asked to.
async fn reopen_files(asked: Arc<Notify>, wire_log: Option<WireLog>) {
    loop {
        asked.notified().await;
        match &wire_log {
            Some(log) => log.reopen(),
            None => info!("SIGHUP: there is no wire log to open anew"),
        }
    }
}

/// What `/healthz` and `/readyz` look at. The ports are bound by now.
fn health(
    frontend: &Frontend,
    links: &Arc<Links>,
    clock: SharedClock,
    floor: Option<FloorWatch>,
    stop: Stop,
) -> Arc<Health> {
    let mut pulses = vec![frontend.pulse()];
    pulses.extend(links.pulses().all());
    let (links, started) = (links.clone(), Instant::now());
    let facts = move || Facts {
        up_for: started.elapsed(),
        draining: stop.drain.is_cancelled() || stop.stop.is_cancelled(),
        clock_fault: clock::fault(clock.now_ns()).or_else(|| {
            let apart = links.clocks().most_disagree();
            apart.then_some(
                "its clock and those of most neighbours differ by more than the allowed skew",
            )
        }),
        floor_fault: floor
            .as_ref()
            .and_then(|floor| Some(floor.fault()?.to_string())),
        store_fault: match &*links.storage().borrow() {
            StorageState::Ephemeral | StorageState::Open => None,
            StorageState::Loading => Some("reading its store".to_owned()),
            StorageState::Failed(error) => Some(format!("its store has failed: {error}")),
        },
        catch_up: links.catch_up(),
        linkless_for: links.linkless_for(),
    };
    Health::new(pulses, Box::new(facts))
}

/// The live page, where locations are shown.
fn live_page(
    settings: &ServeSettings,
    bound: &BoundSockets,
    locations: &Arc<Locations>,
    links: &Arc<Links>,
    clock: &SharedClock,
    http_statistics: &Arc<HttpStatistics>,
    shutdown: &CancellationToken,
) -> Option<Arc<Live>> {
    if bound.http.is_none() || !settings.http.shows_locations {
        return None;
    }
    let herd = HerdSource {
        topology: settings.topology.clone(),
        links: links.clone(),
    };
    // Whoever else answers WHATSAT: a page shows places of the embedded table only.
    let places = settings.places.embedded.clone();
    Some(Live::new(
        locations.clone(),
        herd,
        places,
        clock.clone(),
        (settings.limits.viewers_max, http_statistics.clone()),
        shutdown.clone(),
    ))
}

/// What the live page draws over time.
fn figures(locations: &Locations, links: &Links) -> Figures {
    let taken_in = [Outcome::New, Outcome::Newer, Outcome::TieWon];
    let outcomes = locations.outcomes();
    let mut propagation = PropagationCounts::default();
    for histogram in links.propagation().values() {
        propagation.add(&histogram.view());
    }
    Figures {
        updates: taken_in.map(|outcome| outcomes.get(outcome)).iter().sum(),
        propagation,
    }
}

fn log_addresses(settings: &ServeSettings, bound: &BoundSockets) {
    let address = |listener: &TcpListener| {
        listener
            .local_addr()
            .map_or("?".to_owned(), |address| address.to_string())
    };
    info!(
        server = %settings.name,
        cluster = %settings.topology.cluster(),
        clients = address(&bound.client),
        peers = address(&bound.peer),
        http = bound.http.as_ref().map_or("off".to_owned(), address),
        "listening"
    );
    match (&bound.http, settings.http.shows_locations) {
        (None, _) => info!("no HTTP: nothing can ask whether this server is well"),
        (Some(_), true) if settings.limits.tokens.is_some() => {
            info!(
                "http_locations is on: who shows a token with the scope http sees the herd and where clients are"
            );
        }
        (Some(_), true) => {
            info!("http_locations is on: whoever reaches HTTP sees the herd and where clients are");
        }
        (Some(_), false) => {
            info!("http_locations is off: HTTP shows neither where clients are nor the herd");
        }
    }
}

/// The wire log notes new and dropped connections from other servers.
impl LinkObserver for WireLog {
    fn link_made(&self, neighbour: &str, remote: &str) {
        self.peer_connected(neighbour, remote);
    }

    fn link_lost(&self, neighbour: &str, remote: &str, reason: &str) {
        self.peer_disconnected(neighbour, remote, reason);
    }
}
