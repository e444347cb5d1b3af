//! The settings of one server.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use herd_crdt::ServerName;

use super::{
    Durability, HttpSettings, LimitSettings, TlsSettings, data_folder_name, durability, http,
    limits, own_server, places, tls, topology_choice,
};
use crate::control::SocketChoice;
use crate::listeners::Listen;
use crate::logging::LogSettings;
use crate::open_files::{Needs, Shares, TooFew};
use crate::settings::{
    Command, ConfigError, DATA_DIR, Environment, Flags, Group, Mistake, Origin, Resolver, Row,
    Setting, Values, write_report,
};
use herd_gossip::link::accept::STRANGERS_MAX;
use herd_places::PlacesSettings;
use herd_storage::FILES_OPEN_MAX;
use herd_topology::{HostPort, Topology};

/// Everything that one server needs to know, checked.
#[derive(Clone, Debug)]
pub struct ServeSettings {
    /// The server's name, which is in the topology.
    pub name: ServerName,
    /// The herd.
    pub topology: Arc<Topology>,
    /// Where to listen for clients.
    pub client_listen: Listen,
    /// Where to listen for neighbours.
    pub peer_listen: Listen,
    /// Where to listen for Redis clients, if anywhere.
    pub resp_listen: Option<Listen>,
    /// The settings of HTTP.
    pub http: HttpSettings,
    /// The settings of the log.
    pub log: LogSettings,
    /// The place of data, and the promise of a reply.
    pub durability: Durability,
    /// Where `herd dump` and `herd load` connect to, if anywhere.
    pub control_socket: SocketChoice,
    /// Certificates of links and of the client port.
    pub tls: TlsSettings,
    /// The settings of places.
    pub places: PlacesSettings,
    /// The limits on strangers, and the tokens.
    pub limits: LimitSettings,
    /// Warnings: the server starts, but these settings are doubtful.
    pub warnings: Vec<String>,
    /// Every setting as the table has it.
    pub values: Values,
    rows: Vec<Row>,
}

impl ServeSettings {
    /// Reads and checks all settings, the topology file included. Binds and writes nothing.
    ///
    /// # Errors
    /// Every mistake that was found.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let mut resolver = Resolver::new(Command::Serve, flags, environment);
        resolver.read_config_file();
        let settings = resolve(&mut resolver);
        resolver.finish(settings)
    }

    /// Divides `limit` open files: clients get the rest.
    ///
    /// # Errors
    /// See [`Shares::of`].
    pub fn share_open_files(&self, limit: u64) -> Result<Shares, TooFew> {
        let online = self.places.online.as_ref();
        let needs = Needs {
            neighbours: self.topology.neighbours(&self.name).count(),
            strangers_max: STRANGERS_MAX,
            http_max: self.http.listen.map_or(0, |_| self.limits.http.open_max()),
            store_tables_max: self.durability.data_dir.as_ref().map(|_| FILES_OPEN_MAX),
            places_max: online.map_or(0, |online| online.in_flight_max),
        };
        Shares::of(limit, needs, self.limits.connections_max)
    }
}

fn resolve(resolver: &mut Resolver<'_>) -> Option<ServeSettings> {
    let values = Values::resolve(resolver);
    let given_name = own_server::given(resolver);
    let choice = topology_choice::resolve(resolver, &values);
    let own = given_name
        .as_ref()
        .zip(choice.as_ref())
        .and_then(|(given, choice)| own_server::find(resolver, given, &choice.topology));
    let in_topology = own.map(|own| &own.client);
    let client = Listening::new(
        resolver,
        Setting::ClientListen,
        values.client_listen,
        in_topology,
    );
    let in_topology = own.map(|own| &own.peer);
    let peer = Listening::new(
        resolver,
        Setting::PeerListen,
        values.peer_listen,
        in_topology,
    );
    let http = http::resolve(resolver, &values, own.map(|own| &own.http));
    let folder = Path::new(DATA_DIR).join(data_folder_name(own.map_or("", |server| &*server.name)));
    let durability = durability::resolve(resolver, &values, folder);
    let control_socket = control_socket(resolver, &values, durability.data_dir.as_deref());
    let place = choice.as_ref().zip(own);
    let tls = tls::resolve(resolver, &values, place, peer.map(|peer| peer.listen));
    let places = places::resolve(resolver, &values);
    let limits = limits::resolve(resolver, &values);

    let (client, peer, http) = (client?, peer?, http?);
    let (of_http, of_resp) = (Listening::of_http(&http), Listening::of_resp(&values));
    refuse_same_addresses(resolver, &[Some(client), Some(peer), of_http, of_resp]);
    let (given_name, choice, own) = (given_name?, choice.as_ref()?, own?);
    resolver.show(Setting::Name, &*own.name, given_name.origin());
    resolver.hide([Setting::PodName]);
    if values.config.is_none() {
        resolver.hide([Setting::Config]);
    }
    Some(ServeSettings {
        name: own.name.clone(),
        topology: choice.topology.clone(),
        client_listen: client.listen,
        peer_listen: peer.listen,
        resp_listen: values.resp_listen.map(Listen::Address),
        http,
        log: LogSettings {
            filter: values.log.clone(),
            format: values.log_format,
        },
        durability,
        control_socket,
        tls: tls?,
        places: places?,
        limits,
        warnings: resolver.take_warnings(),
        values,
        rows: resolver.take_rows(),
    })
}

/// Where to listen for one purpose.
#[derive(Clone, Copy)]
struct Listening {
    setting: Setting,
    listen: Listen,
}

impl Listening {
    /// For clients or neighbours: where the user says, else where the topology says.
    fn new(
        resolver: &mut Resolver<'_>,
        setting: Setting,
        set: Option<SocketAddr>,
        in_topology: Option<&HostPort>,
    ) -> Option<Self> {
        let listen = match set {
            Some(address) => Listen::Address(address),
            None => {
                let listen = Listen::from(in_topology?);
                resolver.show(setting, listen.to_string(), &Origin::Topology);
                listen
            }
        };
        Some(Listening { setting, listen })
    }

    fn of_http(http: &HttpSettings) -> Option<Self> {
        http.listen.map(|listen| Listening {
            setting: Setting::HttpListen,
            listen,
        })
    }

    fn of_resp(values: &Values) -> Option<Self> {
        values.resp_listen.map(|address| Listening {
            setting: Setting::RespListen,
            listen: Listen::Address(address),
        })
    }
}

/// Two purposes cannot share a port.
fn refuse_same_addresses(resolver: &mut Resolver<'_>, listens: &[Option<Listening>; 4]) {
    let listens: Vec<&Listening> = listens.iter().flatten().collect();
    for (later, b) in listens.iter().enumerate() {
        for a in &listens[..later] {
            if a.listen.is_same_address(&b.listen) {
                resolver.mistake(Mistake::SameAddress {
                    a: a.setting,
                    b: b.setting,
                    address: a.listen.to_string(),
                });
            }
        }
    }
}

fn control_socket(
    resolver: &mut Resolver<'_>,
    values: &Values,
    data_dir: Option<&Path>,
) -> SocketChoice {
    if let Some(path) = &values.control_socket {
        return SocketChoice::At(path.clone());
    }
    let choice = SocketChoice::default_in(data_dir);
    resolver.show(Setting::ControlSocket, choice.to_string(), &Origin::Default);
    choice
}

/// The report of `herd check-config`: the server's place in the herd, then every setting with where
/// it came from.
impl fmt::Display for ServeSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (servers, links) = (self.topology.servers(), self.topology.links());
        writeln!(
            f,
            "server {} of cluster {}: {} servers, {} links",
            self.name,
            self.topology.cluster(),
            servers.len(),
            links.len()
        )?;
        for neighbour in self.topology.neighbours(&self.name) {
            writeln!(f, "  linked to {} at {}", neighbour.name, neighbour.peer)?;
        }
        // Limits have columns of their own: their names are long.
        let is_limit = |row: &&Row| row.setting.group() == Group::Limits;
        let (limits, others): (Vec<&Row>, Vec<&Row>) = self.rows.iter().partition(is_limit);
        write_report(f, &others)?;
        write_report(f, &limits)
    }
}

#[cfg(test)]
#[path = "serve_settings_tests.rs"]
mod tests;
