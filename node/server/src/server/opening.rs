//! The files and sockets that a server opens before it serves.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::error::ServerError;
use crate::config::{LinkSecurity, ServeSettings};
use crate::control::{self, ControlSocket, ControlSocketError, SocketChoice};
use crate::wire_log::{WireLog, WireLogError, WireLogWriter};
use herd_clock::clock::SharedClock;
use herd_gossip::link::network::{Network, TcpNetwork};
use herd_gossip::link::tls_network::TlsNetwork;
use herd_gossip::links::HerdView;
use herd_gossip::neighbour::NeighbourConfig;
use herd_replication::storing::StoreSource;
use herd_storage::{DataFolder, DataFolderError, FjallStore, Store, SyncPolicy};
use herd_tls::link::LinkCredentials;
use herd_tls::reload;
use herd_tls::status::TlsStatus;

/// The last reports that a loss of power may lose where no reply waits for the disk, as a time.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// How long the disks of the data folder, the wire log and the control socket may take before anything is served.
const DISK_ANSWER_MAX: Duration = Duration::from_secs(10);

/// Everything but the store that is opened on disks before anything is served.
pub(super) struct OnDisk {
    pub(super) wire_log: (Option<WireLog>, Option<WireLogWriter>),
    pub(super) data_folder: Option<DataFolder>,
    pub(super) control_socket: Option<ControlSocket>,
}

/// Opens all of it in a thread of its own, for a disk may hang. `None` if the server is told to stop meanwhile.
///
/// # Errors
/// If something cannot be opened, or not within [`DISK_ANSWER_MAX`].
pub(super) async fn open_on_disk(
    settings: &ServeSettings,
    clock: &SharedClock,
    stop: &CancellationToken,
) -> Result<Option<OnDisk>, ServerError> {
    let (settings, clock) = (settings.clone(), clock.clone());
    let opening = tokio::task::spawn_blocking(move || {
        Ok(OnDisk {
            wire_log: open_wire_log(&settings, &clock)?,
            data_folder: open_data_folder(&settings)?,
            control_socket: open_control_socket(&settings.control_socket)?,
        })
    });
    tokio::select! {
        opened = opening => opened.map_err(|_| ServerError::Panicked)?.map(Some),
        () = stop.cancelled() => Ok(None),
        () = tokio::time::sleep(DISK_ANSWER_MAX) => Err(ServerError::DiskHangs(DISK_ANSWER_MAX)),
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
pub(super) fn store_in(folder: DataFolder, settings: &ServeSettings) -> StoreSource {
    let policy = if settings.durability.ack.needs_disk() {
        SyncPolicy::EachCommit
    } else {
        SyncPolicy::Every(SYNC_INTERVAL)
    };
    let path = folder.path().to_owned();
    let (server, cluster) = (
        settings.name.clone(),
        settings.topology.cluster().to_owned(),
    );
    // Held from the start; opened again, it is locked anew.
    let held = Mutex::new(Some(folder));
    let open = move || {
        let folder = held.lock().take();
        let store = match folder {
            Some(folder) => FjallStore::open(folder),
            None => FjallStore::open_again(&path, &server, &cluster),
        };
        store.map(|store| Box::new(store) as Box<dyn Store>)
    };
    StoreSource::Disk(Arc::new(open), policy)
}

fn open_wire_log(
    settings: &ServeSettings,
    clock: &SharedClock,
) -> Result<(Option<WireLog>, Option<WireLogWriter>), WireLogError> {
    match &settings.values.wire_log {
        Some(path) => {
            let bytes_max = settings.values.wire_log_max.map(|bytes| bytes as u64);
            let (log, writer) = WireLog::open(path, clock.clone(), bytes_max)?;
            let may_store = settings.places.may_be_stored();
            let log = if may_store { log } else { log.without_places() };
            Ok((Some(log), Some(writer)))
        }
        None => Ok((None, None)),
    }
}

/// The certificates of links and of the client port, and warnings.
pub(super) fn open_certificates(
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
pub(super) fn network(tcp: TcpNetwork, tls: &TlsStatus, clock: &SharedClock) -> Arc<dyn Network> {
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
pub(super) fn herd_view(settings: &ServeSettings) -> HerdView {
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
