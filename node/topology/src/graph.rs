//! Servers and links, once they are known to be valid.

use std::fmt;
use std::sync::Arc;

use herd_crdt::ServerName;

use super::HostPort;

/// One server, and where others find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name, unique in the herd.
    pub name: ServerName,
    /// Where clients connect.
    pub client: HostPort,
    /// Where its neighbours connect.
    pub peer: HostPort,
    /// Where its HTTP endpoints are.
    pub http: HostPort,
}

/// Two servers that talk to each other, as indices into [`Topology::servers`]. The order of the
/// two is the one in which they were written and means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// One end.
    pub a: usize,
    /// The other end.
    pub b: usize,
}

/// A valid herd: at least one server, unique names and addresses, links between known servers, and
/// a path between any two. Made by [`parse`](super::parse()) and [`builtin`](super::builtin()).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    pub(super) cluster: Arc<str>,
    pub(super) servers: Vec<Server>,
    pub(super) links: Vec<Link>,
}

impl Topology {
    /// The cluster's name: servers of different clusters refuse to talk to each other.
    #[must_use]
    pub fn cluster(&self) -> &Arc<str> {
        &self.cluster
    }

    /// All servers, in the order of the file, to which later servers are only appended.
    #[must_use]
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// All links, in the order of the file.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The place of a server in [`Topology::servers`].
    #[must_use]
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.servers.iter().position(|server| &*server.name == name)
    }

    /// The server of that name.
    #[must_use]
    pub fn server(&self, name: &str) -> Option<&Server> {
        self.servers.iter().find(|server| &*server.name == name)
    }

    /// The servers that `name` has a link to, in the order of the file's links; none for a name
    /// that is not in the topology.
    pub fn neighbours(&self, name: &str) -> impl Iterator<Item = &Server> {
        let own = self.index_of(name);
        self.links.iter().filter_map(move |link| {
            let own = own?;
            let other = match (link.a == own, link.b == own) {
                (true, _) => link.b,
                (_, true) => link.a,
                _ => return None,
            };
            self.servers.get(other)
        })
    }
}

/// The topology in the form that [`parse`](super::parse()) reads.
impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "cluster {}\n", self.cluster)?;
        let width = self
            .servers
            .iter()
            .map(|server| server.name.len())
            .max()
            .unwrap_or(0);
        for server in &self.servers {
            writeln!(
                f,
                "server {:width$}  client {}  peer {}  http {}",
                server.name, server.client, server.peer, server.http
            )?;
        }
        if !self.links.is_empty() {
            writeln!(f)?;
        }
        for link in &self.links {
            if let (Some(a), Some(b)) = (self.servers.get(link.a), self.servers.get(link.b)) {
                writeln!(f, "link {} {}", a.name, b.name)?;
            }
        }
        Ok(())
    }
}
