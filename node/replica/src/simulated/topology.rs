//! The topologies of a simulated herd: the first, and those that it may be changed to, server by server.

use herd_crdt::ServerName;

use super::faults::Position;

/// All servers of all topologies.
pub(super) const NAMES: [&str; 6] = [
    "Hill",
    "Jaquez",
    "Smith",
    "Campbell",
    "Singleton",
    "Franklin",
];

/// A topology: its servers, and the links between them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Topology {
    pub(super) servers: &'static [Position],
    pub(super) links: &'static [(Position, Position)],
}

/// The five servers of the protocol come first. Then Franklin joins them, and two of them lose their link; or Jaquez
/// leaves them. Whichever server is gone, the others are connected.
pub(super) static TOPOLOGIES: [Topology; 3] = [
    Topology {
        servers: &[0, 1, 2, 3, 4],
        links: &[(0, 1), (0, 2), (1, 4), (2, 4), (3, 4), (2, 3)],
    },
    Topology {
        servers: &[0, 1, 2, 3, 4, 5],
        links: &[(0, 1), (0, 2), (1, 4), (3, 4), (2, 3), (0, 5), (3, 5)],
    },
    Topology {
        servers: &[0, 2, 3, 4],
        links: &[(0, 2), (2, 4), (3, 4), (2, 3), (0, 4)],
    },
];

/// The topology that a server has left.
pub(super) const LEAVER: usize = 2;

impl Topology {
    pub(super) fn names(&self) -> Vec<ServerName> {
        self.servers
            .iter()
            .map(|&server| NAMES[server].into())
            .collect()
    }

    pub(super) fn neighbours_at(&self, of: Position) -> Vec<Position> {
        let others = self.links.iter().filter_map(|&(a, b)| match of {
            _ if of == a => Some(b),
            _ if of == b => Some(a),
            _ => None,
        });
        others.collect()
    }

    pub(super) fn neighbours(&self, of: Position) -> Vec<ServerName> {
        let others = self.neighbours_at(of).into_iter();
        others.map(|other| NAMES[other].into()).collect()
    }

    /// Whether a server has no neighbour but this one.
    pub(super) fn needs(&self, one: Position) -> bool {
        let mut servers = self.servers.iter();
        servers.any(|&server| self.neighbours_at(server) == [one])
    }

    pub(super) fn has_link(&self, one: Position, other: Position) -> bool {
        self.links.contains(&(one, other)) || self.links.contains(&(other, one))
    }
}

/// Every link of any topology, once.
pub(super) fn all_links() -> Vec<(Position, Position)> {
    let mut links: Vec<_> = TOPOLOGIES
        .iter()
        .flat_map(|topology| topology.links)
        .copied()
        .collect();
    links.sort_unstable();
    links.dedup();
    links
}
