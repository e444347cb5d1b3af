//! One server, put together from its parts.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::client_threads::ClientHandles;
use crate::config::ServeSettings;
use crate::frontend::{Frontend, Protocol};
use crate::http::Health;
use crate::listeners::BoundSockets;
use crate::service_manager::ServiceManager;
use crate::wire_log::{WireLog, WireLogWriter};
use herd_clock::clock::{SharedClock, SystemClock};
use herd_gossip::link::network::TcpNetwork;
use herd_gossip::links::LinkObserver;

mod core;
mod error;
mod opening;
mod parts;
mod views;

use self::core::Core;
pub use error::ServerError;
use opening::{OnDisk, network, open_certificates, open_on_disk};
use parts::{Part, Parts};
use views::Views;

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
    /// The service manager, if there is one: it is told how the server is.
    pub manager: Option<Arc<ServiceManager>>,
}

/// Serves, clients on the threads of `clients`, until `stop.stop`, then lets replies in flight finish, hands the last
/// reports of clients to a neighbour, and returns. From `stop.drain` on it says that it is not ready.
///
/// # Errors
/// A part of the server failed; all others are ended.
pub async fn run(
    settings: ServeSettings,
    bound: BoundSockets,
    clients: ClientHandles,
    stop: Stop,
) -> Result<(), ServerError> {
    let clock: SharedClock = Arc::new(SystemClock);
    // 1. Everything that can fail or hang is opened before anything is served.
    let Some(on_disk) = open_on_disk(&settings, &clock, &stop.stop).await? else {
        // Told to stop meanwhile.
        return Ok(());
    };
    let OnDisk {
        wire_log: (wire_log, wire_log_writer),
        data_folder,
        control_socket,
    } = on_disk;
    let (places, places_statistics) = herd_places::open_places(&settings.places, clock.clone())?;
    let tls = open_certificates(&settings, &clock)?;

    // 2. The parts that work on the map, and the parts that observe them.
    let core = Core::new(settings, clock, tls);
    let replication = core.replication(data_folder, wire_log.clone());
    let (view, herd_clocks) = (replication.view(), replication.herd_clocks());
    let service = core.service(clients.bulk.clone(), places);
    let frontend = core.frontend(clients.bulk.clone(), service.clone(), wire_log.clone());
    let answering = (&frontend, &service);
    let views = Views::new(&core, answering, &view, &stop, bound.http.is_some());
    let (tell_status, health) = (views.tell_status(), views.health());
    log_addresses(&core.settings, &bound);
    herd_places::log_choice(&core.settings.places);

    // 3. Each part runs as a task. `parts` owns the tasks, and notices the end of each.
    let mut parts = Parts::new(stop.stop.clone());
    let (shutdown, last) = (parts.shutdown(), parts.last());
    let page = views.page(&core.locations);
    if let Some(listener) = bound.http {
        let counted = (service.clone(), places_statistics);
        let http = views.serve(listener, &core, counted, shutdown.clone());
        parts.spawn(Part::Http, http);
    }
    let telling = tell_manager(stop.manager, health, stop.drain);
    parts.spawn(Part::ServiceManager, telling);
    let reopening = reopen_files(stop.reopen, wire_log, shutdown.clone());
    parts.spawn(Part::Files, reopening);
    if let Some(access) = &core.access {
        parts.spawn(Part::Access, access.clone().follow(shutdown.clone()));
    }
    if let Some(page) = page {
        parts.spawn(Part::Page, page);
    }
    let serving = serve_clients(frontend, bound.client, bound.resp, shutdown.clone());
    parts.spawn_on(&clients.prompt, Part::Frontend, serving);
    if let Some(socket) = control_socket {
        let control = core.control().with_status(tell_status);
        parts.spawn(Part::Control, control.serve(socket, shutdown));
    }
    let network = network(TcpNetwork::new(bound.peer), &core.tls, &core.clock);
    parts.spawn_replication(replication.run(network, last.clone()));
    for watching in core.watch_certificates(&last) {
        parts.spawn(Part::Certificates, watching);
    }
    if let Some(expiry) = core.expiry(view.store, herd_clocks, last) {
        parts.spawn(Part::Expiry, expiry);
    }

    // 4. The end: of a part, or of all once the server is told to stop.
    let ended = parts.watch().await;
    parts.cut_off().await;
    close(wire_log_writer).await;
    ended
}

/// Serves clients at the port of each protocol, until all have ended.
async fn serve_clients(
    frontend: Frontend,
    text: TcpListener,
    resp: Option<TcpListener>,
    shutdown: CancellationToken,
) {
    let listeners = [(Some(text), Protocol::Text), (resp, Protocol::Resp)];
    let serving = listeners.into_iter().filter_map(|(listener, protocol)| {
        Some(frontend.serve(listener?, protocol, shutdown.clone()))
    });
    join_all(serving).await;
}

/// Opens files anew whenever it is asked to, until the server stops: it has no end of its own.
async fn reopen_files(asked: Arc<Notify>, wire_log: Option<WireLog>, shutdown: CancellationToken) {
    while shutdown
        .run_until_cancelled(asked.notified())
        .await
        .is_some()
    {
        match &wire_log {
            Some(log) => log.reopen(),
            None => info!("SIGHUP: there is no wire log to open anew"),
        }
    }
}

/// Tells the service manager how the server is until that is told to stop; ends at once without one.
async fn tell_manager(
    manager: Option<Arc<ServiceManager>>,
    health: Arc<Health>,
    drain: CancellationToken,
) {
    if let Some(manager) = manager {
        manager.follow(health, drain).await;
    }
}

async fn close(wire_log: Option<WireLogWriter>) {
    if let Some(writer) = wire_log
        && let Err(error) = writer.close(WIRE_LOG_PATIENCE).await
    {
        error!(%error, "the last lines of the wire log may be lost");
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
        resp = bound.resp.as_ref().map_or("off".to_owned(), address),
        "listening"
    );
    match (&bound.http, settings.http.shows_locations) {
        (None, _) => info!("no HTTP: probes and monitoring cannot reach this server"),
        (Some(_), true) if settings.limits.tokens.is_some() => {
            info!(
                "http_locations is on: every token with the scope http shows the herd and the locations of clients"
            );
        }
        (Some(_), true) => {
            info!(
                "http_locations is on: everyone who reaches HTTP sees the herd and the locations of clients"
            );
        }
        (Some(_), false) => {
            info!(
                "http_locations is off: HTTP shows neither the locations of clients nor the herd"
            );
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
