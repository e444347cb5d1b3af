//! The table of settings. One entry is one setting; [`settings`] says how an entry is written.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use herd_acknowledgement::AckLevel;
use herd_admission::one_address_share;
use herd_crdt::CLIENT_ID_BYTES_MAX;
use herd_gossip::timing::SPARE_PEER_CONNECTIONS_MAX;
use herd_places::ProviderName;
use herd_protocol::{LINE_BYTES_MAX, OVERSIZED_COPY_BYTES};
use herd_topology::{CLIENT_PORT_BASE, HTTP_PORT_BASE, HostPort, PEER_PORT_BASE};
use reqwest::Url;

use super::definition::{Described, default_text, either, field_type, resolved, settings};
use super::kinds::{
    Choice, Counts, Durations, EVER, FileToAppend, Filter, HostNames, Kind, Listen, OneOf, Origins,
    PathTo, Port, Rates, Secrets, Servers, Sizes, Socket, Switch, Text, TileTemplate, Tiles,
    UnlessZero, WebAddress, auto_or, off_or,
};
use super::{Command, ConfigError, Environment, Flags, Group, Resolver, Secret, Ways};
use crate::logging::{LogFilter, LogFormat};

/// The folder for data unless something else is said, in the current folder. Each server has a folder of its own in
/// it.
pub const DATA_DIR: &str = "herd-data";

/// Where the ports for Redis clients start in `herd local` unless something else is said.
pub const RESP_PORT_BASE: u16 = 15_000;

/// The times after which records can expire.
pub const EXPIRE_AFTER: Durations = Durations {
    min: SECOND,
    max: EVER,
};

/// The times within which locations of forgotten clients are erased. In less, disks would do little else.
const ERASE_WITHIN: Durations = Durations {
    min: Duration::from_secs(8),
    max: EVER,
};

/// The most of anything that is counted.
const COUNT_MAX: usize = 1_000_000_000;
/// The highest rate.
const RATE_MAX: u32 = 1_000_000_000;
/// The most memory, in bytes.
const MEMORY_BYTES_MAX: usize = 1 << 50;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

settings! {
Server {
    Config config: PathBuf, PathTo("FILE"), otherwise "none", only Ways::NotInFile("cannot be set in the file itself"),
        for [Serve], "Configuration file (TOML); flags and variables win over it";
    Name name: String, Text("NAME"), otherwise "none, must be given",
        for [Serve], "Name of this server in the topology";
    PodName pod_name: String, Text("POD"), otherwise "none",
        only Ways::VariableOnly("differs from pod to pod and is not set here, but by the variable HERD_POD_NAME"),
        for [Serve], "Name of a StatefulSet's pod, in place of a name: the number at its end picks the server",
        "`herd-0` is the topology's first. [Kubernetes](../k8s/README.md) sets it.";
    Topology topology: PathBuf, PathTo("FILE"), otherwise "the built-in five servers; `herd status`, `herd top`: those of the `herd local` in this folder, else these",
        for [Serve, Local, Status: "Ask all servers of this topology file"],
        "Topology file: servers, addresses and links", "See [its format](topology.md).";
    ClientPortBase client_port_base: u16, Port, default CLIENT_PORT_BASE,
        for [Serve, Local], "First port for clients of the built-in topology";
    HttpPortBase http_port_base: u16, Port,
        otherwise above_client_ports(HTTP_PORT_BASE),
        for [Serve, Local], "First port for HTTP of the built-in topology";
    PeerPortBase peer_port_base: u16, Port,
        otherwise above_client_ports(PEER_PORT_BASE),
        for [Serve, Local], "First port for links between servers of the built-in topology";
    ClientListen client_listen: std::net::SocketAddr, Listen, otherwise "the address in the topology",
        for [Serve], "Address to listen on for clients";
    PeerListen peer_listen: std::net::SocketAddr, Listen, otherwise "the address in the topology",
        for [Serve], "Address to listen on for neighbours";
    RespPortBase resp_port_base: Option<u16>, off_or(Port),
        otherwise format!("{}; `off` with a topology file", above_client_ports(RESP_PORT_BASE)),
        for [Local], "First port for Redis clients, on 127.0.0.1; each server takes the next one",
        "See [Redis clients](redis.md).";
    HttpListen http_listen: Option<std::net::SocketAddr>, off_or(Listen), otherwise "the address in the topology",
        for [Serve], "Address to listen on for HTTP; `off` switches HTTP off",
        "Without HTTP there are no probes and no metrics.";
    RespListen resp_listen: Option<std::net::SocketAddr>, off_or(Listen), default None,
        for [Serve], "Address to listen on for Redis clients (RESP); `off` for none",
        "Tokens, TLS and limits of the client port hold for it too; see [Redis clients](redis.md).";
    HttpLocations http_locations: bool, Switch,
        otherwise "`false`; `herd local`: `true` where HTTP listens on loopback",
        for [Serve, Local], "Show locations and the inside of the herd to everyone who reaches HTTP",
        "It opens the page at `/`, [`/status`](operations.md#status) and [HTTP/JSON](http.md), which takes reports too. \
         `/healthz`, `/readyz` and `/metrics` tell no location and are always open.";
    HttpHosts http_hosts: Vec<Arc<str>>, HostNames, otherwise "none",
        for [Serve], "Answer HTTP under these names too, with commas between them",
        "HTTP always answers to IP addresses, `localhost` and the names in the topology. Further names are those of a \
         proxy or of a Service; [why](security.md#pages-from-elsewhere).";
    HttpCorsOrigin http_cors_origin: Vec<Arc<str>>, Origins, otherwise "none",
        for [Serve, Local], "Let web pages of these origins use HTTP/JSON, with commas between them; `*` is every page",
        "Other pages from elsewhere can read nothing and [write nothing](security.md#pages-from-elsewhere).";
    HttpTls http_tls: bool, Switch, default false,
        for [Serve], "Speak TLS only at the HTTP port, with the certificate of the client port",
        "It needs `client_tls_cert`. Probes have to speak TLS then, and to show a certificate where `client_tls_ca` is set.";
    MapTiles map_tiles: TileTemplate, Tiles, otherwise "none",
        for [Serve, Local], "Tiles with streets for the map of the live page, with {z}, {x} and {y} in their address",
        "Without them the map has coasts, borders and names of places, and needs no network. Browsers ask that server for \
         the tiles they show, so it learns which parts of the world people look at; [why nothing else is let \
         in](security.md#tiles-of-the-map).";
    MapAttribution map_attribution: String, Text("TEXT"), otherwise "none",
        for [Serve, Local], "Who made the tiles of `map_tiles`, as a corner of the map has to say";
    MaxClockSkew max_clock_skew: Option<Duration>, UnlessZero, default Some(2 * HOUR),
        for [Serve, Local],
        "Refuse reports whose time is further ahead of the server's clock than this; `0` for no limit";
    ExpireAfter expire_after: Option<Duration>, off_or(EXPIRE_AFTER), default None,
        for [Serve, Local], "Forget records older than this by their own time; the same on all servers",
        "**All servers of a herd must use the same**, see [expiry](expiry.md).";
    EraseWithin erase_within: Duration, ERASE_WITHIN, default 10 * MINUTE,
        for [Serve, Local],
        "Erase the locations of a forgotten client from gossip and disk within this time",
        "A server that is gone has its own time, see [forgetting](forget.md#erasure).";
    Log log: LogFilter, Filter, default LogFilter::default(),
        for [Serve, Local],
        "Log lines to show: error, warn, info, debug, trace, off, or parts TARGET=LEVEL between commas",
        "Parts such as `info,herd_server::http=debug` are for one [target](operations.md#logs). Links made and lost \
         are shown at every level but `off`.";
    LogFormat log_format: LogFormat, Choice(&LogFormat::ALL), default LogFormat::Text,
        for [Serve, Local], "Format of log lines", "Log lines go to [standard error](operations.md#logs).";
    WireLog wire_log: PathBuf, FileToAppend, otherwise "off",
        for [Serve], "Write every line in and out to this file",
        "It must not be a symbolic link, except in `/dev`, such as `/dev/stdout`. \
         A file that was renamed is noticed with the next line; [SIGHUP](operations.md#signals) reopens it too.";
    WireLogMax wire_log_max: Option<usize>, off_or(Sizes { min: 1 << 20, max: MEMORY_BYTES_MAX }),
        default Some(256 << 20),
        for [Serve, Local], "Maximal size of a wire log, kept in two files, the older with `.old` at its end",
        "When the newer one has half of it, it takes the place of the older one.";
    DrainDelay drain_delay: Duration, Durations { min: Duration::ZERO, max: 10 * MINUTE }, default 5 * SECOND,
        for [Serve], "After SIGTERM, report \"not ready\" and accept connections for this time",
        "A load balancer or a Service of Kubernetes sends clients to this server until it notices. SIGINT skips the \
         delay.";
    DataDir data_dir: PathBuf, PathTo("DIR"),
        otherwise format!("`{DATA_DIR}`; `herd serve`: `{DATA_DIR}/NAME.data`"),
        for [Serve, Local, Dump: "Data folder of the server, or of a `herd local`: then its first server that runs",
             Order: "Data folder of the `herd local`"],
        "Folder for data, made if it does not exist",
        "`herd local` keeps topology, logs and wire logs there too, and gives each server the folder `NAME.data` \
         in it.";
    Ephemeral ephemeral: bool, Switch, default false,
        for [Serve, Local], "Write no data to disk; `herd local` then writes nothing at all";
    Fresh fresh: bool, Switch, default false,
        for [Local], "Begin anew: remove the data and logs of the servers in the data folder first";
    ShowLogs show_logs: bool, Switch, default false,
        for [Local], "Show all log lines of the servers, and not only warnings and errors";
    Ack ack: AckLevel, Choice(&AckLevel::ALL), default AckLevel::Memory,
        for [Serve, Local], "Reply to a report when it is in memory, on disk, at a peer, or both of these",
        "See [durability](durability.md).";
    AckTimeout ack_timeout: Duration, Durations::up_to(MINUTE), default 2 * SECOND,
        for [Serve, Local], "Time limit for this; after it the client gets the error reply";
    ControlSocket control_socket: PathBuf, Socket, otherwise "`control.sock` in the data folder, if there is one; `herd dump`, `herd load`: that of `data_dir`",
        for [Serve, Dump: "The server's control socket"], "Socket for herd dump and herd load, open to this user alone",
        "It is a Unix domain socket; see [back up and restore](operations.md#back-up-and-restore).";
}
Tls {
    LinksCerts links_certs: PathBuf, PathTo("DIR"),
        otherwise "the folder `certs` beside the topology file, if it is there",
        for [Serve], "Folder with certificate, key and trusted authorities for links",
        "[`herd certs`](tls.md) makes it.";
    LinksCredentials links_credentials: Secret, Secrets, otherwise "none",
        only Ways::VariableOnly("holds a private key and is not set here: name a folder with `links_certs`"),
        for [Serve], "Certificate, key and trusted authorities for links themselves, in PEM",
        "`herd local --ephemeral` hands them to its servers.";
    InsecureLinks insecure_links: bool, Switch, default false,
        for [Serve],
        "Allow links to other machines without certificates: anyone on the way can read them and join the herd";
    ClientTlsCert client_tls_cert: PathBuf, PathTo("FILE"), otherwise "off",
        for [Serve], "Certificate of the client port (PEM, its chain behind it), which then speaks TLS only",
        "See [TLS for clients](tls.md#clients).";
    ClientTlsKey client_tls_key: PathBuf, PathTo("FILE"), otherwise "none",
        for [Serve], "Private key of that certificate";
    ClientTlsCa client_tls_ca: PathBuf, PathTo("FILE"), otherwise "off",
        for [Serve], "Let in clients with a certificate of these authorities only";
}
Places {
    Places places: ProviderName, Choice(&ProviderName::ALL), default ProviderName::Embedded,
        for [Serve, Local], "Provider of places",
        "See [places](places.md).";
    PlacesUrl places_url: Url, WebAddress, otherwise "the service's own",
        for [Serve, Local], "Base address of an online provider, for a proxy or a server of your own";
    PlacesKeyFile places_key_file: PathBuf, PathTo("FILE"), otherwise "none",
        for [Serve, Local], "File with the key of an online provider and nothing else; or set HERD_PLACES_KEY";
    PlacesKey places_key: Secret, Secrets, otherwise "none",
        only Ways::VariableOnly("is a secret and not set here: name a file of its own with `places_key_file`, or set \
                                 the variable HERD_PLACES_KEY"),
        for [Serve, Local], "Key of an online provider itself",
        "There is no flag, because lists of processes show flags.";
    PlacesTimeout places_timeout: Duration, Durations::up_to(25 * SECOND), default 800 * MILLISECOND,
        for [Serve, Local], "Time limit for a question to an online provider",
        "It includes the wait for a turn and a second attempt.";
    PlacesConnectTimeout places_connect_timeout: Duration, Durations::up_to(25 * SECOND), default 500 * MILLISECOND,
        for [Serve, Local], "Time limit for a connection to the provider, as a part of that time",
        "Where `places_timeout` is less than the default, the default is `places_timeout`.";
    PlacesInFlightMax places_in_flight_max: usize, Counts::up_to(1_024), otherwise in_flight_defaults(),
        for [Serve, Local], "Maximal number of questions to the provider in flight", "Eight times as many wait.";
    PlacesFallback places_fallback: bool, OneOf("embedded", "off"), default true,
        for [Serve, Local], "Answer from the embedded table when the provider fails or is too slow; `off` for an error";
    PlacesCache places_cache: Option<usize>, off_or(Counts::up_to(10_000)), default None,
        for [Serve, Local], "Number of answers of overpass to keep", "Google's terms forbid it.";
    PlacesCacheAge places_cache_age: Duration, Durations::up_to(WEEK), default 10 * MINUTE,
        for [Serve, Local], "Time for which answers are kept";
    PlacesPerMinute places_per_minute: Option<NonZeroU32>, off_or(Rates { max: 10_000_000 }),
        default NonZeroU32::new(600),
        for [Serve, Local], "Maximal number of requests to the provider in a minute",
        "After a minute without requests it may get all of them at once.";
    PlacesFile places_file: PathBuf, PathTo("TABLE"), otherwise "built-in",
        for [Serve, Local, PlacesInfo], "Table of places, used instead of the embedded one; see `herd places import`";
    PlacesAdd places_add: bool, Switch, default false,
        for [Serve, Local, PlacesInfo], "Use the table of places_file beside the embedded one";
}
Limits {
    Tokens tokens: PathBuf, PathTo("FILE"), otherwise "off",
        for [Serve], "File with the tokens that clients and HTTP requests must show; see `herd token new`",
        "It is read again when it changes; see [tokens](security.md#tokens).";
    ClientThreads client_threads: Option<usize>, auto_or(Counts::up_to(1_024)), default None,
        for [Serve], "Number of threads for clients that send little at a time; `auto` is one for each core but one",
        "Clients that send many commands at a time have other threads, one more than this. Replication, the store and \
         HTTP have one for each core.";
    ConnectionsMax connections_max: usize, Counts::up_to(COUNT_MAX), default 16_384,
        for [Serve], "Maximal number of open connections of clients",
        "A low limit of [open files](security.md#open-files) lowers it.";
    ConnectionsPerAddressMax connections_per_address_max: Option<usize>, off_or(Counts::up_to(COUNT_MAX)),
        otherwise "3/4 of `connections_max`", for [Serve], "Maximal number of these connections of one address",
        "An address is an IPv4 address or a /64 of IPv6; `off` means no separate limit.";
    LineBytesMax line_bytes_max: usize, Sizes { min: OVERSIZED_COPY_BYTES, max: 1 << 20 }, default LINE_BYTES_MAX,
        for [Serve], "Maximal length of a client's line, before its LF";
    CommandsPerSecond commands_per_second: Option<NonZeroU32>, off_or(Rates { max: RATE_MAX }), default None,
        for [Serve], "Maximal number of lines of a connection that are executed per second";
    CommandsPerSecondPerAddress commands_per_second_per_address: Option<NonZeroU32>, off_or(Rates { max: RATE_MAX }),
        default None,
        for [Serve], "Maximal number of lines of all connections of an address that are executed per second",
        "Requests over [HTTP](http.md) and each of many reports in one count as lines.";
    IdleTimeout idle_timeout: Option<Duration>, off_or(Durations::up_to(WEEK)), default None,
        for [Serve], "Close connections that are silent for this time while no reply waits";
    HalfLineTimeout half_line_timeout: Option<Duration>, off_or(Durations::up_to(WEEK)), default Some(2 * MINUTE),
        for [Serve], "Close connections that do not end a line within this time after its first byte";
    WhatsatInFlightMax whatsat_in_flight_max: usize, Counts::up_to(COUNT_MAX), default 4_096,
        for [Serve], "Maximal number of WHATSATs of all connections that wait for places";
    SearchesInFlightMax searches_in_flight_max: usize, Counts::up_to(COUNT_MAX), default 1_024,
        for [Serve], "Maximal number of searches for clients that take long, of all connections",
        "NEARBY and WITHIN; [what takes long](bounds.md#connections-and-commands-of-clients).";
    WatchersMax watchers_max: usize, Counts::up_to(COUNT_MAX), default 16_384,
        for [Serve], "Maximal number of WATCHes of all connections at a time", "Further ones get the error reply.";
    WatchersPerAddressMax watchers_per_address_max: Option<usize>, off_or(Counts::up_to(COUNT_MAX)),
        otherwise "3/4 of `watchers_max`", for [Serve], "Maximal number of these of one address",
        "An address is an IPv4 address or a /64 of IPv6; `off` means no separate limit.";
    WatchMarksMax watch_marks_max: usize, Counts::up_to(COUNT_MAX), default 100_000,
        for [Serve], "Maximal number of clients that may change before a WATCH has read of them",
        "It ends with `END slow` then; see [watching](watch.md#who-reads-slowly).";
    WatchMarksTotalMax watch_marks_total_max: usize, Counts::up_to(COUNT_MAX), default 500_000,
        for [Serve], "Maximal number of these of all WATCHes together, the first 129 of each not counted",
        "A client counts once more for each 64 bytes of its ID. Beyond it those with more end with `END slow`.";
    WatchInsideMax watch_inside_max: usize, Counts::up_to(COUNT_MAX), default 4_000_000,
        for [Serve], "Maximal number of clients inside the areas of all WATCHes together, the first 129 of each not counted",
        "A client counts once more for each 64 bytes of its ID, and an ID that is watched once for each. A WATCH that would exceed it ends with `END refused`, or gets the error reply.";
    WatchScansMax watch_scans_max: Option<usize>, auto_or(Counts::up_to(1_024)), default None,
        for [Serve], "Number of first states of WATCHes that are worked on at a time; `auto` is half of the cores",
        "The others wait for their turn.";
    WatchAlive watch_alive: Duration, Durations::up_to(HOUR), default 15 * SECOND,
        for [Serve], "Send a WATCH an ALIVE line when nothing else was sent for this time";
    MaxClients max_clients: Option<usize>, off_or(Counts::up_to(COUNT_MAX)),
        otherwise "as many as `max_client_bytes` holds with IDs of 20 bytes",
        for [Serve], "Refuse reports of further clients when this number is known";
    MaxClientBytes max_client_bytes: Option<usize>, off_or(Sizes { min: 1, max: MEMORY_BYTES_MAX }),
        otherwise "half of the memory",
        for [Serve], "Refuse reports of further clients when the known ones take this memory",
        "See [which memory](bounds.md#memory-and-clients) and [how it is counted](security.md#memory).";
    ClientIdBytesMax client_id_bytes_max: usize, Sizes { min: 1, max: CLIENT_ID_BYTES_MAX },
        default CLIENT_ID_BYTES_MAX,
        for [Serve], "Refuse reports of clients whose ID is longer than this, at the server that hears them";
    ReplyBytesMax reply_bytes_max: usize, Sizes { min: 1, max: MEMORY_BYTES_MAX }, default 256 << 20,
        for [Serve], "Maximal number of bytes of waiting replies of all clients together",
        "Beyond it, the server reads no further from clients with more than 8 KiB waiting.";
    HttpConnectionsMax http_connections_max: usize, Counts::up_to(COUNT_MAX), default 128,
        for [Serve], "Maximal number of HTTP connections",
        "16 more are for [probes](security.md#places-for-probes).";
    HttpConnectionsPerAddressMax http_connections_per_address_max: Option<usize>, off_or(Counts::up_to(COUNT_MAX)),
        otherwise "3/4 of `http_connections_max`", for [Serve], "Maximal number of these connections of one address",
        "An address is an IPv4 address or a /64 of IPv6; `off` means no separate limit.";
    PeerConnectionsPerAddressMax peer_connections_per_address_max: Option<usize>, off_or(Counts::up_to(COUNT_MAX)),
        default Some(one_address_share(SPARE_PEER_CONNECTIONS_MAX)),
        for [Serve], "Maximal number of connections of one address to the peer port in their handshake",
        "Each neighbour adds one; `off` means no separate limit.";
    ViewersMax viewers_max: usize, Counts::up_to(COUNT_MAX), default 16,
        for [Serve], "Maximal number of open live pages", "Further ones are refused.";
}
Client {
    To to: Vec<HostPort>, Servers, otherwise "the first of the `herd local` in this folder, else of the built-in topology; `herd demo`, `herd bench`: all of them",
        for [Send, Bench: "A server's client port; several take connections in turn"], "The server's client port";
    TokenFile token_file: PathBuf, PathTo("FILE"), otherwise "none",
        for [Send, Status], "File with a token to show the server first; or set HERD_TOKEN";
    Token token: Secret, Secrets, otherwise "none", only Ways::VariableOnly("is a secret"),
        for [Send, Status], "The [token](security.md#tokens) itself",
        "There is no flag, because lists of processes show flags.";
}
}

/// The default of a port base that is `default` where clients have theirs, and as far above the clients' elsewhere.
fn above_client_ports(default: u16) -> String {
    let above = default - CLIENT_PORT_BASE;
    format!("{above} above `client_port_base`: `{default}`")
}

/// The maximal number of questions to each kind of provider at a time.
fn in_flight_defaults() -> String {
    let overpass = ProviderName::Overpass;
    let [most, few] = [ProviderName::Google, overpass].map(ProviderName::default_in_flight_max);
    format!("`{most}`; `{overpass}` `{few}`")
}

impl Values {
    /// The values for a command that needs no further checks.
    ///
    /// # Errors
    /// If there are mistakes, with all of them.
    pub fn load(
        command: Command,
        flags: &Flags,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let mut resolver = Resolver::new(command, flags, environment);
        let values = Values::resolve(&mut resolver);
        resolver.finish(Some(values))
    }
}

impl Setting {
    /// Whether the command takes it.
    #[must_use]
    pub fn is_of(self, command: Command) -> bool {
        self.commands().contains(&command)
    }

    /// Those that the command takes.
    pub fn of(command: Command) -> impl Iterator<Item = Setting> {
        let all = Setting::ALL.iter().copied();
        all.filter(move |setting| setting.is_of(command))
    }

    /// Whether there is a flag.
    #[must_use]
    pub fn has_flag(self) -> bool {
        !matches!(self.ways(), Ways::VariableOnly(_))
    }

    /// Whether a configuration file can have it.
    #[must_use]
    pub fn is_in_file(self) -> bool {
        self.is_of(Command::Serve) && self.ways() == Ways::Every
    }

    /// The flag, such as `--max-clock-skew`.
    #[must_use]
    pub fn flag(self) -> String {
        format!("--{}", self.key().replace('_', "-"))
    }

    /// The environment variable, such as `HERD_MAX_CLOCK_SKEW`.
    #[must_use]
    pub fn variable(self) -> String {
        format!("HERD_{}", self.key().to_ascii_uppercase())
    }

    /// The kind of a value, such as `DURATION`.
    #[must_use]
    pub fn unit(self) -> String {
        self.described().unit
    }

    /// The permitted values, with backticks around typed text; empty where the unit is enough.
    #[must_use]
    pub fn range(self) -> String {
        self.described().range
    }

    /// The value that holds if none is given, or the program's choice then, with backticks around typed text.
    #[must_use]
    pub fn default_text(self) -> String {
        self.described().default
    }

    /// Whether the flag alone stands for `true`.
    #[must_use]
    pub fn is_switch(self) -> bool {
        self.described().is_switch
    }

    /// Whether the flag may be given several times.
    #[must_use]
    pub fn is_list(self) -> bool {
        self.described().is_list
    }
}
