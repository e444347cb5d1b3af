//! The servers and links of a herd.

use std::fmt::Write as _;

use crate::loopback::Addresses;

/// Servers by name and the links between them, without addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    servers: Vec<String>,
    links: Vec<(usize, usize)>,
}

impl Topology {
    /// Servers and links by name. Of the two servers of a link, the one that is earlier in `servers`
    /// connects to the other.
    pub fn new(servers: &[&str], links: &[(&str, &str)]) -> Topology {
        let servers: Vec<String> = servers.iter().map(|&name| name.to_owned()).collect();
        let position = |name: &str| match servers.iter().position(|server| server == name) {
            Some(position) => position,
            None => panic!("no server is called {name}"),
        };
        let links = links
            .iter()
            .map(|(a, b)| (position(a), position(b)))
            .map(|(a, b)| (a.min(b), a.max(b)))
            .collect();
        Topology { servers, links }
    }

    /// The five servers of the course.
    pub fn five() -> Topology {
        Topology::new(
            &["Hill", "Jaquez", "Smith", "Campbell", "Singleton"],
            &[
                ("Hill", "Jaquez"),
                ("Hill", "Smith"),
                ("Singleton", "Jaquez"),
                ("Singleton", "Smith"),
                ("Singleton", "Campbell"),
                ("Smith", "Campbell"),
            ],
        )
    }

    /// The servers' names in order.
    pub fn servers(&self) -> &[String] {
        &self.servers
    }

    /// The links, each with the position of the server that connects first.
    pub fn links(&self) -> &[(usize, usize)] {
        &self.links
    }

    /// The names of a server's neighbours.
    pub fn neighbours(&self, name: &str) -> Vec<&str> {
        let mut neighbours = Vec::new();
        for &(a, b) in &self.links {
            let (a, b) = (self.servers[a].as_str(), self.servers[b].as_str());
            if a == name {
                neighbours.push(b);
            } else if b == name {
                neighbours.push(a);
            }
        }
        neighbours
    }

    /// The topology file, with these addresses in the order of the servers.
    pub fn text(&self, addresses: &[Addresses]) -> String {
        let mut text = "cluster test\n".to_owned();
        for (name, Addresses { client, peer, http }) in self.servers.iter().zip(addresses) {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "server {name} client {client} peer {peer} http {http}"
            );
        }
        for &(a, b) in &self.links {
            let _ = writeln!(text, "link {} {}", self.servers[a], self.servers[b]);
        }
        text
    }
}
