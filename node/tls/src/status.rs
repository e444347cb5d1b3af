//! The state of a server's certificates, for metrics and status.

use std::sync::Arc;

use super::client_port::ClientPortMaterial;
use super::link::LinkMaterial;
use super::reload::Live;

/// How links and the client port are secured.
#[derive(Clone, Default)]
pub struct TlsStatus {
    /// Links leave this machine without TLS, because `insecure_links` says so.
    pub links_insecure: bool,
    /// Certificates of links, if they have any.
    pub links: Option<Arc<Live<LinkMaterial>>>,
    /// Certificates of the client port, if it has any.
    pub clients: Option<Arc<Live<ClientPortMaterial>>>,
}

impl TlsStatus {
    /// When the certificate for links ends, in seconds since the POSIX epoch.
    #[must_use]
    pub fn links_expire_s(&self) -> Option<i64> {
        self.links.as_ref().map(|live| live.expires_s())
    }

    /// When the certificate of the client port ends, in seconds since the POSIX epoch.
    #[must_use]
    pub fn clients_expire_s(&self) -> Option<i64> {
        self.clients.as_ref().map(|live| live.expires_s())
    }

    /// How long the certificate for links and that of the client port are valid in all, in seconds.
    #[must_use]
    pub fn lifetimes_s(&self) -> (Option<i64>, Option<i64>) {
        let lifetime_s = |(begins_s, ends_s): (i64, i64)| ends_s.saturating_sub(begins_s);
        let links = self
            .links
            .as_ref()
            .map(|live| lifetime_s(live.validity_s()));
        let clients = self
            .clients
            .as_ref()
            .map(|live| lifetime_s(live.validity_s()));
        (links, clients)
    }

    /// Whether the certificates for links and those of the client port were over, or had not begun, when they were
    /// taken: see [`Live::out_of_time`].
    #[must_use]
    pub fn out_of_time(&self) -> (bool, bool) {
        let links = self.links.as_ref().and_then(|live| live.out_of_time());
        let clients = self.clients.as_ref().and_then(|live| live.out_of_time());
        (links.is_some(), clients.is_some())
    }

    /// Changes of certificates that were taken, and those that could not be used.
    #[must_use]
    pub fn reloads(&self) -> (u64, u64) {
        let links = self.links.as_ref();
        let clients = self.clients.as_ref();
        let (mut taken, mut failed) = (0, 0);
        if let Some(live) = links {
            taken += live.reloads();
            failed += live.failures();
        }
        if let Some(live) = clients {
            taken += live.reloads();
            failed += live.failures();
        }
        (taken, failed)
    }
}
