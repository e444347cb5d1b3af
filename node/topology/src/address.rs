//! An address as people write it: a host, by name or by number, and a port.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

/// The longest host name, in bytes (DNS).
const HOST_NAME_BYTES_MAX: usize = 253;
/// The longest part of a host name between dots, in bytes (DNS).
const LABEL_BYTES_MAX: usize = 63;

/// A host: an IP address, or a name that is resolved at each connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address that needs no resolving.
    Ip(IpAddr),
    /// A name in lower case, since case does not tell names apart.
    Name(Arc<str>),
}

/// A host and a port, such as `127.0.0.1:12000`, `[::1]:12000` or `hill.example.org:12000`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// The host.
    pub host: Host,
    /// The TCP port, never 0.
    pub port: u16,
}

/// Why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// No colon, or nothing after it.
    #[error("has no port; write HOST:PORT")]
    NoPort,
    /// A port without a host.
    #[error("is a port alone; write 127.0.0.1:{0}")]
    PortAlone(u16),
    /// The port is not a number from 1 to 65535.
    #[error("has a port that is not a number from 1 to 65535")]
    Port,
    /// An IPv6 address outside brackets, or brackets around something else.
    #[error("is not an IPv6 address in brackets; write [ADDRESS]:PORT")]
    Brackets,
    /// All digits and dots, yet no IPv4 address.
    #[error("is not an IPv4 address")]
    Ipv4,
    /// Not letters, digits, `-` and `_` in parts of 1 to 63 bytes between dots, 253 in all.
    #[error("is not a host name")]
    HostName,
}

impl HostPort {
    /// Reads an address in which the port may be left out: then it is `default_port`. A port alone is refused, as a
    /// person who writes one may mean that of another server.
    ///
    /// # Errors
    /// See [`InvalidAddress`].
    pub fn parse_or_port(text: &str, default_port: u16) -> Result<Self, InvalidAddress> {
        if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse() {
            return Err(InvalidAddress::PortAlone(port));
        }
        let is_host = if text.starts_with('[') {
            text.ends_with(']')
        } else {
            !text.contains(':') && !text.is_empty()
        };
        if is_host {
            let host = parse_host(text)?;
            let port = default_port;
            return Ok(HostPort { host, port });
        }
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            let (host, port) = (Host::Ip(address.into()), default_port);
            return Ok(HostPort { host, port });
        }
        text.parse()
    }
}

impl FromStr for HostPort {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let (host, port) = text.rsplit_once(':').ok_or(InvalidAddress::NoPort)?;
        if port.is_empty() {
            return Err(InvalidAddress::NoPort);
        }
        let host = parse_host(host)?;
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidAddress::Port);
        }
        match port.parse() {
            Ok(0) | Err(_) => Err(InvalidAddress::Port),
            Ok(port) => Ok(HostPort { host, port }),
        }
    }
}

fn parse_host(text: &str) -> Result<Host, InvalidAddress> {
    if let Some(inside) = text.strip_prefix('[') {
        let address = inside.strip_suffix(']').ok_or(InvalidAddress::Brackets)?;
        let address: Ipv6Addr = address.parse().map_err(|_| InvalidAddress::Brackets)?;
        return Ok(Host::Ip(address.into()));
    }
    if text.contains(':') {
        return Err(InvalidAddress::Brackets);
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(Host::Ip(address.into()));
    }
    let label_is_valid = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if text.len() > HOST_NAME_BYTES_MAX || !text.split('.').all(label_is_valid) {
        return Err(InvalidAddress::HostName);
    }
    // A name whose last part is a number would be taken for an address by resolvers.
    let last = text.rsplit('.').next().unwrap_or(text);
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidAddress::Ipv4);
    }
    Ok(Host::Name(text.to_ascii_lowercase().into()))
}

/// The host alone, an IPv6 address without brackets, as a resolver takes it.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Ip(address) => address.fmt(f),
            Host::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_come_back_as_they_were_written() {
        for text in [
            "127.0.0.1:12000",
            "[::1]:1",
            "[fd00::12]:65535",
            "hill:12000",
            "herd-0.herd_peers.default.svc.cluster.local:14000",
            "4ever.example:80",
        ] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
        assert_eq!(
            "Hill:12000".parse::<HostPort>(),
            "hill:12000".parse::<HostPort>()
        );
    }

    #[test]
    fn the_port_may_be_left_out_and_the_host_may_not() {
        let read = |text: &str| HostPort::parse_or_port(text, 12_000).map(|at| at.to_string());
        for (text, address) in [
            ("localhost", "localhost:12000"),
            ("127.0.0.1", "127.0.0.1:12000"),
            ("::1", "[::1]:12000"),
            ("[::1]", "[::1]:12000"),
            ("[::1]:2", "[::1]:2"),
            ("hill:1", "hill:1"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(address));
        }
        assert_eq!(read("12003"), Err(InvalidAddress::PortAlone(12_003)));
        assert_eq!(read(":12003"), Err(InvalidAddress::PortAlone(12_003)));
        assert_eq!(read(""), Err(InvalidAddress::NoPort));
        assert_eq!(read("hill:"), Err(InvalidAddress::NoPort));
        assert_eq!(read("a b"), Err(InvalidAddress::HostName));
    }

    #[test]
    fn mistakes_are_told_apart() {
        let long = format!("{}:1", ["a"; 128].join("."));
        for (text, expected) in [
            ("", InvalidAddress::NoPort),
            ("127.0.0.1", InvalidAddress::NoPort),
            ("hill:", InvalidAddress::NoPort),
            ("hill:0", InvalidAddress::Port),
            ("hill:65536", InvalidAddress::Port),
            ("hill:+80", InvalidAddress::Port),
            ("hill:http", InvalidAddress::Port),
            ("::1:80", InvalidAddress::Brackets),
            ("[::1:80", InvalidAddress::Brackets),
            ("[127.0.0.1]:80", InvalidAddress::Brackets),
            ("[fe80::1%eth0]:80", InvalidAddress::Brackets),
            ("127.0.0.256:80", InvalidAddress::Ipv4),
            ("12:80", InvalidAddress::Ipv4),
            (":80", InvalidAddress::HostName),
            ("a..b:80", InvalidAddress::HostName),
            ("a b:80", InvalidAddress::HostName),
            ("b\u{fc}ro:80", InvalidAddress::HostName),
            (&long, InvalidAddress::HostName),
        ] {
            assert_eq!(text.parse::<HostPort>(), Err(expected), "{text}");
        }
    }
}
