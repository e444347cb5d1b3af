//! The promise of a reply.

use std::fmt;
use std::str::FromStr;

use herd_crdt::RepublishPolicy;

/// How safe a report has to be before the client is told that it was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckLevel {
    /// In this server's memory, and on its way to disk and neighbours.
    Memory,
    /// On this server's disk: it survives any crash, as long as the disk does.
    Disk,
    /// In the memory of this server and of a neighbour: it survives the loss of one server with its
    /// disk.
    Peer,
    /// On this server's disk and on a neighbour's: it survives both at once.
    DiskAndPeer,
}

impl AckLevel {
    /// All levels.
    pub const ALL: [AckLevel; 4] = [
        AckLevel::Memory,
        AckLevel::Disk,
        AckLevel::Peer,
        AckLevel::DiskAndPeer,
    ];

    /// Whether this server's disk takes part.
    #[must_use]
    pub fn needs_disk(self) -> bool {
        matches!(self, AckLevel::Disk | AckLevel::DiskAndPeer)
    }

    /// Whether a repeat publishes the record of the map, so that its reply promises no less than the reply to a report
    /// that changes the map.
    #[must_use]
    pub fn republish_policy(self) -> RepublishPolicy {
        match self {
            AckLevel::Memory => RepublishPolicy::Never,
            // Groups of others are stored as they come, except for those that this server published in an earlier life.
            // This server knows only of its own groups which neighbours have them, and the next answer of a neighbour
            // says whether it still has them.
            AckLevel::Disk | AckLevel::Peer | AckLevel::DiskAndPeer => {
                RepublishPolicy::UnlessInSlot
            }
        }
    }

    /// Whether a neighbour takes part.
    #[must_use]
    pub fn needs_peer(self) -> bool {
        matches!(self, AckLevel::Peer | AckLevel::DiskAndPeer)
    }
}

impl fmt::Display for AckLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AckLevel::Memory => "memory",
            AckLevel::Disk => "disk",
            AckLevel::Peer => "peer",
            AckLevel::DiskAndPeer => "disk,peer",
        })
    }
}

impl FromStr for AckLevel {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts: Vec<&str> = text.split(',').map(str::trim).collect();
        parts.sort_unstable();
        match *parts {
            ["memory"] => Ok(AckLevel::Memory),
            ["disk"] => Ok(AckLevel::Disk),
            ["peer"] => Ok(AckLevel::Peer),
            ["disk", "peer"] => Ok(AckLevel::DiskAndPeer),
            _ => Err("is none of `memory`, `disk`, `peer` and `disk,peer`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_as_they_are_written() {
        for level in AckLevel::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        assert_eq!("peer, disk".parse(), Ok(AckLevel::DiskAndPeer));
        for wrong in ["", "disk,disk", "memory,disk", "Disk", "disk,peer,peer"] {
            assert!(wrong.parse::<AckLevel>().is_err(), "{wrong}");
        }
    }
}
