//! Whom TLS connections to providers trust.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// The certificate authorities of the machine: the file that `SSL_CERT_FILE` names, the folder that
/// `SSL_CERT_DIR` names, or where systems keep them, such as `/etc/ssl/certs/ca-certificates.crt`.
#[derive(Clone, Debug)]
pub struct TrustedRoots(Arc<RootCertStore>);

/// Why no TLS connection can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// There is no certificate authority.
    #[error(
        "no certificate authorities are found on this machine{0}; install ca-certificates, or name \
         a PEM file in SSL_CERT_FILE"
    )]
    NoRoots(String),
    /// The TLS library refuses to start.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

impl TrustedRoots {
    /// Reads them.
    ///
    /// # Errors
    /// If there are none.
    pub fn of_machine() -> Result<Self, TrustError> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let reason = found.errors.first();
            let reason = reason.map_or(String::new(), |error| format!(" ({error})"));
            return Err(TrustError::NoRoots(reason));
        }
        Ok(TrustedRoots(Arc::new(roots)))
    }

    /// None at all, for addresses without TLS.
    #[must_use]
    pub fn nobody() -> Self {
        TrustedRoots(Arc::new(RootCertStore::empty()))
    }

    /// How many authorities there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The settings of a TLS client that trusts them.
    pub(super) fn client_config(&self) -> Result<ClientConfig, TrustError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TrustError::Tls(error.to_string()))?;
        Ok(config
            .with_root_certificates(Arc::clone(&self.0))
            .with_no_client_auth())
    }
}
