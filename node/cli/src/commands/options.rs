//! Options as they are typed. They stay texts here: the settings check them together with what
//! files and variables say.

use clap::Args;

use herd_server::config::{Flags, Setting};

/// Options of `herd serve` and `herd check-config`.
#[derive(Debug, Args)]
pub(super) struct ServeOptions {
    /// Configuration file (TOML); options and variables win over it
    #[arg(long, value_name = "FILE")]
    config: Option<String>,
    /// Name of this server, one of the topology's
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    topology: TopologyOptions,
    /// Listen here for clients [default: as the topology says]
    #[arg(long, value_name = "IP:PORT")]
    client_listen: Option<String>,
    /// Listen here for neighbours [default: as the topology says]
    #[arg(long, value_name = "IP:PORT")]
    peer_listen: Option<String>,
    /// Listen here for HTTP, or `off` for no HTTP at all [default: as the topology says]
    #[arg(long, value_name = "IP:PORT|off")]
    http_listen: Option<String>,
    /// Answer HTTP under these names too, with commas between them [default: those of the topology]
    #[arg(long, value_name = "NAMES")]
    http_hosts: Option<String>,
    #[command(flatten)]
    common: CommonOptions,
    /// Write every line in and out to this file [default: off]
    #[arg(long, value_name = "FILE")]
    wire_log: Option<String>,
    /// After SIGTERM, say "not ready" and go on accepting for this long [default: 5s]
    ///
    /// What sends clients to this server, such as a Service of Kubernetes, needs that long to
    /// notice. SIGINT does without.
    #[arg(long, value_name = "DURATION")]
    drain_delay: Option<String>,
    /// Socket for herd dump and herd load, open to this user alone [default: off]
    #[arg(long, value_name = "FILE")]
    control_socket: Option<String>,
    #[command(flatten)]
    durability: DurabilityOptions,
    #[command(flatten)]
    tls: TlsOptions,
    #[command(flatten)]
    places: PlacesOptions,
    #[command(flatten)]
    limits: LimitOptions,
    /// Stop when the other end of standard input, a pipe, is closed
    ///
    /// For a process that starts servers and must not be outlived by them.
    #[arg(long, hide_short_help = true)]
    pub(super) stop_on_stdin_eof: bool,
}

/// Options of `herd local`.
#[derive(Debug, Args)]
pub(super) struct LocalOptions {
    #[command(flatten)]
    topology: TopologyOptions,
    #[command(flatten)]
    durability: DurabilityOptions,
    #[command(flatten)]
    common: CommonOptions,
    #[command(flatten)]
    places: PlacesOptions,
}

#[derive(Debug, Args)]
struct TopologyOptions {
    /// Topology file: servers, addresses and links [default: the built-in five servers]
    #[arg(long, value_name = "FILE")]
    topology: Option<String>,
    /// First port for clients, without --topology [default: 12000]
    #[arg(long, value_name = "PORT")]
    client_port_base: Option<String>,
    /// First port for HTTP, without --topology [default: 13000]
    #[arg(long, value_name = "PORT")]
    http_port_base: Option<String>,
    /// First port for links between servers, without --topology [default: 14000]
    #[arg(long, value_name = "PORT")]
    peer_port_base: Option<String>,
}

#[derive(Debug, Args)]
struct CommonOptions {
    /// Show locations and the inside of the herd to whoever reaches HTTP
    /// [default: false; herd local: true where HTTP listens on loopback]
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true"
    )]
    http_locations: Option<String>,
    /// Refuse reports from further in the future than this; 0 for no limit [default: 2h]
    #[arg(long, value_name = "DURATION")]
    max_clock_skew: Option<String>,
    /// Forget records older than this by their own time; the same on all servers [default: off]
    #[arg(long, value_name = "DURATION")]
    expire_after: Option<String>,
    /// Log lines to show: error, warn, info, debug, trace, off, or TARGET=LEVEL,.. [default: info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Form of log lines: text or json [default: text]
    #[arg(long, value_name = "FORM")]
    log_format: Option<String>,
}

/// Options about what survives.
#[derive(Debug, Args)]
struct DurabilityOptions {
    /// Folder for data [default: herd-data, in it one for each server]
    ///
    /// `herd local` keeps the topology, logs and wire logs there too.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Write no data to disk; `herd local` then writes nothing at all
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true"
    )]
    ephemeral: Option<String>,
    /// Reply to a report when it is in memory, on disk, at a peer: memory, disk, peer or disk,peer
    /// [default: memory]
    #[arg(long, value_name = "LEVEL")]
    ack: Option<String>,
    /// How long that may take before the error reply [default: 2s]
    #[arg(long, value_name = "DURATION")]
    ack_timeout: Option<String>,
}

impl DurabilityOptions {
    fn given(&self) -> [(Setting, Option<String>); 4] {
        [
            (Setting::DataDir, self.data_dir.clone()),
            (Setting::Ephemeral, self.ephemeral.clone()),
            (Setting::Ack, self.ack.clone()),
            (Setting::AckTimeout, self.ack_timeout.clone()),
        ]
    }
}

/// Options about certificates.
#[derive(Debug, Args)]
struct TlsOptions {
    /// Folder with certificate, key and trusted authorities for links, made by `herd certs`
    /// [default: the folder certs beside the topology file, if it is there]
    #[arg(long, value_name = "DIR", help_heading = "TLS")]
    links_certs: Option<String>,
    /// Allow links to other machines without certificates: anyone on the way can read and join
    #[arg(
        long, value_name = "BOOL", help_heading = "TLS", num_args = 0..=1, require_equals = true,
        default_missing_value = "true"
    )]
    insecure_links: Option<String>,
    /// Certificate of the client port (PEM), which then speaks TLS only [default: off]
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    client_tls_cert: Option<String>,
    /// Its private key
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    client_tls_key: Option<String>,
    /// Let in clients with a certificate of these authorities only [default: all clients]
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    client_tls_ca: Option<String>,
}

impl TlsOptions {
    fn given(&self) -> [(Setting, Option<String>); 5] {
        [
            (Setting::LinksCerts, self.links_certs.clone()),
            (Setting::InsecureLinks, self.insecure_links.clone()),
            (Setting::ClientTlsCert, self.client_tls_cert.clone()),
            (Setting::ClientTlsKey, self.client_tls_key.clone()),
            (Setting::ClientTlsCa, self.client_tls_ca.clone()),
        ]
    }
}

/// Options about places. The key has none: a list of processes would show it.
#[derive(Debug, Args)]
pub(super) struct PlacesOptions {
    /// Provider of places: embedded, google, google-legacy or overpass [default: embedded]
    #[arg(long, value_name = "NAME", help_heading = "Places")]
    places: Option<String>,
    /// Base address of the provider, for a proxy or a server of your own
    #[arg(long, value_name = "URL", help_heading = "Places")]
    places_url: Option<String>,
    /// File with the provider's key; or set HERD_PLACES_KEY
    #[arg(long, value_name = "FILE", help_heading = "Places")]
    places_key_file: Option<String>,
    /// How long a question to the provider may take in all [default: 800ms]
    #[arg(long, value_name = "DURATION", help_heading = "Places")]
    places_timeout: Option<String>,
    /// How long a connection to it may take [default: 500ms]
    #[arg(long, value_name = "DURATION", help_heading = "Places")]
    places_connect_timeout: Option<String>,
    /// How many questions to it may be in flight [default: 32, overpass 2]
    #[arg(long, value_name = "COUNT", help_heading = "Places")]
    places_in_flight_max: Option<String>,
    /// What answers when it fails or is too slow: embedded or off [default: embedded]
    #[arg(long, value_name = "WHAT", help_heading = "Places")]
    places_fallback: Option<String>,
    /// How many answers to keep, for overpass: a number or off [default: off]
    #[arg(long, value_name = "COUNT", help_heading = "Places")]
    places_cache: Option<String>,
    /// How long to keep them [default: 10m]
    #[arg(long, value_name = "DURATION", help_heading = "Places")]
    places_cache_age: Option<String>,
    /// How many questions a minute it gets, more at first: a number or off [default: off]
    #[arg(long, value_name = "COUNT", help_heading = "Places")]
    places_per_minute: Option<String>,
    #[command(flatten)]
    data: PlacesDataOptions,
}

/// Options about the places that need no network.
#[derive(Clone, Debug, Args)]
pub(super) struct PlacesDataOptions {
    /// Table of places, used instead of the embedded one; see `herd places import`
    #[arg(long, value_name = "TABLE", help_heading = "Places")]
    places_file: Option<String>,
    /// Use that table beside the embedded one
    #[arg(
        long, value_name = "BOOL", help_heading = "Places", num_args = 0..=1, require_equals = true,
        default_missing_value = "true"
    )]
    places_add: Option<String>,
}

/// Options about what clients may use up.
#[derive(Debug, Args)]
struct LimitOptions {
    /// File with the tokens that clients must show; see `herd token new` [default: off]
    #[arg(long, value_name = "FILE", help_heading = "Limits")]
    tokens: Option<String>,
    /// How many threads serve clients, or auto for one for each core but one; as many and one serve those that send much
    /// at a time [default: auto]
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    client_threads: Option<String>,
    /// How many connections of clients may be open [default: 16384]
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    connections_max: Option<String>,
    /// How many of them may be of one address, or off [default: 3/4 of them]
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    connections_per_address_max: Option<String>,
    /// The longest line of a client [default: 65536]
    #[arg(long, value_name = "BYTES", help_heading = "Limits")]
    line_bytes_max: Option<String>,
    /// How many commands of a connection are executed in a second, or off [default: off]
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    commands_per_second: Option<String>,
    /// How many commands of an address are executed in a second, or off [default: off]
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    commands_per_second_per_address: Option<String>,
    /// Close connections that are silent for this long, or off [default: off]
    #[arg(long, value_name = "DURATION", help_heading = "Limits")]
    idle_timeout: Option<String>,
    /// Close connections that take this long over a line, or off [default: 2m]
    #[arg(long, value_name = "DURATION", help_heading = "Limits")]
    half_line_timeout: Option<String>,
    /// How many WHATSATs may wait for places [default: 4096]
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    whatsat_in_flight_max: Option<String>,
    /// Refuse reports of new clients when so many are known, or off [default: 10000000]
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    max_clients: Option<String>,
    /// Refuse them too when those that are known take so many bytes of memory, or off [default: 4294967296]
    #[arg(long, value_name = "BYTES", help_heading = "Limits")]
    max_client_bytes: Option<String>,
    /// Refuse reports of clients whose id is longer than this [default: 8192]
    #[arg(long, value_name = "BYTES", help_heading = "Limits")]
    client_id_bytes_max: Option<String>,
    /// How many bytes of replies may wait for all clients together [default: 268435456]
    #[arg(long, value_name = "BYTES", help_heading = "Limits")]
    reply_bytes_max: Option<String>,
    /// How many HTTP connections are served at a time [default: 128]
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    http_connections_max: Option<String>,
    /// How many of them may be of one address, or off [default: 3/4 of them]
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    http_connections_per_address_max: Option<String>,
    /// How many connections of an address to the peer port may not have shaken hands, or off [default: 48]
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    peer_connections_per_address_max: Option<String>,
    /// How many live pages may be open [default: 16]
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    viewers_max: Option<String>,
}

impl LimitOptions {
    fn given(&self) -> [(Setting, Option<String>); 18] {
        [
            (Setting::Tokens, self.tokens.clone()),
            (Setting::ClientThreads, self.client_threads.clone()),
            (Setting::ConnectionsMax, self.connections_max.clone()),
            (
                Setting::ConnectionsPerAddressMax,
                self.connections_per_address_max.clone(),
            ),
            (Setting::LineBytesMax, self.line_bytes_max.clone()),
            (Setting::CommandsPerSecond, self.commands_per_second.clone()),
            (
                Setting::CommandsPerSecondPerAddress,
                self.commands_per_second_per_address.clone(),
            ),
            (Setting::IdleTimeout, self.idle_timeout.clone()),
            (Setting::HalfLineTimeout, self.half_line_timeout.clone()),
            (
                Setting::WhatsatInFlightMax,
                self.whatsat_in_flight_max.clone(),
            ),
            (Setting::MaxClients, self.max_clients.clone()),
            (Setting::MaxClientBytes, self.max_client_bytes.clone()),
            (Setting::ClientIdBytesMax, self.client_id_bytes_max.clone()),
            (Setting::ReplyBytesMax, self.reply_bytes_max.clone()),
            (
                Setting::HttpConnectionsMax,
                self.http_connections_max.clone(),
            ),
            (
                Setting::HttpConnectionsPerAddressMax,
                self.http_connections_per_address_max.clone(),
            ),
            (
                Setting::PeerConnectionsPerAddressMax,
                self.peer_connections_per_address_max.clone(),
            ),
            (Setting::ViewersMax, self.viewers_max.clone()),
        ]
    }
}

impl PlacesOptions {
    fn given(&self) -> [(Setting, Option<String>); 12] {
        let [file, add] = self.data.given();
        [
            (Setting::Places, self.places.clone()),
            (Setting::PlacesUrl, self.places_url.clone()),
            (Setting::PlacesKeyFile, self.places_key_file.clone()),
            (Setting::PlacesTimeout, self.places_timeout.clone()),
            (
                Setting::PlacesConnectTimeout,
                self.places_connect_timeout.clone(),
            ),
            (
                Setting::PlacesInFlightMax,
                self.places_in_flight_max.clone(),
            ),
            (Setting::PlacesFallback, self.places_fallback.clone()),
            (Setting::PlacesCache, self.places_cache.clone()),
            (Setting::PlacesCacheAge, self.places_cache_age.clone()),
            (Setting::PlacesPerMinute, self.places_per_minute.clone()),
            file,
            add,
        ]
    }
}

impl PlacesDataOptions {
    pub(super) fn given(&self) -> [(Setting, Option<String>); 2] {
        [
            (Setting::PlacesFile, self.places_file.clone()),
            (Setting::PlacesAdd, self.places_add.clone()),
        ]
    }
}

impl ServeOptions {
    pub(super) fn flags(&self) -> Flags {
        let own = [
            (Setting::Config, self.config.clone()),
            (Setting::Name, self.name.clone()),
            (Setting::ClientListen, self.client_listen.clone()),
            (Setting::PeerListen, self.peer_listen.clone()),
            (Setting::HttpListen, self.http_listen.clone()),
            (Setting::HttpHosts, self.http_hosts.clone()),
            (Setting::WireLog, self.wire_log.clone()),
            (Setting::DrainDelay, self.drain_delay.clone()),
            (Setting::ControlSocket, self.control_socket.clone()),
        ];
        Flags::new(
            own.into_iter()
                .chain(self.topology.given())
                .chain(self.common.given())
                .chain(self.durability.given())
                .chain(self.tls.given())
                .chain(self.places.given())
                .chain(self.limits.given()),
        )
    }
}

impl LocalOptions {
    pub(super) fn flags(&self) -> Flags {
        Flags::new(
            self.topology
                .given()
                .into_iter()
                .chain(self.durability.given())
                .chain(self.common.given())
                .chain(self.places.given()),
        )
    }
}

impl TopologyOptions {
    fn given(&self) -> [(Setting, Option<String>); 4] {
        [
            (Setting::Topology, self.topology.clone()),
            (Setting::ClientPortBase, self.client_port_base.clone()),
            (Setting::HttpPortBase, self.http_port_base.clone()),
            (Setting::PeerPortBase, self.peer_port_base.clone()),
        ]
    }
}

impl CommonOptions {
    fn given(&self) -> [(Setting, Option<String>); 5] {
        [
            (Setting::HttpLocations, self.http_locations.clone()),
            (Setting::MaxClockSkew, self.max_clock_skew.clone()),
            (Setting::ExpireAfter, self.expire_after.clone()),
            (Setting::Log, self.log.clone()),
            (Setting::LogFormat, self.log_format.clone()),
        ]
    }
}
