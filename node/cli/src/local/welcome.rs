//! The first words to a person who has just started a herd.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use herd_topology::{Host, HostPort, Server, Topology};

/// Servers that are listed one by one.
const LISTED_MAX: usize = 20;

/// The addresses to connect to, commands to type, and the folders of files. `program` is how this program was called,
/// and `resp` where the first server listens for Redis clients. `shows_page` tells whether a server shows the live page.
pub(super) fn text(
    topology: &Topology,
    data_dir: Option<&Path>,
    (program, resp): (&str, Option<SocketAddr>),
    shows_page: impl Fn(&Server) -> bool,
) -> String {
    let mut text = format!(
        "\nThe herd is up: {} servers.\n\n",
        topology.servers().len()
    );
    let width = topology
        .servers()
        .iter()
        .map(|server| server.name.len())
        .max()
        .unwrap_or(0);
    for server in topology.servers().iter().take(LISTED_MAX) {
        let HostPort { host, port } = dial(&server.client);
        let http = dial(&server.http);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  {:width$}  nc {host} {port}   http://{http}/{}",
            server.name,
            if shows_page(server) { "" } else { "healthz" }
        );
    }
    if topology.servers().len() > LISTED_MAX {
        let more = topology.servers().len() - LISTED_MAX;
        let _ = writeln!(text, "  and {more} more");
    }
    if let Some(server) = topology.servers().first()
        && shows_page(server)
    {
        let http = dial(&server.http);
        let _ = writeln!(
            text,
            "\nSee it run: open http://{http}/ in a browser, and report a client."
        );
    }
    text.push_str(
        "\nConnect to one of them and type, for example:\n\n  \
         IAMAT kiwi.cs.ucla.edu +34.068930-118.445127 1520023934.918963997\n\n\
         then connect to another and ask for 5 places within 10 km of it:\n\n  \
         WHATSAT kiwi.cs.ucla.edu 10 5\n\n",
    );
    if let Some(server) = topology.servers().last() {
        let to = dial(&server.client);
        let _ = writeln!(
            text,
            "The same in one line:\n\n  {program} send --to {to} 'WHATSAT kiwi.cs.ucla.edu 10 5'\n"
        );
    }
    text.push_str(&for_redis_clients(topology, resp));
    match data_dir {
        Some(path) => {
            let path = path.display();
            let _ = writeln!(text, "Wire logs, logs and the topology are in {path}");
        }
        None => text.push_str("Nothing is written to disk.\n"),
    }
    text.push_str("Ctrl-C stops all servers.\n\n");
    text
}

/// What users of Redis clients need to know, if these are served.
fn for_redis_clients(topology: &Topology, resp: Option<SocketAddr>) -> String {
    let (Some(resp), Some(server)) = (resp, topology.servers().first()) else {
        return String::new();
    };
    let (name, port) = (&server.name, resp.port());
    format!(
        "Redis clients are served too: redis-cli -p {port} asks {name}, the next port the next server.\n\n"
    )
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

    #[test]
    fn says_where_and_what() {
        let text = text(
            &builtin(PortBases::default()),
            Some(Path::new("/tmp/herd-data")),
            ("./herd", Some("127.0.0.1:15000".parse().unwrap())),
            |_| true,
        );
        for part in [
            "5 servers",
            "  Hill       nc 127.0.0.1 12000   http://127.0.0.1:13000/\n",
            "  Singleton  nc 127.0.0.1 12004   http://127.0.0.1:13004/\n",
            "\nSee it run: open http://127.0.0.1:13000/ in a browser",
            "IAMAT ",
            "  ./herd send --to 127.0.0.1:12004 'WHATSAT ",
            "redis-cli -p 15000 asks Hill",
            "in /tmp/herd-data\n",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn names_addresses_that_can_be_connected_to() {
        let topology =
            parse("cluster c\nserver A client 0.0.0.0:1 peer a:2 http [::]:3\n").unwrap();
        let text = text(&topology, None, ("herd", None), |_| false);
        assert!(
            text.contains("  A  nc 127.0.0.1 1   http://[::1]:3/healthz\n"),
            "{text}"
        );
        assert!(text.contains("Nothing is written to disk"), "{text}");
        assert!(
            !text.contains("See it run") && !text.contains("redis"),
            "{text}"
        );
    }
}
