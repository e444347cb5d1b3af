//! Certificates, keys and authorities, from files as a server reads them, and from a peer as bytes.

use std::sync::Arc;

use herd_clock::clock::{SharedClock, SystemClock};
use herd_tls::CertificateFacts;
use herd_tls::client_port::ClientPortMaterial;
use herd_tls::reload::Material as _;

/// The part behind a first NUL is a key, and the part behind a second one the authorities of clients.
pub(super) fn run(bytes: &[u8]) {
    let _ = CertificateFacts::of(&bytes.into());
    let folder = tempfile::tempdir().expect("a folder");
    let mut parts = bytes.splitn(3, |&byte| byte == 0);
    let mut file = |name: &str| {
        let part = parts.next()?;
        let path = folder.path().join(name);
        std::fs::write(&path, part).expect("a file");
        Some(path)
    };
    let material = ClientPortMaterial {
        certificate: file("certificate").unwrap_or_default(),
        key: file("key").unwrap_or_default(),
        client_authorities: file("authorities"),
    };
    let clock: SharedClock = Arc::new(SystemClock);
    let prepared = material
        .read()
        .and_then(|texts| material.prepare(&texts, &clock));
    if let Err(mistakes) = prepared {
        assert!(!mistakes.is_empty());
        for mistake in mistakes {
            let said = mistake.to_string();
            assert!(!said.contains("PRIVATE KEY"), "{said}");
        }
    }
}
