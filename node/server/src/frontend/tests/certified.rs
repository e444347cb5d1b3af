//! A certificate for a server of these tests, and a client that trusts it.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tempfile::TempDir;

use herd_clock::clock::{SystemClock, WallClock as _};
use herd_tls::authority::Authority;
use herd_tls::client_port::{ClientPortCredentials, ClientPortMaterial};
use herd_tls::connect::ClientTls;
use herd_tls::name::LinkName;
use herd_topology::Host;

/// Both sides of TLS.
pub(super) struct Certified {
    _folder: TempDir,
    /// For the server.
    pub(super) credentials: Arc<ClientPortCredentials>,
    /// For its clients.
    pub(super) client: ClientTls,
}

impl Certified {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now_s = SystemClock.now_ns() / 1_000_000_000;
        let authority = Authority::make("farm", now_s, 30).unwrap();
        let here = Host::Ip(Ipv4Addr::LOCALHOST.into());
        let name = LinkName::new("farm", "Hill");
        let issued = authority
            .issue(&name, std::slice::from_ref(&here), now_s, 30)
            .unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let trusted = file("trusted.pem", authority.certificate_pem());
        let material = ClientPortMaterial {
            certificate: file("cert.pem", &issued.certificate_pem),
            key: file("key.pem", &issued.key_pem),
            client_authorities: None,
        };
        let credentials = ClientPortCredentials::load(material, Arc::new(SystemClock)).unwrap();
        let client = ClientTls::new(Some(&trusted), None).unwrap();
        Certified {
            _folder: folder,
            credentials,
            client,
        }
    }
}
