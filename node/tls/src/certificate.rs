//! The statements of a certificate.

use std::net::IpAddr;

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::name::LinkName;

/// Names of one certificate that are looked at; a herd has no more servers.
const NAMES_MAX: usize = 1_024;

/// The holder and the time that a certificate states. Nothing here is proof: see
/// [`super::link::LinkTls`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The names of servers in it, such as `herd://CLUSTER/SERVER`.
    pub names: Vec<String>,
    /// The hosts in it, for the client port: names and IP addresses.
    pub hosts: Vec<String>,
    /// When it begins to be valid, in seconds since the POSIX epoch.
    pub valid_from_s: i64,
    /// The last second in which it is valid, since the POSIX epoch.
    pub expires_s: i64,
}

impl CertificateFacts {
    /// Reads a certificate; nothing if it is none.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let alternatives = parsed.subject_alternative_name().ok()?;
        let names = alternatives
            .iter()
            .flat_map(|extension| &extension.value.general_names)
            .filter_map(|name| match name {
                GeneralName::URI(uri) if LinkName::is_one(uri) => Some((*uri).to_owned()),
                _ => None,
            })
            .take(NAMES_MAX)
            .collect();
        let hosts = alternatives
            .iter()
            .flat_map(|extension| &extension.value.general_names)
            .filter_map(|name| match name {
                GeneralName::DNSName(host) => Some((*host).to_owned()),
                GeneralName::IPAddress(bytes) => ip(bytes).map(|ip| ip.to_string()),
                _ => None,
            })
            .take(NAMES_MAX)
            .collect();
        let validity = parsed.validity();
        Some(CertificateFacts {
            names,
            hosts,
            valid_from_s: validity.not_before.timestamp(),
            expires_s: validity.not_after.timestamp(),
        })
    }

    /// The first and the last second in which it is valid, since the POSIX epoch.
    #[must_use]
    pub fn validity_s(&self) -> (i64, i64) {
        (self.valid_from_s, self.expires_s)
    }

    /// Whether one of its names is this one.
    #[must_use]
    pub fn is_for(&self, name: &LinkName) -> bool {
        self.names.iter().any(|own| own == name.as_str())
    }

    /// Its names as a log line or a message may have them.
    #[must_use]
    pub fn names_shown(&self) -> String {
        shown(&self.names)
    }
}

/// The address of four or sixteen bytes.
fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let of_4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    of_4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// A few of `names`, none of them longer than any name of a server.
pub(super) fn shown(names: &[String]) -> String {
    const SHOWN_MAX: usize = 3;
    const CHARS_MAX: usize = 140;
    if names.is_empty() {
        return "no server".to_owned();
    }
    let mut shown: Vec<String> = names
        .iter()
        .take(SHOWN_MAX)
        .map(|name| name.chars().take(CHARS_MAX).collect())
        .collect();
    if names.len() > SHOWN_MAX {
        shown.push(format!("{} more", names.len() - SHOWN_MAX));
    }
    shown.join(", ")
}
