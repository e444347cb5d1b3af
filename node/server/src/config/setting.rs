//! Everything that can be set, and its name in each place where it can be set.

/// Makes the enum of all settings, each with its name in a configuration file.
macro_rules! settings {
    ($($(#[$doc:meta])* $setting:ident = $key:literal,)*) => {
        /// One thing that a user can set. Its name in a file is [`Setting::key`]; flag and variable follow
        /// from it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Setting {
            $($(#[$doc])* $setting,)*
        }

        impl Setting {
            /// The name in a configuration file, such as `max_clock_skew`.
            #[must_use]
            pub fn key(self) -> &'static str {
                match self {
                    $(Setting::$setting => $key,)*
                }
            }
        }
    };
}

settings! {
    /// The configuration file itself; cannot be set in one.
    Config = "config",
    /// The server's name.
    Name = "name",
    /// The name of the pod in a StatefulSet, whose number picks the server: a variable only, which
    /// Kubernetes sets.
    PodName = "pod_name",
    /// The topology file.
    Topology = "topology",
    /// First client port of the built-in topology.
    ClientPortBase = "client_port_base",
    /// First HTTP port of the built-in topology.
    HttpPortBase = "http_port_base",
    /// First peer port of the built-in topology.
    PeerPortBase = "peer_port_base",
    /// Where to listen for clients, if not where the topology says.
    ClientListen = "client_listen",
    /// Where to listen for neighbours, if not where the topology says.
    PeerListen = "peer_listen",
    /// Where to listen for HTTP, if not where the topology says, or whether not to.
    HttpListen = "http_listen",
    /// Whether HTTP shows locations, and the inside of the herd.
    HttpLocations = "http_locations",
    /// Names that HTTP answers to, besides those of the topology.
    HttpHosts = "http_hosts",
    /// How far a report's time may lie ahead of the server's clock.
    MaxClockSkew = "max_clock_skew",
    /// After how long records expire.
    ExpireAfter = "expire_after",
    /// Which log lines to show.
    Log = "log",
    /// The form of log lines.
    LogFormat = "log_format",
    /// The file that gets every line in and out.
    WireLog = "wire_log",
    /// How long a server that was told to stop goes on accepting, and says that it is not ready.
    DrainDelay = "drain_delay",
    /// The socket for `herd dump` and `herd load`.
    ControlSocket = "control_socket",
    /// The provider of places.
    Places = "places",
    /// The base address of an online provider.
    PlacesUrl = "places_url",
    /// The file that holds the key of an online provider.
    PlacesKeyFile = "places_key_file",
    /// That key itself: a variable only, so that no list of processes and no file shows it.
    PlacesKey = "places_key",
    /// How long a question to an online provider may take.
    PlacesTimeout = "places_timeout",
    /// How long a connection to it may take.
    PlacesConnectTimeout = "places_connect_timeout",
    /// How many questions to it may be in flight.
    PlacesInFlightMax = "places_in_flight_max",
    /// What answers when it does not.
    PlacesFallback = "places_fallback",
    /// How many of its answers are kept.
    PlacesCache = "places_cache",
    /// How long they are kept.
    PlacesCacheAge = "places_cache_age",
    /// The table of places that is used instead of the embedded one.
    PlacesFile = "places_file",
    /// Whether that table is used beside the embedded one.
    PlacesAdd = "places_add",
    /// The folder for data.
    DataDir = "data_dir",
    /// Whether nothing is written to disk.
    Ephemeral = "ephemeral",
    /// How safe a report is before its reply goes out.
    Ack = "ack",
    /// How long that may take.
    AckTimeout = "ack_timeout",
    /// The folder with certificate, key and authorities of links.
    LinksCerts = "links_certs",
    /// Certificate, key and authorities themselves: a variable only, by which `herd local` hands them to
    /// servers without a disk.
    LinksCredentials = "links_credentials",
    /// Whether links beyond this machine may do without certificates.
    InsecureLinks = "insecure_links",
    /// The certificate of the client port.
    ClientTlsCert = "client_tls_cert",
    /// Its private key.
    ClientTlsKey = "client_tls_key",
    /// Authorities of which clients need a certificate.
    ClientTlsCa = "client_tls_ca",
    /// How many questions a minute an online provider of places gets.
    PlacesPerMinute = "places_per_minute",
    /// The file with the tokens that clients must show.
    Tokens = "tokens",
    /// How many threads serve clients that send little at a time.
    ClientThreads = "client_threads",
    /// How many connections of clients may be open.
    ConnectionsMax = "connections_max",
    /// How many of them may be of one address.
    ConnectionsPerAddressMax = "connections_per_address_max",
    /// The longest line of a client.
    LineBytesMax = "line_bytes_max",
    /// How many commands of a connection are executed in a second.
    CommandsPerSecond = "commands_per_second",
    /// How many commands of an address are executed in a second.
    CommandsPerSecondPerAddress = "commands_per_second_per_address",
    /// How long a client may be silent.
    IdleTimeout = "idle_timeout",
    /// How long a client may take over a line.
    HalfLineTimeout = "half_line_timeout",
    /// How many questions of clients may wait.
    WhatsatInFlightMax = "whatsat_in_flight_max",
    /// How many clients may be known before reports of new ones are refused.
    MaxClients = "max_clients",
    /// How many bytes of memory clients may take before reports of new ones are refused.
    MaxClientBytes = "max_client_bytes",
    /// The longest client ID that is heard, in bytes.
    ClientIdBytesMax = "client_id_bytes_max",
    /// How many bytes of replies may wait for all clients together.
    ReplyBytesMax = "reply_bytes_max",
    /// How many HTTP connections are served at a time.
    HttpConnectionsMax = "http_connections_max",
    /// How many of them may be of one address.
    HttpConnectionsPerAddressMax = "http_connections_per_address_max",
    /// How many connections of one address to the peer port may not have shaken hands.
    PeerConnectionsPerAddressMax = "peer_connections_per_address_max",
    /// How many live pages may be open.
    ViewersMax = "viewers_max",
}

impl Setting {
    /// What `herd serve` and `herd check-config` take.
    pub const SERVE: [Setting; 60] = [
        Setting::Config,
        Setting::Name,
        Setting::PodName,
        Setting::Topology,
        Setting::ClientPortBase,
        Setting::HttpPortBase,
        Setting::PeerPortBase,
        Setting::ClientListen,
        Setting::PeerListen,
        Setting::HttpListen,
        Setting::HttpLocations,
        Setting::HttpHosts,
        Setting::MaxClockSkew,
        Setting::ExpireAfter,
        Setting::Log,
        Setting::LogFormat,
        Setting::WireLog,
        Setting::DrainDelay,
        Setting::DataDir,
        Setting::Ephemeral,
        Setting::Ack,
        Setting::AckTimeout,
        Setting::ControlSocket,
        Setting::LinksCerts,
        Setting::LinksCredentials,
        Setting::InsecureLinks,
        Setting::ClientTlsCert,
        Setting::ClientTlsKey,
        Setting::ClientTlsCa,
        Setting::Places,
        Setting::PlacesUrl,
        Setting::PlacesKeyFile,
        Setting::PlacesKey,
        Setting::PlacesTimeout,
        Setting::PlacesConnectTimeout,
        Setting::PlacesInFlightMax,
        Setting::PlacesFallback,
        Setting::PlacesCache,
        Setting::PlacesCacheAge,
        Setting::PlacesFile,
        Setting::PlacesAdd,
        Setting::PlacesPerMinute,
        Setting::Tokens,
        Setting::ClientThreads,
        Setting::ConnectionsMax,
        Setting::ConnectionsPerAddressMax,
        Setting::LineBytesMax,
        Setting::CommandsPerSecond,
        Setting::CommandsPerSecondPerAddress,
        Setting::IdleTimeout,
        Setting::HalfLineTimeout,
        Setting::WhatsatInFlightMax,
        Setting::MaxClients,
        Setting::MaxClientBytes,
        Setting::ClientIdBytesMax,
        Setting::ReplyBytesMax,
        Setting::HttpConnectionsMax,
        Setting::HttpConnectionsPerAddressMax,
        Setting::PeerConnectionsPerAddressMax,
        Setting::ViewersMax,
    ];

    /// What `herd local` passes on to its servers about places, as it was written. The key goes
    /// another way.
    pub const PLACES: [Setting; 12] = [
        Setting::Places,
        Setting::PlacesUrl,
        Setting::PlacesKeyFile,
        Setting::PlacesTimeout,
        Setting::PlacesConnectTimeout,
        Setting::PlacesInFlightMax,
        Setting::PlacesFallback,
        Setting::PlacesCache,
        Setting::PlacesCacheAge,
        Setting::PlacesFile,
        Setting::PlacesAdd,
        Setting::PlacesPerMinute,
    ];

    /// What `herd local` takes.
    pub const LOCAL: [Setting; 26] = [
        Setting::Topology,
        Setting::ClientPortBase,
        Setting::HttpPortBase,
        Setting::PeerPortBase,
        Setting::HttpLocations,
        Setting::MaxClockSkew,
        Setting::ExpireAfter,
        Setting::Log,
        Setting::LogFormat,
        Setting::DataDir,
        Setting::Ephemeral,
        Setting::Ack,
        Setting::AckTimeout,
        Setting::Places,
        Setting::PlacesUrl,
        Setting::PlacesKeyFile,
        Setting::PlacesKey,
        Setting::PlacesTimeout,
        Setting::PlacesConnectTimeout,
        Setting::PlacesInFlightMax,
        Setting::PlacesFallback,
        Setting::PlacesCache,
        Setting::PlacesCacheAge,
        Setting::PlacesFile,
        Setting::PlacesAdd,
        Setting::PlacesPerMinute,
    ];

    /// Whether it can be set by a flag and in a file. A secret cannot, nor what Kubernetes sets.
    #[must_use]
    pub fn is_public(self) -> bool {
        !matches!(
            self,
            Setting::PlacesKey | Setting::PodName | Setting::LinksCredentials
        )
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
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The row of a setting in the documented table starts with its three names.
    #[test]
    fn every_setting_is_documented() {
        let document = include_str!("../../../../docs/configuration.md");
        for setting in Setting::SERVE.into_iter().chain(Setting::LOCAL) {
            let file = match setting {
                Setting::Config => "-".to_owned(),
                other => format!("`{}`", other.key()),
            };
            let (file, flag) = if setting.is_public() {
                (file, format!("`{}`", setting.flag()))
            } else {
                ("-".to_owned(), "-".to_owned())
            };
            let row = format!("| {file} | {flag} | `{}` |", setting.variable());
            assert!(document.contains(&row), "no row {row}");
        }
    }
}
