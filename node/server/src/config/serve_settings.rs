//! The settings of one server.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use herd_crdt::ServerName;

use super::report::{self, Row};
use super::resolver::{Resolved, Resolver};
use super::{
    ConfigError, DATA_DIR, Durability, Environment, Flags, HttpSettings, LimitSettings, MadeFrom,
    Mistake, Origin, Setting, TlsSettings, TopologyChoice, data_folder_name, durability, http,
    limits, own_server, places, tls, topology_choice, values,
};
use crate::control::SocketChoice;
use crate::listeners::Listen;
use crate::logging::{LogFilter, LogFormat, LogSettings};
use crate::open_files::{Needs, Shares, TooFew};
use herd_places::PlacesSettings;
use herd_replication::link::accept::STRANGERS_MAX;
use herd_storage::FILES_OPEN_MAX;
use herd_topology::{HostPort, Topology};

/// How far a report's time may lie ahead of the server's clock unless something else is said.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(2 * 60 * 60);

/// How long a server that SIGTERM tells to stop goes on accepting unless something else is said:
/// what sends clients to it, such as a Service of Kubernetes, needs that long to notice.
pub const DRAIN_DELAY: Duration = Duration::from_secs(5);

/// The longest [`ServeSettings::drain_delay`].
pub const DRAIN_DELAY_MAX: Duration = Duration::from_secs(600);

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
    /// Whether and where to listen for HTTP, and what is shown there.
    pub http: HttpSettings,
    /// How far a report's time may lie ahead of the server's clock; nothing for no limit.
    pub max_clock_skew: Option<Duration>,
    /// After how long records expire, by their own time; nothing for never.
    pub expire_after: Option<Duration>,
    /// What is logged, and how.
    pub log: LogSettings,
    /// The file that gets every line in and out, if any.
    pub wire_log: Option<PathBuf>,
    /// How long the server goes on accepting after SIGTERM, and says that it is not ready.
    pub drain_delay: Duration,
    /// Where data is kept, and what a reply promises.
    pub durability: Durability,
    /// Where `herd dump` and `herd load` connect to, if anywhere.
    pub control_socket: SocketChoice,
    /// Certificates of links and of the client port.
    pub tls: TlsSettings,
    /// Who answers what is near.
    pub places: PlacesSettings,
    /// What a stranger may use up, and who is none.
    pub limits: LimitSettings,
    /// What the server starts with all the same, and should not.
    pub warnings: Vec<String>,
    rows: Vec<Row>,
    /// In columns of their own: their names are long.
    limit_rows: Vec<Row>,
}

impl ServeSettings {
    /// Reads and checks all settings, the topology file included. Binds and writes nothing.
    ///
    /// # Errors
    /// Every mistake that was found.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let mut resolver = Resolver::new(flags, environment);
        resolver.read_config_file();
        let settings = resolve(&mut resolver);
        let warnings = resolver.take_warnings();
        let settings = settings.map(|settings| ServeSettings {
            warnings,
            ..settings
        });
        resolver.finish(settings)
    }

    /// Shares so many open files: clients get what all else leaves.
    ///
    /// # Errors
    /// See [`Shares::of`].
    pub fn share_open_files(&self, limit: u64) -> Result<Shares, TooFew> {
        let online = self.places.online.as_ref();
        let needs = Needs {
            neighbours: self.topology.neighbours(&self.name).count(),
            strangers_max: STRANGERS_MAX,
            http_max: self
                .http
                .listen
                .map_or(0, |_| self.limits.http().open_max()),
            store_tables_max: self.durability.data_dir.as_ref().map(|_| FILES_OPEN_MAX),
            places_max: online.map_or(0, |online| online.in_flight_max),
        };
        Shares::of(limit, needs, self.limits.connections_max)
    }
}

fn resolve(resolver: &mut Resolver<'_>) -> Option<ServeSettings> {
    let given_name = own_server::given(resolver);
    let choice = topology_choice::resolve(resolver);
    let own = given_name
        .as_ref()
        .zip(choice.as_ref())
        .and_then(|(given, choice)| own_server::find(resolver, given, &choice.topology));
    let client = listen(resolver, Setting::ClientListen, own.map(|own| &own.client));
    let peer = listen(resolver, Setting::PeerListen, own.map(|own| &own.peer));
    let http = http::resolve(resolver, own.map(|own| &own.http));
    let (max_clock_skew, skew_row) = max_clock_skew(resolver);
    let (expire_after, expiry_row) = expire_after(resolver);
    let (log, log_rows) = log(resolver);
    let (wire_log, wire_log_row) = wire_log(resolver);
    let (drain_delay, drain_row) = drain_delay(resolver);
    let folder = Path::new(DATA_DIR).join(data_folder_name(own.map_or("", |server| &*server.name)));
    let (durability, durability_rows) = durability::resolve(resolver, folder);
    let (control_socket, control_row) = control_socket(resolver, durability.data_dir.as_deref());
    let peer_listen = peer.as_ref().map(|peer| peer.listen.value);
    let (tls, tls_rows) = tls::resolve(resolver, choice.as_ref(), own, peer_listen);
    let places = places::resolve(resolver);
    let (limits, limit_rows) = limits::resolve(resolver);

    let (client, peer, (http, http_rows)) = (client?, peer?, http?);
    refuse_same_addresses(resolver, &client, &peer, http.listen);
    let (given_name, choice, own) = (given_name?, choice.as_ref()?, own?);
    let (places, places_rows) = places?;
    let tls = tls?;
    let mut rows = vec![
        Row::new(Setting::Name, &*own.name, given_name.origin()),
        topology_row(choice),
        client.row(),
        peer.row(),
    ];
    rows.extend(http_rows);
    rows.extend([skew_row, expiry_row]);
    rows.extend(log_rows);
    rows.extend([wire_log_row, drain_row]);
    rows.extend(durability_rows);
    rows.push(control_row);
    rows.extend(tls_rows);
    rows.extend(places_rows);
    Some(ServeSettings {
        name: own.name.clone(),
        topology: choice.topology.clone(),
        client_listen: client.listen.value,
        peer_listen: peer.listen.value,
        http,
        max_clock_skew,
        expire_after,
        log,
        wire_log,
        drain_delay,
        durability,
        control_socket,
        tls,
        places,
        limits,
        warnings: Vec::new(),
        rows,
        limit_rows,
    })
}

/// Where to listen for one purpose.
struct Listening {
    setting: Setting,
    listen: Resolved<Listen>,
}

impl Listening {
    fn row(&self) -> Row {
        let origin = match &self.listen.origin {
            Origin::Default => "topology".to_owned(),
            set => set.to_string(),
        };
        Row {
            setting: self.setting,
            value: self.listen.value.to_string(),
            origin,
        }
    }
}

/// Where the user says, else where the topology says.
fn listen(
    resolver: &mut Resolver<'_>,
    setting: Setting,
    in_topology: Option<&HostPort>,
) -> Option<Listening> {
    let set = resolver.checked(setting, |text| {
        values::listen_address(text).map(Listen::Address)
    });
    let listen = set.or_else(|| {
        in_topology.map(|address| Resolved {
            value: Listen::from(address),
            origin: Origin::Default,
        })
    })?;
    Some(Listening { setting, listen })
}

/// Two purposes cannot share a port.
fn refuse_same_addresses(
    resolver: &mut Resolver<'_>,
    client: &Listening,
    peer: &Listening,
    http: Option<Listen>,
) {
    let mut listens = vec![
        (client.setting, client.listen.value),
        (peer.setting, peer.listen.value),
    ];
    listens.extend(http.map(|listen| (Setting::HttpListen, listen)));
    for (later, (b, other)) in listens.iter().enumerate() {
        for (a, listen) in &listens[..later] {
            if listen.is_same_address(other) {
                resolver.mistake(Mistake::SameAddress {
                    a: *a,
                    b: *b,
                    address: listen.to_string(),
                });
            }
        }
    }
}

fn max_clock_skew(resolver: &mut Resolver<'_>) -> (Option<Duration>, Row) {
    let skew = resolver.checked_or(Setting::MaxClockSkew, Some(MAX_CLOCK_SKEW), values::limit);
    let row = duration_row(Setting::MaxClockSkew, &skew, "no limit");
    (skew.value, row)
}

fn expire_after(resolver: &mut Resolver<'_>) -> (Option<Duration>, Row) {
    let after = resolver.checked_or(Setting::ExpireAfter, None, values::expiry);
    let row = duration_row(Setting::ExpireAfter, &after, "off");
    (after.value, row)
}

/// The line of a duration, or of `none` in its place.
fn duration_row(setting: Setting, resolved: &Resolved<Option<Duration>>, none: &str) -> Row {
    let shown = resolved.value.map_or(none.to_owned(), |duration| {
        humantime::format_duration(duration).to_string()
    });
    Row::new(setting, shown, &resolved.origin)
}

fn drain_delay(resolver: &mut Resolver<'_>) -> (Duration, Row) {
    let delay = resolver.checked_or(Setting::DrainDelay, DRAIN_DELAY, |text| {
        values::delay(text, DRAIN_DELAY_MAX)
    });
    let shown = humantime::format_duration(delay.value).to_string();
    let row = Row::new(Setting::DrainDelay, shown, &delay.origin);
    (delay.value, row)
}

fn wire_log(resolver: &mut Resolver<'_>) -> (Option<PathBuf>, Row) {
    let file = resolver.checked_or(Setting::WireLog, None, values::file_to_append);
    let path = file.value.as_ref();
    let shown = path.map_or("off".to_owned(), |path| path.display().to_string());
    let row = Row::new(Setting::WireLog, shown, &file.origin);
    (file.value, row)
}

fn control_socket(resolver: &mut Resolver<'_>, data_dir: Option<&Path>) -> (SocketChoice, Row) {
    let default = SocketChoice::default_in(data_dir);
    let choice = resolver.checked_or(Setting::ControlSocket, default, |text| {
        values::socket(text).map(SocketChoice::At)
    });
    let shown = choice.value.to_string();
    let row = Row::new(Setting::ControlSocket, shown, &choice.origin);
    (choice.value, row)
}

/// What is logged, and the two lines of the report about it.
fn log(resolver: &mut Resolver<'_>) -> (LogSettings, [Row; 2]) {
    let filter = resolver.checked_or(Setting::Log, LogFilter::default(), str::parse);
    let format = resolver.checked_or(Setting::LogFormat, LogFormat::default(), str::parse);
    let rows = [
        Row::new(Setting::Log, filter.value.to_string(), &filter.origin),
        Row::new(Setting::LogFormat, format.value.to_string(), &format.origin),
    ];
    let settings = LogSettings {
        filter: filter.value,
        format: format.value,
    };
    (settings, rows)
}

fn topology_row(choice: &TopologyChoice) -> Row {
    let value = match &choice.made_from {
        MadeFrom::File(path) => path.display().to_string(),
        MadeFrom::Builtin(_) => "built-in".to_owned(),
    };
    Row::new(Setting::Topology, value, &choice.origin)
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
        report::write(f, &self.rows)?;
        report::write(f, &self.limit_rows)
    }
}

#[cfg(test)]
#[path = "serve_settings_tests.rs"]
mod tests;
