//! One server, put together from its parts.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use herd_crdt::Outcome;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::access::Access;
use crate::acknowledgement::{AckLevel, Acknowledgements};
use crate::client_threads::ClientHandles;
use crate::clock::{self, SharedClock, SystemClock};
use crate::config::{LinkSecurity, ServeSettings};
use crate::control::{self, Control, ControlSocket, ControlSocketError, SocketChoice};
use crate::expiry::{Expiry, HerdClocks};
use crate::frontend::{Frontend, FrontendSettings};
use crate::http;
use crate::http::{Endpoints, Health, HttpStatistics};
use crate::listeners::BoundSockets;
use crate::live::{Figures, HerdSource, Live, PropagationCounts};
use crate::locations::Locations;
use crate::metrics::{self, MetricsParts, MetricsSource};
use crate::places;
use crate::places::online::ClientError;
use crate::readiness::Facts;
use crate::replication::chance::Chance;
use crate::replication::link::network::{Network, TcpNetwork};
use crate::replication::link::tls_network::TlsNetwork;
use crate::replication::links::{HerdView, LinkObserver, Links};
use crate::replication::neighbour::NeighbourConfig;
use crate::replication::run::{Replication, ReplicationEnd};
use crate::replication::stored_floor::StoredFloor;
use crate::replication::storing::{StorageState, StoreSource};
use crate::status::StatusSource;
use crate::storage::{DataFolder, DataFolderError, FjallStore, Store, SyncPolicy};
use crate::tls::TlsError;
use crate::tls::link::LinkCredentials;
use crate::tls::reload;
use crate::tls::status::TlsStatus;
use crate::wire_log::{WireLog, WireLogError, WireLogWriter};

/// How long the last lines of the wire log may take to the disk.
const WIRE_LOG_PATIENCE: Duration = Duration::from_secs(1);

/// How much of what clients reported a loss of power may take where no reply waits for the disk.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// Why a server ended though nobody told it to.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A part panicked: a defect. The panic was logged.
    #[error(
        "BUG: a part of the server panicked, and so it ends: see the lines before. What was synced to \
         disk or merged by a neighbour is safe. Start it again, and report this"
    )]
    Panicked,
    /// A part ended by itself: a defect.
    #[error(
        "BUG: {0} ended by itself, and so the server ends. What was synced to disk or merged by a \
         neighbour is safe. Start it again, and report this"
    )]
    Ended(&'static str),
    /// The wire log cannot be written. Nothing was served.
    #[error("nothing was served, for the wire log cannot be kept: {0}")]
    WireLog(#[from] WireLogError),
    /// The data folder cannot be used. Nothing was served.
    #[error(transparent)]
    DataFolder(#[from] DataFolderError),
    /// There can be no client of the provider of places. Nothing was served.
    #[error("nothing was served, for the provider of places cannot be asked: {0}")]
    Places(#[from] ClientError),
    /// Certificates cannot be used any more, which could be when settings were read. Nothing was served.
    #[error(
        "cannot use certificates: {}",
        .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    Certificates(Vec<TlsError>),
    /// There can be no control socket. Nothing was served.
    #[error(transparent)]
    ControlSocket(#[from] ControlSocketError),
    /// A newer process of the same name is alive; the herd talks to that one.
    #[error(
        "a newer process of this server's name is alive, so this one ends; what it heard is with its \
         neighbours. If both are meant to run, give each a name of its own"
    )]
    Superseded,
}

/// How a server is told to stop, in this order.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// It is not ready any more, and goes on serving all the same.
    pub drain: CancellationToken,
    /// It stops.
    pub stop: CancellationToken,
}

/// A part of a server, ended.
enum Part {
    Http,
    Frontend,
    Control,
    Replication(ReplicationEnd),
    Expiry,
    Page,
    Certificates,
    Access,
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
    let (wire_log, wire_log_writer) = open_wire_log(&settings, &clock)?;
    let (places, places_statistics) = places::open_places(&settings.places, clock.clone())?;
    let data_folder = open_data_folder(&settings)?;
    let control_socket = open_control_socket(&settings.control_socket)?;
    let locations = Arc::new(Locations::default());
    let durability = &settings.durability;
    let acknowledgements = Arc::new(Acknowledgements::new(
        durability.ack,
        durability.ack_timeout,
    ));
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
    .with_expiry(settings.expire_after.is_some());
    if let Some(folder) = data_folder {
        replication = replication.with_store(store_in(folder, durability.ack));
    }
    let control = Control::new(
        locations.clone(),
        clock.clone(),
        settings.max_clock_skew,
        acknowledgements.clone(),
    );
    let tls = open_certificates(&settings, &clock)?;
    let mut frontend_settings = FrontendSettings::new(settings.name.clone());
    frontend_settings.bulk = Some(clients.bulk.clone());
    frontend_settings.tls.clone_from(&tls.clients);
    frontend_settings.max_clock_skew = settings.max_clock_skew.unwrap_or(Duration::ZERO);
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
    let health = health(&frontend, replication.links(), clock.clone(), stop);
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
        // Where that is not known, the stricter rule holds.
        let bound = listener.local_addr();
        let bound = bound.unwrap_or_else(|_| (Ipv4Addr::LOCALHOST, 0).into());
        let routes = http::for_own_names(routes, bound);
        let http = http::serve(
            listener,
            routes,
            http::Limits {
                connections_max: settings.limits.http_connections_max,
                ..http::Limits::default()
            },
            http_statistics,
            shutdown.clone(),
        );
        parts.spawn(async {
            http.await;
            Part::Http
        });
    }
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
        parts.spawn(async {
            expiry.await.run(stop).await;
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

async fn watch_parts(
    parts: &mut JoinSet<Part>,
    shutdown: &CancellationToken,
    stop_replication: &CancellationToken,
) -> Result<(), ServerError> {
    while let Some(ended) = parts.join_next().await {
        let stopping = shutdown.is_cancelled();
        match ended.map_err(|_| ServerError::Panicked)? {
            Part::Replication(ReplicationEnd::Superseded) => return Err(ServerError::Superseded),
            Part::Http if !stopping => return Err(ServerError::Ended("the HTTP server")),
            Part::Frontend if !stopping => return Err(ServerError::Ended("the text frontend")),
            Part::Control if !stopping => return Err(ServerError::Ended("the control socket")),
            Part::Replication(ReplicationEnd::Stopped) if !stopping => {
                return Err(ServerError::Ended("replication"));
            }
            Part::Certificates if !stopping => {
                return Err(ServerError::Ended("watching certificates"));
            }
            Part::Expiry if !stopping => return Err(ServerError::Ended("expiry")),
            Part::Page if !stopping => return Err(ServerError::Ended("the live page")),
            Part::Access if !stopping => {
                return Err(ServerError::Ended("following the tokens file"));
            }
            Part::Frontend => stop_replication.cancel(),
            Part::Http
            | Part::Control
            | Part::Expiry
            | Part::Page
            | Part::Certificates
            | Part::Access
            | Part::Replication(ReplicationEnd::Stopped) => {}
        }
    }
    Ok(())
}

/// What `/healthz` and `/readyz` look at. The ports are bound by now.
fn health(frontend: &Frontend, links: &Arc<Links>, clock: SharedClock, stop: Stop) -> Arc<Health> {
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
        store_fault: match &*links.storage().borrow() {
            StorageState::Ephemeral | StorageState::Open => None,
            StorageState::Loading => Some("reading its store".to_owned()),
            StorageState::Failed(error) => Some(format!("its store has failed: {error}")),
        },
        catch_up: links.catch_up(),
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

fn open_data_folder(settings: &ServeSettings) -> Result<Option<DataFolder>, DataFolderError> {
    let Some(path) = &settings.durability.data_dir else {
        return Ok(None);
    };
    DataFolder::open(path, &settings.name, settings.topology.cluster()).map(Some)
}

/// The store in a data folder, which it holds for as long as it is open. Where replies wait for the disk everything is synced at once, else
/// every [`SYNC_INTERVAL`].
fn store_in(folder: DataFolder, ack: AckLevel) -> StoreSource {
    let policy = if ack.needs_disk() {
        SyncPolicy::EachCommit
    } else {
        SyncPolicy::Every(SYNC_INTERVAL)
    };
    let open = move || FjallStore::open(folder).map(|store| Box::new(store) as Box<dyn Store>);
    StoreSource::Disk(Box::new(open), policy)
}

fn open_wire_log(
    settings: &ServeSettings,
    clock: &SharedClock,
) -> Result<(Option<WireLog>, Option<WireLogWriter>), WireLogError> {
    match &settings.wire_log {
        Some(path) => {
            let (log, writer) = WireLog::open(path, clock.clone())?;
            let may_store = settings.places.may_be_stored();
            let log = if may_store { log } else { log.without_places() };
            Ok((Some(log), Some(writer)))
        }
        None => Ok((None, None)),
    }
}

/// The certificates of links and of the client port, and what to warn about.
fn open_certificates(
    settings: &ServeSettings,
    clock: &SharedClock,
) -> Result<TlsStatus, ServerError> {
    let mut status = TlsStatus::default();
    match &settings.tls.links {
        LinkSecurity::Certificates(material) => {
            let live = reload::Live::load(material.clone(), clock.clone());
            status.links = Some(live.map_err(ServerError::Certificates)?);
        }
        LinkSecurity::Loopback => {}
        LinkSecurity::Insecure => status.links_insecure = true,
    }
    if let Some(material) = &settings.tls.clients {
        let live = reload::Live::load(material.clone(), clock.clone());
        status.clients = Some(live.map_err(ServerError::Certificates)?);
    }
    Ok(status)
}

/// The way to the neighbours.
fn network(tcp: TcpNetwork, tls: &TlsStatus, clock: &SharedClock) -> Arc<dyn Network> {
    if tls.links_insecure {
        warn!(
            "links to other servers have no certificates (insecure_links): anyone on the way can read \
             them, and join the herd"
        );
    }
    match &tls.links {
        Some(live) => {
            let credentials = LinkCredentials::new(live.clone(), clock.clone());
            Arc::new(TlsNetwork::new(tcp, credentials))
        }
        None => Arc::new(tcp),
    }
}

fn open_control_socket(choice: &SocketChoice) -> Result<Option<ControlSocket>, ControlSocketError> {
    match choice {
        SocketChoice::Off => Ok(None),
        SocketChoice::At(path) => ControlSocket::bind(path).map(Some),
        SocketChoice::DefaultTooLong(path) => {
            warn!(
                "no control socket: {} is longer than {} bytes; set control_socket to a shorter path",
                path.display(),
                control::SOCKET_PATH_BYTES_MAX
            );
            Ok(None)
        }
    }
}

/// Of the two servers of a link, the earlier one of the topology connects.
fn herd_view(settings: &ServeSettings) -> HerdView {
    let topology = &settings.topology;
    let own_index = topology.index_of(&settings.name);
    let neighbours = topology
        .neighbours(&settings.name)
        .map(|neighbour| NeighbourConfig {
            name: neighbour.name.clone(),
            address: neighbour.peer.to_string(),
            dials: own_index < topology.index_of(&neighbour.name),
        })
        .collect();
    HerdView {
        cluster: topology.cluster().to_string(),
        me: settings.name.clone(),
        servers: topology
            .servers()
            .iter()
            .map(|server| server.name.clone())
            .collect(),
        neighbours,
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
