//! The JSON of `/status`, which `herd status` and `herd top` read too. `docs/metrics.md` explains it.
//!
//! Fields may be added under the same version; one that goes or changes its meaning raises it.

use serde::{Deserialize, Serialize};

/// The version of the document.
pub const STATUS_VERSION: u32 = 1;

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// [`STATUS_VERSION`].
    pub version: u32,
    /// The name of the herd.
    pub cluster: String,
    /// The server that speaks.
    pub server: String,
    /// The version of its program.
    pub program: String,
    /// Its incarnation, as 16 hexadecimal digits.
    pub incarnation: String,
    /// Its wall clock, as RFC 3339 with milliseconds.
    pub time: String,
    /// Seconds since its start.
    pub uptime_s: u64,
    /// Whether clients should be sent to it, as `/readyz` says.
    pub ready: bool,
    /// Why not.
    pub not_ready_because: Option<String>,
    /// Its map.
    pub map: MapStatus,
    /// The herd as its topology has it.
    pub topology: TopologyStatus,
    /// Its view of every other server of the topology, in the order of the topology.
    pub servers: Vec<OtherServer>,
    /// Its links, in the order of the topology.
    pub links: Vec<LinkStatus>,
    /// The state of its store.
    pub storage: StorageStatus,
    /// The providers of places.
    pub places: PlacesStatus,
    /// Its clients; nothing of a version that does not tell.
    #[serde(default)]
    pub clients: ClientStatus,
    /// Its process; nothing of a version that does not tell.
    #[serde(default)]
    pub process: ProcessStatus,
    /// Its certificates; nothing of a version that does not tell.
    #[serde(default)]
    pub certificates: CertificateStatus,
    /// Searches for clients in an area; nothing of a version that has none.
    #[serde(default)]
    pub searches: SearchStatus,
    /// Watches of clients; nothing of a version that has none.
    #[serde(default)]
    pub watches: WatchStatus,
}

/// The clients of a server, and what they asked since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientStatus {
    /// Connections of clients that are open.
    pub connections: u64,
    /// Commands that were answered, those over HTTP and RESP included.
    pub commands: u64,
    /// The times from reading each of them until its reply could be sent, together, in seconds.
    pub commands_s: f64,
}

/// The process of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// Its memory that is in RAM; nothing if the system does not tell.
    pub resident_bytes: Option<u64>,
}

/// When the certificates of a server end, in RFC 3339; nothing where it has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateStatus {
    /// That of its links.
    pub links_end: Option<String>,
    /// That of its client port.
    pub clients_end: Option<String>,
}

/// The map of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapStatus {
    /// Clients that are known.
    pub clients: u64,
    /// Clients that are forgotten; 0 of a version that forgets none.
    #[serde(default)]
    pub tombstones: u64,
    /// Records that changed the map since the start, from clients and servers.
    pub updates: u64,
    /// Records that wait to be published.
    pub pending: u64,
    /// Whether clients are read more slowly, since replication does not keep up.
    pub slowed: bool,
}

/// Searches for clients in an area, since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchStatus {
    /// Those that were answered.
    pub answered: u64,
    /// Clients that they looked up.
    pub candidates: u64,
    /// Clients that they told of.
    pub hits: u64,
    /// Long ones that are under way now.
    pub in_flight: u64,
}

/// Watches of clients, since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchStatus {
    /// Those that are under way now.
    pub under_way: u64,
    /// Those that have begun.
    pub begun: u64,
    /// Those that ended because they were read too slowly.
    pub too_slow: u64,
    /// Lines about clients that they were sent.
    pub lines: u64,
}

/// The herd as the topology has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopologyStatus {
    /// Names of all servers, in order.
    pub servers: Vec<String>,
    /// The two ends of each link.
    pub links: Vec<[String; 2]>,
}

/// A server's view of another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherServer {
    /// Its name.
    pub name: String,
    /// Whether it counts as alive: it was heard of, and not silent for 10 s.
    pub alive: bool,
    /// Its newest incarnation that was heard of.
    pub incarnation: Option<String>,
    /// The newest version of its publications that this server or a neighbour knows; 0 if none.
    pub version_known: u64,
    /// The version that is merged here.
    pub version_merged: u64,
    /// The difference of the two: groups that have not arrived. Nothing if it was never heard of.
    pub lag_groups: Option<u64>,
    /// How long ago its last sign of life was.
    pub last_heard_ms: Option<u64>,
    /// Records here of which it is the only known publisher.
    pub records: u64,
    /// The links that it reports; nothing if it is not alive, or has a version that does not report links.
    #[serde(default)]
    pub links: Vec<ToldLink>,
}

/// The last report of another server about one of its links.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldLink {
    /// The server at the other end.
    pub neighbour: String,
    /// Whether there is a connection.
    pub up: bool,
    /// The approximate number of groups of the reporting server that the neighbour has not merged.
    pub lag_groups: Option<u64>,
}

/// One link of a server. Counts are since its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// The server at the other end.
    pub neighbour: String,
    /// `host:port` of its peer port, as the topology has it.
    pub address: String,
    /// Whether this server is the one of the two that connects.
    pub dials: bool,
    /// Whether there is a connection.
    pub up: bool,
    /// For how long it has been up, or down.
    pub since_s: u64,
    /// Why it was lost last, or could not be made since; nothing if that never happened.
    #[serde(default)]
    pub last_reason: Option<String>,
    /// The neighbour's incarnation, while the link is up.
    pub incarnation: Option<String>,
    /// The version of the link protocol that both ends speak, while the link is up.
    pub protocol_version: Option<u16>,
    /// The features that both ends have, a bit for each, in hexadecimal, while the link is up.
    pub protocol_features: Option<String>,
    /// Groups of this server that the neighbour has not merged yet, by its last report.
    pub lag_groups: Option<u64>,
    /// Age of that report.
    pub reported_ms: Option<u64>,
    /// The neighbour's wall clock less this server's.
    pub clock_offset_ms: Option<i64>,
    /// Connections after the first one.
    pub reconnects: u64,
    /// Messages dropped because the link was down or too slow.
    pub dropped: u64,
    /// Times that this server sent news without a round.
    pub pushes: u64,
    /// Rounds that this server began.
    pub rounds: u64,
    /// Those of them that did not end in time.
    pub rounds_timed_out: u64,
    /// Frames sent.
    pub frames_out: u64,
    /// Frames received.
    pub frames_in: u64,
    /// Bytes sent in frames.
    pub bytes_out: u64,
    /// Bytes received in frames.
    pub bytes_in: u64,
}

/// The state of a server's store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageStatus {
    /// `ephemeral`, `loading`, `open` or `failed`.
    pub state: String,
    /// Why it has failed.
    pub error: Option<String>,
    /// The promise of a reply to a report.
    pub ack: String,
}

/// The providers of places.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacesStatus {
    /// The provider, as in the setting `places`.
    pub provider: String,
    /// The fallback of an online provider; nothing with the embedded one.
    pub fallback: Option<String>,
}
