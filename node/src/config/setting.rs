//! Everything that can be set, and its name in each place where it can be set.

/// One thing that a user can set. Its name in a file is [`Setting::key`]; flag and variable follow
/// from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// The configuration file itself; cannot be set in one.
    Config,
    /// The server's name.
    Name,
    /// The name of the pod in a StatefulSet, whose number picks the server: a variable only, which
    /// Kubernetes sets.
    PodName,
    /// The topology file.
    Topology,
    /// First client port of the built-in topology.
    ClientPortBase,
    /// First HTTP port of the built-in topology.
    HttpPortBase,
    /// First peer port of the built-in topology.
    PeerPortBase,
    /// Where to listen for clients, if not where the topology says.
    ClientListen,
    /// Where to listen for neighbours, if not where the topology says.
    PeerListen,
    /// Where to listen for HTTP, if not where the topology says, or whether not to.
    HttpListen,
    /// Whether HTTP shows locations, and the inside of the herd.
    HttpLocations,
    /// Names that HTTP answers to, besides those of the topology.
    HttpHosts,
    /// How far a report's time may lie ahead of the server's clock.
    MaxClockSkew,
    /// After how long records expire.
    ExpireAfter,
    /// Which log lines to show.
    Log,
    /// The form of log lines.
    LogFormat,
    /// The file that gets every line in and out.
    WireLog,
    /// How long a server that was told to stop goes on accepting, and says that it is not ready.
    DrainDelay,
    /// The socket for `herd dump` and `herd load`.
    ControlSocket,
    /// The provider of places.
    Places,
    /// The base address of an online provider.
    PlacesUrl,
    /// The file that holds the key of an online provider.
    PlacesKeyFile,
    /// That key itself: a variable only, so that no list of processes and no file shows it.
    PlacesKey,
    /// How long a question to an online provider may take.
    PlacesTimeout,
    /// How long a connection to it may take.
    PlacesConnectTimeout,
    /// How many questions to it may be in flight.
    PlacesInFlightMax,
    /// What answers when it does not.
    PlacesFallback,
    /// How many of its answers are kept.
    PlacesCache,
    /// How long they are kept.
    PlacesCacheAge,
    /// The table of places that is used instead of the embedded one.
    PlacesFile,
    /// Whether that table is used beside the embedded one.
    PlacesAdd,
    /// The folder for data.
    DataDir,
    /// Whether nothing is written to disk.
    Ephemeral,
    /// How safe a report is before its reply goes out.
    Ack,
    /// How long that may take.
    AckTimeout,
    /// The folder with certificate, key and authorities of links.
    LinksCerts,
    /// Certificate, key and authorities themselves: a variable only, by which `herd local` hands them to
    /// servers without a disk.
    LinksCredentials,
    /// Whether links beyond this machine may do without certificates.
    InsecureLinks,
    /// The certificate of the client port.
    ClientTlsCert,
    /// Its private key.
    ClientTlsKey,
    /// Authorities of which clients need a certificate.
    ClientTlsCa,
    /// How many questions a minute an online provider of places gets.
    PlacesPerMinute,
    /// The file with the tokens that clients must show.
    Tokens,
    /// How many threads serve clients that send little at a time.
    ClientThreads,
    /// How many connections of clients may be open.
    ConnectionsMax,
    /// How many of them may be of one address.
    ConnectionsPerAddressMax,
    /// The longest line of a client.
    LineBytesMax,
    /// How many commands of a connection are executed in a second.
    CommandsPerSecond,
    /// How many commands of an address are executed in a second.
    CommandsPerSecondPerAddress,
    /// How long a client may be silent.
    IdleTimeout,
    /// How long a client may take over a line.
    HalfLineTimeout,
    /// How many questions of clients may wait.
    WhatsatInFlightMax,
    /// How many clients may be known before reports of new ones are refused.
    MaxClients,
    /// How many bytes of memory clients may take before reports of new ones are refused.
    MaxClientBytes,
    /// The longest client ID that is heard, in bytes.
    ClientIdBytesMax,
    /// How many bytes of replies may wait for all clients together.
    ReplyBytesMax,
    /// How many HTTP connections are served at a time.
    HttpConnectionsMax,
    /// How many of them may be of one address.
    HttpConnectionsPerAddressMax,
    /// How many connections of one address to the peer port may not have shaken hands.
    PeerConnectionsPerAddressMax,
    /// How many live pages may be open.
    ViewersMax,
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

    /// The name in a configuration file, such as `max_clock_skew`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Setting::Config => "config",
            Setting::Name => "name",
            Setting::PodName => "pod_name",
            Setting::Topology => "topology",
            Setting::ClientPortBase => "client_port_base",
            Setting::HttpPortBase => "http_port_base",
            Setting::PeerPortBase => "peer_port_base",
            Setting::ClientListen => "client_listen",
            Setting::PeerListen => "peer_listen",
            Setting::HttpListen => "http_listen",
            Setting::HttpLocations => "http_locations",
            Setting::HttpHosts => "http_hosts",
            Setting::MaxClockSkew => "max_clock_skew",
            Setting::ExpireAfter => "expire_after",
            Setting::Log => "log",
            Setting::LogFormat => "log_format",
            Setting::WireLog => "wire_log",
            Setting::DrainDelay => "drain_delay",
            Setting::ControlSocket => "control_socket",
            Setting::Places => "places",
            Setting::PlacesUrl => "places_url",
            Setting::PlacesKeyFile => "places_key_file",
            Setting::PlacesKey => "places_key",
            Setting::PlacesTimeout => "places_timeout",
            Setting::PlacesConnectTimeout => "places_connect_timeout",
            Setting::PlacesInFlightMax => "places_in_flight_max",
            Setting::PlacesFallback => "places_fallback",
            Setting::PlacesCache => "places_cache",
            Setting::PlacesCacheAge => "places_cache_age",
            Setting::PlacesFile => "places_file",
            Setting::PlacesAdd => "places_add",
            Setting::DataDir => "data_dir",
            Setting::Ephemeral => "ephemeral",
            Setting::Ack => "ack",
            Setting::AckTimeout => "ack_timeout",
            Setting::LinksCerts => "links_certs",
            Setting::LinksCredentials => "links_credentials",
            Setting::InsecureLinks => "insecure_links",
            Setting::ClientTlsCert => "client_tls_cert",
            Setting::ClientTlsKey => "client_tls_key",
            Setting::ClientTlsCa => "client_tls_ca",
            Setting::PlacesPerMinute => "places_per_minute",
            Setting::Tokens => "tokens",
            Setting::ClientThreads => "client_threads",
            Setting::ConnectionsMax => "connections_max",
            Setting::ConnectionsPerAddressMax => "connections_per_address_max",
            Setting::LineBytesMax => "line_bytes_max",
            Setting::CommandsPerSecond => "commands_per_second",
            Setting::CommandsPerSecondPerAddress => "commands_per_second_per_address",
            Setting::IdleTimeout => "idle_timeout",
            Setting::HalfLineTimeout => "half_line_timeout",
            Setting::WhatsatInFlightMax => "whatsat_in_flight_max",
            Setting::MaxClients => "max_clients",
            Setting::MaxClientBytes => "max_client_bytes",
            Setting::ClientIdBytesMax => "client_id_bytes_max",
            Setting::ReplyBytesMax => "reply_bytes_max",
            Setting::HttpConnectionsMax => "http_connections_max",
            Setting::HttpConnectionsPerAddressMax => "http_connections_per_address_max",
            Setting::PeerConnectionsPerAddressMax => "peer_connections_per_address_max",
            Setting::ViewersMax => "viewers_max",
        }
    }

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
        let document = include_str!("../../../docs/configuration.md");
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
