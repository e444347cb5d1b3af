//! The client's side of TLS on the client port.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::fault::handshake_fault;
use super::files::Pem;
use super::link::key_error;
use super::trust::provider;
use super::{TlsError, TlsFault};

/// How a client connects: whom it trusts, and its own certificate.
#[derive(Clone, Debug)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
}

impl ClientTls {
    /// Trusts the authorities in a file, or else those of the machine, and shows a certificate with its
    /// key, if it has one.
    ///
    /// # Errors
    /// The files that cannot be read or used.
    pub fn new(
        authorities: Option<&Path>,
        identity: Option<(&Path, &Path)>,
    ) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        match authorities {
            Some(path) => {
                let pem = Pem::read_once(path)?;
                for authority in pem.certificates()? {
                    let added = roots.add(authority);
                    added.map_err(|_| TlsError::Malformed(pem.origin.clone()))?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        let unusable = |error: rustls::Error| TlsError::Unusable {
            origin: "TLS".to_owned(),
            reason: error.to_string(),
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let (certificate, key) = (Pem::read_once(certificate)?, Pem::read_once(key)?);
                builder
                    .with_client_auth_cert(certificate.certificates()?, key.key()?)
                    .map_err(|error| key_error(&error, &certificate.origin, &key.origin))?
            }
        };
        Ok(ClientTls {
            config: Arc::new(config),
        })
    }

    /// Shakes hands with the server that is called `host`.
    ///
    /// # Errors
    /// Why there is no secure connection.
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        host: &str,
    ) -> Result<TlsStream<S>, TlsFault> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| TlsFault::Other(format!("{host} is not a name of a server")))?;
        let connecting = TlsConnector::from(self.config.clone()).connect(name, stream);
        connecting.await.map_err(|error| handshake_fault(&error))
    }
}
