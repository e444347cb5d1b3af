//! The faults of a topology, with their lines.

use std::fmt;

use super::parse::{NAME_BYTES_MAX, SERVERS_MAX, TOPOLOGY_BYTES_MAX};
use super::{HostPort, InvalidAddress};

/// JoinedNames that an error lists before it only counts.
const NAMES_LISTED_MAX: usize = 10;

/// One mistake in a topology. The herd is not started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct TopologyError {
    /// The line at fault, counted from 1. A missing part is reported for line 1.
    pub line: usize,
    /// Its fault.
    pub problem: TopologyProblem,
}

/// The fault of a line of a topology.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopologyProblem {
    /// The text is larger than any herd needs; nothing of it was read.
    #[error("the topology is larger than {TOPOLOGY_BYTES_MAX} bytes")]
    TooLarge,
    /// Bytes that are not UTF-8.
    #[error("not UTF-8 text")]
    NotText,
    /// Text in another encoding.
    #[error("UTF-16 text; save it as UTF-8")]
    Utf16,
    /// A line that starts with none of the three words.
    #[error("`{0}` is unknown; a line starts with `cluster`, `server`, `link` or `#`")]
    UnknownWord(String),
    /// No cluster line.
    #[error("the cluster has no name; add a line `cluster NAME`")]
    NoCluster,
    /// A cluster line without exactly one name.
    #[error("a cluster line is `cluster NAME`")]
    ClusterForm,
    /// A second cluster line.
    #[error("the cluster was named before, in line {first_line}")]
    ClusterTwice {
        /// The earlier line.
        first_line: usize,
    },
    /// No server line.
    #[error("there is no server; add lines `server NAME client ADDRESS peer ADDRESS http ADDRESS`")]
    NoServer,
    /// A server line without a name.
    #[error("a server line is `server NAME client ADDRESS peer ADDRESS http ADDRESS`")]
    ServerForm,
    /// A name with characters that names do not have.
    #[error(
        "`{0}` is not a name: use 1 to {NAME_BYTES_MAX} letters, digits, `-`, `_` and `.`, \
         a letter or digit first"
    )]
    Name(String),
    /// A second server of a name.
    #[error("server {name} was listed before, in line {first_line}")]
    ServerTwice {
        /// The name.
        name: String,
        /// The earlier line.
        first_line: usize,
    },
    /// More servers than a herd can have.
    #[error("more than {SERVERS_MAX} servers")]
    TooManyServers,
    /// A word in a server line that is not a kind of address.
    #[error("`{0}` is unknown; a server has `client`, `peer` and `http`, each with an address")]
    UnknownAddressKind(String),
    /// A kind of address with nothing after it.
    #[error("`{0}` has no address after it")]
    AddressMissing(&'static str),
    /// A kind of address that the line does not give.
    #[error("the server has no `{0}` address")]
    AddressKindMissing(&'static str),
    /// A kind of address that the line gives twice.
    #[error("the server has two `{0}` addresses")]
    AddressKindTwice(&'static str),
    /// An address that is none.
    #[error("{kind} address `{text}` {reason}")]
    Address {
        /// `client`, `peer` or `http`.
        kind: &'static str,
        /// The written text.
        text: String,
        /// Its fault.
        reason: InvalidAddress,
    },
    /// A peer address such as `0.0.0.0`, to which no neighbour can connect.
    #[error(
        "no neighbour can connect to peer address {0}; write the address at which the server is \
         reached, and let `--peer-listen` say where it listens"
    )]
    UnspecifiedPeer(HostPort),
    /// An address that is used twice in the herd.
    #[error("address {address} is used before, in line {first_line}")]
    AddressTwice {
        /// The address.
        address: HostPort,
        /// The earlier line, which may be the same one.
        first_line: usize,
    },
    /// Two names that gossip could not tell apart.
    #[error("gossip cannot tell {name} from {other}; give one of them another name")]
    GossipAddress {
        /// The later name.
        name: String,
        /// The earlier name.
        other: String,
    },
    /// A link line without exactly two names.
    #[error("a link line is `link NAME NAME`")]
    LinkForm,
    /// A link to a name that no server has.
    #[error("no server is called {0}")]
    UnknownServer(String),
    /// A link from a server to itself.
    #[error("{0} is linked to itself")]
    SelfLink(String),
    /// The same two servers linked again, in either direction.
    #[error("{a} and {b} were linked before, in line {first_line}")]
    LinkTwice {
        /// One end.
        a: String,
        /// The other end.
        b: String,
        /// The earlier line.
        first_line: usize,
    },
    /// Servers that no path of links joins to the first one.
    #[error("no path of links leads from {first} to {}", JoinedNames(.unreachable))]
    Disconnected {
        /// The first server of the file.
        first: String,
        /// Those out of its reach, in the order of the file; the first of them is in this line.
        unreachable: Vec<String>,
    },
}

struct JoinedNames<'a>(&'a [String]);

impl fmt::Display for JoinedNames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().take(NAMES_LISTED_MAX).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{name}")?;
        }
        match self.0.len().saturating_sub(NAMES_LISTED_MAX) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
