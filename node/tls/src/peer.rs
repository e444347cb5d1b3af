//! The server that a certificate proves to be at the other end of a link.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use tokio::sync::watch;
use tokio::time::sleep;

use super::certificate::{CertificateFacts, shown};
use super::link::LinkCredentials;
use super::name::LinkName;
use super::{TlsError, TlsFault};

/// How often the certificate of a link that is up is looked at again: its time passes, and the wall
/// clock may jump.
const RECHECK_GAP: Duration = Duration::from_secs(5);

/// Which side of a connection this server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It connected: the other one is TLS's server.
    Dialled,
    /// It was connected to: the other one is TLS's client.
    Accepted,
}

/// The other end of a connection, by a certificate that was checked.
pub struct Peer {
    names: Vec<String>,
    chain: Vec<CertificateDer<'static>>,
    side: Side,
    credentials: Arc<LinkCredentials>,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("names", &self.names).finish()
    }
}

impl Peer {
    pub(super) fn new(
        chain: &[CertificateDer<'static>],
        side: Side,
        credentials: Arc<LinkCredentials>,
    ) -> Result<Self, TlsFault> {
        let leaf = chain.first().ok_or(TlsFault::NoCertificate)?;
        let facts = CertificateFacts::of(leaf).ok_or_else(|| {
            TlsFault::Certificate(TlsError::Malformed("it".to_owned()).to_string())
        })?;
        Ok(Peer {
            names: facts.names,
            chain: chain.to_vec(),
            side,
            credentials,
        })
    }

    /// Whether its certificate is for this server of this herd.
    #[must_use]
    pub fn is(&self, cluster: &str, server: &str) -> bool {
        let name = LinkName::new(cluster, server);
        self.names.iter().any(|own| own == name.as_str())
    }

    /// Whom its certificate is for, as the log may have it.
    #[must_use]
    pub fn names_shown(&self) -> String {
        shown(&self.names)
    }

    /// Resolves when the certificate is no longer good: it has expired, or its authority is not trusted
    /// any more.
    pub async fn distrusted(&self) -> TlsFault {
        let check = || self.credentials.check(self.side, &self.chain);
        until_distrusted(self.credentials.changes(), RECHECK_GAP, check).await
    }
}

/// Resolves when a certificate that was good is so no longer. It is looked at again at every change, and every `gap`.
/// The sender of the changes must live for as long.
pub(super) async fn until_distrusted<T>(
    mut changes: watch::Receiver<T>,
    gap: Duration,
    check: impl Fn() -> Result<(), TlsFault>,
) -> TlsFault {
    loop {
        // Any later change wakes this task.
        changes.mark_unchanged();
        if let Err(fault) = check() {
            return fault;
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = sleep(gap) => {}
        }
    }
}
