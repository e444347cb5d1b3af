//! What a server opens before it serves, by its settings.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::error::ServerError;
use crate::acknowledgement::AckLevel;
use crate::clock::SharedClock;
use crate::config::{LinkSecurity, ServeSettings};
use crate::control::{self, ControlSocket, ControlSocketError, SocketChoice};
use crate::replication::link::network::{Network, TcpNetwork};
use crate::replication::link::tls_network::TlsNetwork;
use crate::replication::links::HerdView;
use crate::replication::neighbour::NeighbourConfig;
use crate::replication::storing::StoreSource;
use crate::storage::{DataFolder, DataFolderError, FjallStore, Store, SyncPolicy};
use crate::tls::link::LinkCredentials;
use crate::tls::reload;
use crate::tls::status::TlsStatus;
use crate::wire_log::{WireLog, WireLogError, WireLogWriter};

/// How much of what clients reported a loss of power may take where no reply waits for the disk.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn open_data_folder(
    settings: &ServeSettings,
) -> Result<Option<DataFolder>, DataFolderError> {
    let Some(path) = &settings.durability.data_dir else {
        return Ok(None);
    };
    DataFolder::open(path, &settings.name, settings.topology.cluster()).map(Some)
}

/// The store in a data folder, which it holds for as long as it is open. Where replies wait for the disk everything is synced at once, else
/// every [`SYNC_INTERVAL`].
pub(super) fn store_in(folder: DataFolder, ack: AckLevel) -> StoreSource {
    let policy = if ack.needs_disk() {
        SyncPolicy::EachCommit
    } else {
        SyncPolicy::Every(SYNC_INTERVAL)
    };
    let open = move || FjallStore::open(folder).map(|store| Box::new(store) as Box<dyn Store>);
    StoreSource::Disk(Box::new(open), policy)
}

pub(super) fn open_wire_log(
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

pub(super) fn open_control_socket(
    choice: &SocketChoice,
) -> Result<Option<ControlSocket>, ControlSocketError> {
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
