//! The herd of the course: five servers and seven links on this machine.

use std::net::Ipv4Addr;

use super::{Host, HostPort, Link, Server, Topology};

/// Where the client ports start unless something else is said.
pub const CLIENT_PORT_BASE: u16 = 12_000;
/// Where the HTTP ports start unless something else is said.
pub const HTTP_PORT_BASE: u16 = 13_000;
/// Where the ports for links between servers start unless something else is said.
pub const PEER_PORT_BASE: u16 = 14_000;

const NAMES: [&str; 5] = ["Hill", "Jaquez", "Smith", "Campbell", "Singleton"];
const COUNT: u16 = NAMES.len() as u16;
const LINKS: [(usize, usize); 6] = [(0, 1), (0, 2), (4, 1), (4, 2), (4, 3), (2, 3)];

/// The first of each kind of port; each server takes the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortBases {
    client: u16,
    peer: u16,
    http: u16,
}

/// Port bases that do not leave room for five ports of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPortBases {
    /// Ports go from 1 to 65535.
    #[error("port base {base} for {what} is not from 1 to {}", u16::MAX - COUNT + 1)]
    OutOfRange {
        /// The use of the ports.
        what: &'static str,
        /// The base.
        base: u16,
    },
    /// Two kinds of port would share ports.
    #[error("port bases {a} and {b} lie less than {COUNT} ports apart")]
    Overlap {
        /// One base.
        a: u16,
        /// The other.
        b: u16,
    },
}

impl PortBases {
    /// Checks that each kind has room for its five ports.
    ///
    /// # Errors
    /// See [`InvalidPortBases`].
    pub fn new(client: u16, peer: u16, http: u16) -> Result<Self, InvalidPortBases> {
        for (what, base) in [("clients", client), ("peers", peer), ("HTTP", http)] {
            if base == 0 || base > u16::MAX - COUNT + 1 {
                return Err(InvalidPortBases::OutOfRange { what, base });
            }
        }
        for (a, b) in [(client, peer), (client, http), (peer, http)] {
            if a.abs_diff(b) < COUNT {
                return Err(InvalidPortBases::Overlap { a, b });
            }
        }
        Ok(PortBases { client, peer, http })
    }

    /// The first client port.
    #[must_use]
    pub fn client(self) -> u16 {
        self.client
    }

    /// The first port for links between servers.
    #[must_use]
    pub fn peer(self) -> u16 {
        self.peer
    }

    /// The first HTTP port.
    #[must_use]
    pub fn http(self) -> u16 {
        self.http
    }
}

impl Default for PortBases {
    fn default() -> Self {
        PortBases {
            client: CLIENT_PORT_BASE,
            peer: PEER_PORT_BASE,
            http: HTTP_PORT_BASE,
        }
    }
}

/// The built-in herd on 127.0.0.1, its ports counted up from `bases`.
#[must_use]
pub fn builtin(bases: PortBases) -> Topology {
    let local = |port| HostPort {
        host: Host::Ip(Ipv4Addr::LOCALHOST.into()),
        port,
    };
    let servers = (0..COUNT).zip(NAMES).map(|(place, name)| Server {
        name: name.into(),
        client: local(bases.client + place),
        peer: local(bases.peer + place),
        http: local(bases.http + place),
    });
    Topology {
        cluster: "herd".into(),
        servers: servers.collect(),
        links: LINKS.map(|(a, b)| Link { a, b }).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn default_bases_are_valid() {
        let valid = PortBases::new(CLIENT_PORT_BASE, PEER_PORT_BASE, HTTP_PORT_BASE);
        assert_eq!(valid, Ok(PortBases::default()));
    }

    #[test]
    fn servers_and_links_are_those_of_the_course() {
        let herd = builtin(PortBases::new(65_531, 100, 1).unwrap());
        let names: Vec<&str> = herd.servers().iter().map(|server| &*server.name).collect();
        assert_eq!(names, ["Hill", "Jaquez", "Smith", "Campbell", "Singleton"]);
        for (name, neighbours) in [
            ("Hill", vec!["Jaquez", "Smith"]),
            ("Jaquez", vec!["Hill", "Singleton"]),
            ("Smith", vec!["Campbell", "Hill", "Singleton"]),
            ("Campbell", vec!["Singleton", "Smith"]),
            ("Singleton", vec!["Campbell", "Jaquez", "Smith"]),
        ] {
            let mut found: Vec<&str> = herd.neighbours(name).map(|s| &*s.name).collect();
            found.sort_unstable();
            assert_eq!(found, neighbours, "{name}");
        }
        assert_eq!(herd.servers()[4].client.to_string(), "127.0.0.1:65535");
        assert_eq!(herd.servers()[1].peer.to_string(), "127.0.0.1:101");
        assert_eq!(herd.servers()[0].http.to_string(), "127.0.0.1:1");
    }

    /// Which servers are out of reach of how many others, for each pair of servers lost.
    #[test]
    fn three_pairs_cut_one_server_off_and_no_other_pair_does() {
        let herd = builtin(PortBases::default());
        let cut_off = |lost: [&str; 2]| {
            let alive = |name: &&str| !lost.contains(name);
            let reach = |from: &'static str| {
                let mut seen = HashSet::from([from]);
                let mut ahead = vec![from];
                while let Some(name) = ahead.pop() {
                    for next in NAMES.iter().filter(|next| alive(next)) {
                        let linked = herd.neighbours(name).any(|server| &*server.name == *next);
                        if linked && seen.insert(next) {
                            ahead.push(next);
                        }
                    }
                }
                seen.len()
            };
            NAMES
                .into_iter()
                .filter(alive)
                .find(|name| reach(name) == 1)
        };
        for (place, a) in NAMES.into_iter().enumerate() {
            for b in NAMES.into_iter().skip(place + 1) {
                let expected = match (a, b) {
                    ("Jaquez", "Smith") => Some("Hill"),
                    ("Hill", "Singleton") => Some("Jaquez"),
                    ("Smith", "Singleton") => Some("Campbell"),
                    _ => None,
                };
                assert_eq!(cut_off([a, b]), expected, "{a} and {b} lost");
            }
        }
    }

    #[test]
    fn bases_without_room_are_refused() {
        let out_of_range = |what, base| Err(InvalidPortBases::OutOfRange { what, base });
        assert_eq!(PortBases::new(0, 10, 20), out_of_range("clients", 0));
        assert_eq!(PortBases::new(10, 20, 65_532), out_of_range("HTTP", 65_532));
        assert_eq!(
            PortBases::new(10, 14, 30),
            Err(InvalidPortBases::Overlap { a: 10, b: 14 })
        );
        assert!(PortBases::new(10, 15, 20).is_ok());
    }
}
