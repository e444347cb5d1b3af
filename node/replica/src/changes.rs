//! What gossip brings of other servers.

use std::net::SocketAddr;

use bytes::Bytes;
use herd_crdt::SlotId;

use super::incarnation::Incarnation;
use super::link_words::LinkWord;
use super::settlement::Told;

/// A change to another incarnation's published state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A slot was set.
    Group {
        /// Which one.
        slot: SlotId,
        /// The version of its publisher's state that it was set with; 0 if our copy has been emptied
        /// meanwhile.
        version: u64,
        /// The encoded group; `None` for a value that holds none.
        group: Option<Bytes>,
    },
    /// It names these incarnations as buried.
    Buried(Vec<Incarnation>),
    /// It says this of its links.
    Links(Vec<LinkWord>),
    /// It is of a version that tells of its map, and reads versions of the group format up to this one.
    Tells(u8),
    /// It says this of its map.
    Settled(Told),
}

/// All that changed since the last look, and how far that brings us.
#[derive(Debug, Default)]
pub struct Changes {
    /// Who changed what, of each incarnation in the order in which it did.
    pub changes: Vec<(Incarnation, Change)>,
    /// For each incarnation the version that is merged once `changes` are.
    pub versions: Vec<(Incarnation, u64)>,
    /// The neighbours whose messages brought the changes.
    pub senders: Vec<SocketAddr>,
}
