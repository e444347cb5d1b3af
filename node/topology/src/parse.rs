//! The topology's text form: one line for the cluster, for each server and for each link.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use herd_crdt::SERVER_NAME_BYTES_MAX;

use super::{
    Host, HostPort, Link, Server, Topology, TopologyError, TopologyProblem, gossip_address,
};

/// The largest topology text, in bytes.
pub const TOPOLOGY_BYTES_MAX: usize = 1 << 20;
/// The most servers of one herd. Each takes its place in every message of gossip, and so does each restart for a
/// while: see `IDS_MAX` of the replication.
pub const SERVERS_MAX: usize = 256;
/// The longest name of a server or cluster, in bytes.
pub const NAME_BYTES_MAX: usize = SERVER_NAME_BYTES_MAX;

const KINDS: [&str; 3] = ["client", "peer", "http"];
const PEER: usize = 1;

/// Reads a topology.
///
/// # Errors
/// Every mistake that the text holds, in the order of its lines.
pub fn parse(text: &str) -> Result<Topology, Vec<TopologyError>> {
    let mut reader = TopologyReader::default();
    if text.len() > TOPOLOGY_BYTES_MAX {
        reader.fault(1, TopologyProblem::TooLarge);
        return Err(reader.errors);
    }
    for (index, line) in text.lines().enumerate() {
        reader.line(index + 1, line);
    }
    reader.finish()
}

/// A server line. Its addresses are absent where they were wrong, so that links to the server are
/// still understood.
struct ServerLine<'a> {
    line: usize,
    name: &'a str,
    addresses: [Option<HostPort>; 3],
}

#[derive(Default)]
struct TopologyReader<'a> {
    errors: Vec<TopologyError>,
    cluster: Option<(usize, &'a str)>,
    servers: Vec<ServerLine<'a>>,
    /// Line and both names of each link line.
    links: Vec<(usize, &'a str, &'a str)>,
    /// Whether a link line was not understood: then it is not known which servers are connected.
    link_lost: bool,
}

impl<'a> TopologyReader<'a> {
    fn fault(&mut self, line: usize, problem: TopologyProblem) {
        self.errors.push(TopologyError { line, problem });
    }

    fn line(&mut self, number: usize, line: &'a str) {
        let mut words = line
            .split_ascii_whitespace()
            .take_while(|word| !word.starts_with('#'));
        match words.next() {
            None => {}
            Some("cluster") => self.cluster_line(number, words),
            Some("server") => self.server_line(number, words),
            Some("link") => self.link_line(number, words),
            Some(other) => {
                self.fault(number, TopologyProblem::UnknownWord(other.to_owned()));
            }
        }
    }

    fn cluster_line(&mut self, line: usize, mut words: impl Iterator<Item = &'a str>) {
        let (Some(name), None) = (words.next(), words.next()) else {
            return self.fault(line, TopologyProblem::ClusterForm);
        };
        if let Some((first_line, _)) = self.cluster {
            return self.fault(line, TopologyProblem::ClusterTwice { first_line });
        }
        // A wrong name is a name all the same: the file does not lack one.
        self.cluster = Some((line, name));
        if !is_name(name) {
            self.fault(line, TopologyProblem::Name(name.to_owned()));
        }
    }

    fn server_line(&mut self, line: usize, mut words: impl Iterator<Item = &'a str>) {
        let Some(name) = words.next() else {
            return self.fault(line, TopologyProblem::ServerForm);
        };
        if !is_name(name) {
            self.fault(line, TopologyProblem::Name(name.to_owned()));
        }
        let mut given: [Option<Option<HostPort>>; 3] = [None, None, None];
        while let Some(word) = words.next() {
            let Some(kind) = KINDS.iter().position(|&kind| kind == word) else {
                // The word behind an unknown word may be its value.
                return self.unfinished_server(line, name, word);
            };
            let Some(text) = words.next() else {
                self.fault(line, TopologyProblem::AddressMissing(KINDS[kind]));
                given[kind].get_or_insert(None);
                break;
            };
            let address = self.address(line, kind, text);
            if given[kind].is_some() {
                self.fault(line, TopologyProblem::AddressKindTwice(KINDS[kind]));
            } else {
                given[kind] = Some(address);
            }
        }
        for (kind, given) in KINDS.iter().zip(&given) {
            if given.is_none() {
                self.fault(line, TopologyProblem::AddressKindMissing(kind));
            }
        }
        self.servers.push(ServerLine {
            line,
            name,
            addresses: given.map(Option::flatten),
        });
    }

    fn unfinished_server(&mut self, line: usize, name: &'a str, word: &str) {
        self.fault(line, TopologyProblem::UnknownAddressKind(word.to_owned()));
        self.servers.push(ServerLine {
            line,
            name,
            addresses: [None, None, None],
        });
    }

    fn address(&mut self, line: usize, kind: usize, text: &str) -> Option<HostPort> {
        match text.parse::<HostPort>() {
            Ok(address) => {
                let unspecified = matches!(&address.host, Host::Ip(ip) if ip.is_unspecified());
                if kind == PEER && unspecified {
                    self.fault(line, TopologyProblem::UnspecifiedPeer(address));
                    return None;
                }
                Some(address)
            }
            Err(reason) => {
                let (kind, text) = (KINDS[kind], text.to_owned());
                self.fault(line, TopologyProblem::Address { kind, text, reason });
                None
            }
        }
    }

    fn link_line(&mut self, line: usize, mut words: impl Iterator<Item = &'a str>) {
        match (words.next(), words.next(), words.next()) {
            (Some(a), Some(b), None) => self.links.push((line, a, b)),
            _ => {
                self.link_lost = true;
                self.fault(line, TopologyProblem::LinkForm);
            }
        }
    }

    fn finish(mut self) -> Result<Topology, Vec<TopologyError>> {
        let index = self.check_names();
        self.check_addresses();
        self.check_gossip_addresses(gossip_address);
        let links = self.check_links(&index);
        self.check_connected(&links);
        if self.cluster.is_none() {
            self.fault(1, TopologyProblem::NoCluster);
        }
        let cluster = self.cluster.map(|(_, name)| name).unwrap_or_default();
        let servers: Option<Vec<Server>> = self.servers.iter().map(ServerLine::server).collect();
        match servers {
            Some(servers) if self.errors.is_empty() => Ok(Topology {
                cluster: cluster.into(),
                servers,
                links,
            }),
            _ => {
                self.errors.sort_by_key(|error| error.line);
                Err(self.errors)
            }
        }
    }

    /// The place of each name among the server lines.
    fn check_names(&mut self) -> HashMap<&'a str, usize> {
        let mut index: HashMap<&str, usize> = HashMap::new();
        let mut faults = Vec::new();
        for (place, server) in self.servers.iter().enumerate() {
            if let Some(&first) = index.get(server.name) {
                let problem = TopologyProblem::ServerTwice {
                    name: server.name.to_owned(),
                    first_line: self.servers[first].line,
                };
                faults.push((server.line, problem));
            } else {
                index.insert(server.name, place);
            }
        }
        if self.servers.is_empty() {
            faults.push((1, TopologyProblem::NoServer));
        }
        if let Some(server) = self.servers.get(SERVERS_MAX) {
            faults.push((server.line, TopologyProblem::TooManyServers));
        }
        for (line, problem) in faults {
            self.fault(line, problem);
        }
        index
    }

    fn check_addresses(&mut self) {
        let mut seen: HashMap<&HostPort, usize> = HashMap::new();
        let mut faults = Vec::new();
        for server in &self.servers {
            for address in server.addresses.iter().flatten() {
                if let Some(&first_line) = seen.get(address) {
                    let address = address.clone();
                    faults.push((
                        server.line,
                        TopologyProblem::AddressTwice {
                            address,
                            first_line,
                        },
                    ));
                } else {
                    seen.insert(address, server.line);
                }
            }
        }
        for (line, problem) in faults {
            self.fault(line, problem);
        }
    }

    /// Takes the hash as an argument because no test could find two names that share one.
    fn check_gossip_addresses(&mut self, gossip_address: impl Fn(&str) -> SocketAddr) {
        let mut seen: HashMap<SocketAddr, &str> = HashMap::new();
        let mut faults = Vec::new();
        for server in &self.servers {
            match seen.insert(gossip_address(server.name), server.name) {
                Some(other) if other != server.name => {
                    let (name, other) = (server.name.to_owned(), other.to_owned());
                    let problem = TopologyProblem::GossipAddress { name, other };
                    faults.push((server.line, problem));
                }
                _ => {}
            }
        }
        for (line, problem) in faults {
            self.fault(line, problem);
        }
    }

    fn check_links(&mut self, index: &HashMap<&str, usize>) -> Vec<Link> {
        let mut links = Vec::new();
        let mut seen: HashMap<(usize, usize), usize> = HashMap::new();
        for (line, a_name, b_name) in std::mem::take(&mut self.links) {
            let (a, b) = (index.get(a_name), index.get(b_name));
            for (name, known) in [(a_name, a), (b_name, b)] {
                if known.is_none() {
                    self.link_lost = true;
                    self.fault(line, TopologyProblem::UnknownServer(name.to_owned()));
                }
            }
            let (Some(&a), Some(&b)) = (a, b) else {
                continue;
            };
            if a == b {
                self.link_lost = true;
                self.fault(line, TopologyProblem::SelfLink(a_name.to_owned()));
            } else if let Some(&first_line) = seen.get(&(a.min(b), a.max(b))) {
                let (a, b) = (a_name.to_owned(), b_name.to_owned());
                self.fault(line, TopologyProblem::LinkTwice { a, b, first_line });
            } else {
                seen.insert((a.min(b), a.max(b)), line);
                links.push(Link { a, b });
            }
        }
        links
    }

    /// Silent when a link was not understood, which would be reported a second time here.
    fn check_connected(&mut self, links: &[Link]) {
        let Some(first) = self.servers.first().filter(|_| !self.link_lost) else {
            return;
        };
        let mut neighbours: Vec<Vec<usize>> = vec![Vec::new(); self.servers.len()];
        for link in links {
            neighbours[link.a].push(link.b);
            neighbours[link.b].push(link.a);
        }
        let mut reached = vec![false; self.servers.len()];
        let mut ahead = vec![0];
        while let Some(place) = ahead.pop() {
            if !std::mem::replace(&mut reached[place], true) {
                ahead.extend(neighbours[place].iter().filter(|&&next| !reached[next]));
            }
        }
        let mut names = HashSet::new();
        let unreached: Vec<&ServerLine<'_>> = self
            .servers
            .iter()
            .zip(&reached)
            // A name listed twice has its links at the first of its lines.
            .filter(|(server, reached)| names.insert(server.name) && !**reached)
            .map(|(server, _)| server)
            .collect();
        let Some(line) = unreached.first().map(|server| server.line) else {
            return;
        };
        let problem = TopologyProblem::Disconnected {
            first: first.name.to_owned(),
            unreachable: unreached.iter().map(|s| s.name.to_owned()).collect(),
        };
        self.fault(line, problem);
    }
}

impl ServerLine<'_> {
    fn server(&self) -> Option<Server> {
        let [client, peer, http] = &self.addresses;
        Some(Server {
            name: self.name.into(),
            client: client.clone()?,
            peer: peer.clone()?,
            http: http.clone()?,
        })
    }
}

/// Whether a server or cluster may have this name. Names become file names, labels and host names, so they
/// have few characters.
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.len() <= NAME_BYTES_MAX
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
