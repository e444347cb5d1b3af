//! How each server of a herd on this machine is called.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::certificates::Certificates;
use super::data_dir::DataDir;
use herd_locations::Room;
use herd_server::config::{LocalSettings, MadeFrom};
use herd_server::memory::{ChosenRoom, MemoryLimit, SetRoom};
use herd_server::settings::Setting;
use herd_topology::{Host, HostPort};

/// The arguments to run `server`. All servers share `memory`.
pub(super) fn arguments(
    settings: &LocalSettings,
    data_dir: Option<&DataDir>,
    certificates: &Certificates,
    memory: Option<MemoryLimit>,
    server: &str,
) -> Vec<String> {
    let mut arguments = vec!["serve".to_owned()];
    let mut set = |setting: Setting, value: String| {
        // One word each, so that a value that starts with a dash is none of the flags.
        arguments.push(format!("{}={value}", setting.flag()));
    };
    set(Setting::Name, server.to_owned());
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    match (data_dir, &settings.topology.made_from) {
        (Some(folder), _) => set(Setting::Topology, text(folder.topology())),
        (None, MadeFrom::File(file)) => set(Setting::Topology, text(file.clone())),
        (None, MadeFrom::Builtin(bases)) => {
            set(Setting::ClientPortBase, bases.client().to_string());
            set(Setting::HttpPortBase, bases.http().to_string());
            set(Setting::PeerPortBase, bases.peer().to_string());
        }
    }
    if let Some(folder) = data_dir {
        set(Setting::WireLog, text(folder.wire_log(server)));
        set(Setting::DataDir, text(folder.of_server(server)));
    } else {
        set(Setting::Ephemeral, "true".to_owned());
    }
    if let Some(server) = settings.topology.topology.server(server) {
        let http = http_listen(&server.http);
        set(Setting::HttpListen, http.to_string());
        let shows_locations = shows_locations(settings, &server.http);
        set(Setting::HttpLocations, shows_locations.to_string());
    }
    let servers = settings.topology.topology.servers();
    let Room {
        clients_max,
        bytes_max,
    } = ChosenRoom::new(SetRoom::default(), memory, servers.len()).room;
    let most = |max: Option<usize>| max.map_or("off".to_owned(), |max| max.to_string());
    set(Setting::MaxClients, most(clients_max));
    set(Setting::MaxClientBytes, most(bytes_max));
    let mut listens = servers.iter().zip(&settings.resp_listen);
    if let Some((_, resp)) = listens.find(|(known, _)| *known.name == *server) {
        set(Setting::RespListen, resp.to_string());
    }
    if let Some((setting, folder)) = certificates.argument() {
        set(setting, folder);
    }
    for (setting, text) in &settings.passed_on {
        set(*setting, text.clone());
    }
    arguments.push("--stop-on-stdin-eof".into());
    // Nothing sends clients elsewhere when the whole herd stops.
    arguments.push(format!("{}=0", Setting::DrainDelay.flag()));
    arguments
}

/// Whether a server that the topology has at this address for HTTP shows locations.
pub(super) fn shows_locations(settings: &LocalSettings, http: &HostPort) -> bool {
    // A client on loopback is on this machine, as the user of the herd is.
    let is_loopback = http_listen(http).ip().is_loopback();
    settings.values.http_locations.unwrap_or(is_loopback)
}

/// Where a server of this machine listens for HTTP: where the topology says, but on loopback alone if
/// it gives a name, for which a server of a real herd would listen on every interface.
fn http_listen(address: &HostPort) -> SocketAddr {
    match address.host {
        Host::Ip(ip) => SocketAddr::new(ip, address.port),
        Host::Name(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port)),
    }
}
