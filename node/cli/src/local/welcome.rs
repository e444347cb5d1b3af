//! The first words to a person who has just started a herd.

use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use super::shell::command_line;

use herd_topology::{Host, HostPort, Server, Topology};

/// The server that commands ask unless another is named.
const DEFAULT_SERVER: &str = "127.0.0.1:12000";

/// Servers that are listed one by one.
const LISTED_MAX: usize = 12;

/// What there is to say of a herd that is up.
pub(super) struct Welcome<'a> {
    pub(super) topology: &'a Topology,
    /// The folder of files, if there is one.
    pub(super) folder: Option<&'a Path>,
    /// Whether that is the folder in which commands look for a herd by themselves.
    pub(super) is_here: bool,
    /// The program as a person types it.
    pub(super) program: &'a str,
    /// Where the first server listens for Redis clients.
    pub(super) resp: Option<SocketAddr>,
    /// Whether a server shows the live page.
    pub(super) shows_page: &'a dyn Fn(&Server) -> bool,
    /// How many links there are, and how many are up, if that is known.
    pub(super) links: Option<(usize, usize)>,
    /// Clients that are known from before.
    pub(super) clients: u64,
}

impl Welcome<'_> {
    /// The state, the addresses to connect to, commands to type, and the folders of files.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        let servers = self.topology.servers();
        write!(
            text,
            "\nThe herd is up: {}",
            counted(servers.len() as u64, "server")
        )?;
        match self.links {
            Some((all, up)) if all == up => write!(text, ", {}", counted(all as u64, "link"))?,
            Some((all, up)) => write!(text, ", {up} of {}", counted(all as u64, "link"))?,
            None => {}
        }
        match self.clients {
            0 => text.push_str(".\n\n"),
            clients => {
                let clients = counted(clients, "client");
                write!(text, ", {clients} from before (--fresh begins anew).\n\n")?;
            }
        }
        let width = servers.iter().map(|server| server.name.len()).max();
        let width = width.unwrap_or(0);
        for server in servers.iter().take(LISTED_MAX) {
            let HostPort { host, port } = dial(&server.client);
            let http = dial(&server.http);
            let page = if (self.shows_page)(server) {
                ""
            } else {
                "healthz"
            };
            let name = &server.name;
            writeln!(
                text,
                "  {name:width$}  nc {host} {port}   http://{http}/{page}"
            )?;
        }
        if servers.len() > LISTED_MAX {
            writeln!(text, "  and {} more", servers.len() - LISTED_MAX)?;
        }
        self.write_commands(text)?;
        if let (Some(resp), Some(first)) = (self.resp, servers.first()) {
            let (name, port) = (&first.name, resp.port());
            writeln!(
                text,
                "Redis clients: redis-cli -p {port} asks {name}, the next port the next server."
            )?;
        }
        match self.folder {
            Some(path) => writeln!(
                text,
                "Logs and wire logs of the servers are in {}",
                path.display()
            )?,
            None => text.push_str("Nothing is written to disk.\n"),
        }
        text.push_str("Ctrl-C stops all servers.\n\n");
        Ok(())
    }

    /// Commands to type, and their effect.
    fn write_commands(&self, text: &mut String) -> fmt::Result {
        let servers = self.topology.servers();
        let (Some(first), Some(last)) = (servers.first(), servers.last()) else {
            return Ok(());
        };
        let program = self.program;
        let page = (self.shows_page)(first).then(|| format!(": see http://{}/", dial(&first.http)));
        let to = |server: &Server| match dial(&server.client).to_string() {
            default if default == DEFAULT_SERVER => String::new(),
            address => format!(" --to {address}"),
        };
        // In this folder commands find the herd by themselves.
        let (of_demo, of_status) = match self.folder {
            _ if self.is_here || to(first).is_empty() => (String::new(), String::new()),
            Some(path) => {
                let topology = format!("--topology={}/topology", path.display());
                let topology = command_line([topology.as_str()]);
                (to(first), format!(" {topology}"))
            }
            None => (to(first), format!(" --to {}", dial(&first.http))),
        };
        let lines = [
            (
                format!("{program} demo{of_demo}"),
                format!("moves 20 vans through a city{}", page.unwrap_or_default()),
            ),
            (
                format!(
                    "{program} send{} IAMAT kiwi +34.068930-118.445127 now",
                    if self.is_here {
                        String::new()
                    } else {
                        to(first)
                    }
                ),
                format!("reports a client to {}", first.name),
            ),
            (
                format!("{program} send{} WHATSAT kiwi 10 5", to(last)),
                format!("asks {} for it, and for 5 places within 10 km", last.name),
            ),
            (
                format!("{program} status{of_status}"),
                "says whether all is well".to_owned(),
            ),
        ];
        text.push_str("\nIn a second terminal, in this folder:\n\n");
        for (command, effect) in lines {
            writeln!(text, "  {command}\n      {effect}")?;
        }
        text.push('\n');
        Ok(())
    }
}

/// `1 server`, `2 servers`.
fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// The address to connect to for a server that listens at `address`.
fn dial(address: &HostPort) -> HostPort {
    let host = match &address.host {
        Host::Ip(IpAddr::V4(ip)) if ip.is_unspecified() => Host::Ip(Ipv4Addr::LOCALHOST.into()),
        Host::Ip(IpAddr::V6(ip)) if ip.is_unspecified() => Host::Ip(Ipv6Addr::LOCALHOST.into()),
        host => host.clone(),
    };
    HostPort {
        host,
        port: address.port,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use herd_topology::{PortBases, builtin, parse};

    fn welcome<'a>(topology: &'a Topology, folder: Option<&'a Path>) -> Welcome<'a> {
        Welcome {
            topology,
            folder,
            is_here: true,
            program: "./herd",
            resp: Some("127.0.0.1:15000".parse().unwrap()),
            shows_page: &|_| true,
            links: Some((6, 6)),
            clients: 1,
        }
    }

    #[test]
    fn says_where_and_what() {
        let topology = builtin(PortBases::default());
        let text = welcome(&topology, Some(Path::new("/tmp/herd-data"))).text();
        for part in [
            "The herd is up: 5 servers, 6 links, 1 client from before (--fresh begins anew).\n",
            "  Hill       nc 127.0.0.1 12000   http://127.0.0.1:13000/\n",
            "  Singleton  nc 127.0.0.1 12004   http://127.0.0.1:13004/\n",
            "  ./herd demo\n      moves 20 vans through a city: see http://127.0.0.1:13000/\n",
            "  ./herd send IAMAT kiwi ",
            "  ./herd send --to 127.0.0.1:12004 WHATSAT kiwi 10 5\n",
            "  ./herd status\n",
            "redis-cli -p 15000 asks Hill",
            "in /tmp/herd-data\n",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.lines().count() <= 24, "{text}");
        assert!(text.ends_with("Ctrl-C stops all servers.\n\n"), "{text}");
    }

    #[test]
    fn names_addresses_that_can_be_connected_to() {
        let topology =
            parse("cluster c\nserver A client 0.0.0.0:1 peer a:2 http [::]:3\n").unwrap();
        let text = Welcome {
            is_here: false,
            resp: None,
            shows_page: &|_| false,
            links: Some((1, 0)),
            clients: 0,
            ..welcome(&topology, None)
        }
        .text();
        assert!(
            text.contains("  A  nc 127.0.0.1 1   http://[::1]:3/healthz\n"),
            "{text}"
        );
        assert!(text.contains("1 server, 0 of 1 link.\n"), "{text}");
        assert!(text.contains("Nothing is written to disk"), "{text}");
        assert!(text.contains("send --to 127.0.0.1:1 IAMAT"), "{text}");
        assert!(text.contains("demo --to 127.0.0.1:1\n"), "{text}");
        assert!(text.contains("status --to [::1]:3\n"), "{text}");
        assert!(
            !text.contains("see http") && !text.contains("redis"),
            "{text}"
        );
    }
}
