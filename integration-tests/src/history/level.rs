//! Levels of acknowledgement.

use std::fmt;

/// How safe a report is before its reply goes out: the values of `--ack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// In the map of the server that heard it.
    Memory,
    /// Synced on its disk.
    Disk,
    /// Merged by a neighbour too.
    Peer,
    /// Synced on its disk and on that of a neighbour.
    DiskAndPeer,
}

impl Level {
    /// All of them.
    pub const ALL: [Level; 4] = [Level::Memory, Level::Disk, Level::Peer, Level::DiskAndPeer];

    /// Whether the server's own disk has to have it.
    pub fn needs_disk(self) -> bool {
        matches!(self, Level::Disk | Level::DiskAndPeer)
    }

    /// Whether a neighbour has to have it.
    pub fn needs_peer(self) -> bool {
        matches!(self, Level::Peer | Level::DiskAndPeer)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Memory => "memory",
            Level::Disk => "disk",
            Level::Peer => "peer",
            Level::DiskAndPeer => "disk,peer",
        })
    }
}
