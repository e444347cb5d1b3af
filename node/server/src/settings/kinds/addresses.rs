//! Names, ports and addresses.

use std::net::SocketAddr;
use std::sync::Arc;

use herd_topology::{CLIENT_PORT_BASE, Host, HostPort};
use reqwest::Url;

use super::Kind;

/// A text of its own kind.
pub(in crate::settings) struct Text(pub(in crate::settings) &'static str);

impl Kind for Text {
    type Value = String;

    fn parse(&self, text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }

    fn show(&self, value: &String) -> String {
        value.clone()
    }

    fn unit(&self) -> String {
        self.0.to_owned()
    }
}

/// A TCP port; 0 is not one.
pub(in crate::settings) struct Port;

impl Kind for Port {
    type Value = u16;

    fn parse(&self, text: &str) -> Result<u16, String> {
        match text.parse() {
            Ok(0) | Err(_) => Err("is not a port from 1 to 65535".to_owned()),
            Ok(port) => Ok(port),
        }
    }

    fn show(&self, value: &u16) -> String {
        value.to_string()
    }

    fn unit(&self) -> String {
        "PORT".to_owned()
    }
}

/// An address to listen on. Port 0 lets the system choose.
pub(in crate::settings) struct Listen;

impl Kind for Listen {
    type Value = SocketAddr;

    fn parse(&self, text: &str) -> Result<SocketAddr, String> {
        let reason = "is not an IP address with a port, such as 127.0.0.1:12000, 0.0.0.0:12000 or [::]:12000";
        text.parse().map_err(|_| reason.to_owned())
    }

    fn show(&self, value: &SocketAddr) -> String {
        value.to_string()
    }

    fn unit(&self) -> String {
        "IP:PORT".to_owned()
    }
}

/// Names of hosts between commas, in lower case.
pub(in crate::settings) struct HostNames;

impl Kind for HostNames {
    type Value = Vec<Arc<str>>;

    fn parse(&self, text: &str) -> Result<Vec<Arc<str>>, String> {
        let names = text.split(',').map(|name| {
            let name = name.trim();
            let address = format!("{name}:80").parse::<HostPort>();
            match address.map(|address| address.host) {
                Ok(Host::Name(name)) => Ok(name),
                Ok(Host::Ip(_)) => Err(format!("holds {name}, but an IP address needs no name")),
                Err(_) => Err(format!("holds {name:?}, which is not the name of a host")),
            }
        });
        names.collect()
    }

    fn show(&self, value: &Vec<Arc<str>>) -> String {
        value.join(", ")
    }

    fn unit(&self) -> String {
        "NAMES".to_owned()
    }
}

/// Origins of web pages between commas, or a star.
pub(in crate::settings) struct Origins;

impl Kind for Origins {
    type Value = Vec<Arc<str>>;

    fn parse(&self, text: &str) -> Result<Vec<Arc<str>>, String> {
        let origins = text.split(',').map(|origin| {
            let origin = origin.trim();
            let parsed = Url::parse(origin).map(|url| url.origin().ascii_serialization());
            let is_origin = parsed.is_ok_and(|parsed| parsed.eq_ignore_ascii_case(origin));
            if origin == "*" || is_origin {
                return Ok(origin.into());
            }
            Err(format!(
                "holds {origin:?}, which is not an origin such as https://maps.example.org"
            ))
        });
        origins.collect()
    }

    fn show(&self, value: &Vec<Arc<str>>) -> String {
        value.join(", ")
    }

    fn unit(&self) -> String {
        "ORIGINS".to_owned()
    }
}

/// Addresses of servers between commas; without a port it is the first of the built-in herd's clients.
pub(in crate::settings) struct Servers;

impl Kind for Servers {
    type Value = Vec<HostPort>;

    fn parse(&self, text: &str) -> Result<Vec<HostPort>, String> {
        let servers = text.split(',').map(|server| {
            let address = HostPort::parse_or_port(server.trim(), CLIENT_PORT_BASE);
            address.map_err(|error| match text.contains(',') {
                true => format!("holds `{server}`, which {error}"),
                false => error.to_string(),
            })
        });
        servers.collect()
    }

    fn show(&self, value: &Vec<HostPort>) -> String {
        let servers: Vec<String> = value.iter().map(HostPort::to_string).collect();
        servers.join(",")
    }

    fn unit(&self) -> String {
        "HOST[:PORT]".to_owned()
    }

    fn is_list(&self) -> bool {
        true
    }
}

/// The base of an address on the web. A wrong one is not repeated: it may hold a password.
pub(in crate::settings) struct WebAddress;

impl Kind for WebAddress {
    type Value = Url;

    fn parse(&self, text: &str) -> Result<Url, String> {
        let url = Url::parse(text)
            .map_err(|error| format!("not an address such as https://example.org: {error}"))?;
        let extras = url.query().is_some() || url.fragment().is_some();
        let user = !url.username().is_empty() || url.password().is_some();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            Err("the address does not start with https:// or http://".to_owned())
        } else if extras || user {
            Err("the address has a user, a query or a fragment; give the base only".to_owned())
        } else {
            Ok(url)
        }
    }

    fn show(&self, value: &Url) -> String {
        value.to_string()
    }

    fn unit(&self) -> String {
        "URL".to_owned()
    }

    fn may_be_told(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_addresses() {
        assert_eq!(Port.parse("65535"), Ok(65_535));
        for text in ["0", "65536", "x"] {
            assert!(Port.parse(text).is_err(), "{text}");
        }
        assert!(Listen.parse("[::]:0").is_ok());
        for text in ["localhost:1", ":1", "of"] {
            assert!(Listen.parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn origins_have_a_scheme_a_host_and_no_path() {
        let origins = Origins
            .parse("https://maps.example.org, http://localhost:8080,*")
            .unwrap();
        assert_eq!(
            Origins.show(&origins),
            "https://maps.example.org, http://localhost:8080, *"
        );
        for text in [
            "maps.example.org",
            "https://maps.example.org/",
            "null",
            "",
            "https://a:443",
        ] {
            assert!(Origins.parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn servers_are_between_commas() {
        let servers = Servers.parse("a:1, [::1]:2").unwrap();
        assert_eq!(Servers.show(&servers), "a:1,[::1]:2");
        assert_eq!(Servers.show(&Servers.parse("a").unwrap()), "a:12000");
        let reason = Servers.parse("a:1,b:").unwrap_err();
        assert_eq!(reason, "holds `b:`, which has no port; write HOST:PORT");
        let reason = Servers.parse("12003").unwrap_err();
        assert_eq!(reason, "is a port alone; write 127.0.0.1:12003");
    }
}
