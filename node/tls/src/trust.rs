//! Trust: certificates of a few authorities are accepted, for any host name.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::certificate::CertificateFacts;
use super::files::{Pem, date};
use super::peer::Side;
use super::{TlsError, TlsFault};
use herd_clock::clock::SharedClock;

/// The ring provider of rustls.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A server's clock, for TLS.
pub(super) struct TlsTime(pub(super) SharedClock);

impl fmt::Debug for TlsTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTime")
    }
}

impl TimeProvider for TlsTime {
    fn current_time(&self) -> Option<UnixTime> {
        unix_time(now_s(&self.0))
    }
}

/// Seconds since the POSIX epoch.
pub(super) fn now_s(clock: &SharedClock) -> i64 {
    clock.now_ns().div_euclid(1_000_000_000)
}

fn unix_time(seconds: i64) -> Option<UnixTime> {
    let seconds = u64::try_from(seconds).ok()?;
    Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(
        seconds,
    )))
}

/// Authorities, and the rules by which their certificates are checked.
#[derive(Debug)]
pub(super) struct Trust {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    clients: Arc<dyn ClientCertVerifier>,
    /// When the first of the authorities is over.
    pub(super) ends_s: i64,
}

impl Trust {
    /// Trusts the authorities in `pem` that are not over.
    pub(super) fn new(pem: &Pem, now_s: i64) -> Result<Self, TlsError> {
        let malformed = || TlsError::Malformed(pem.origin.clone());
        let mut roots = RootCertStore::empty();
        let (mut ends_s, mut last_end_s) = (i64::MAX, i64::MIN);
        for authority in pem.certificates()? {
            let facts = CertificateFacts::of(&authority).ok_or_else(malformed)?;
            last_end_s = last_end_s.max(facts.expires_s);
            // It is left over from a rotation.
            if facts.expires_s < now_s {
                continue;
            }
            ends_s = ends_s.min(facts.expires_s);
            roots.add(authority).map_err(|_| malformed())?;
        }
        if roots.is_empty() {
            return Err(TlsError::Expired {
                origin: pem.origin.clone(),
                date: date(last_end_s),
            });
        }
        let (roots, provider) = (Arc::new(roots), provider());
        let clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
            .build()
            .map_err(|error| TlsError::Unusable {
                origin: pem.origin.clone(),
                reason: error.to_string(),
            })?;
        Ok(Trust {
            roots,
            provider,
            clients,
            ends_s,
        })
    }

    /// The verifier of clients' certificates.
    pub(super) fn client_verifier(&self) -> Arc<dyn ClientCertVerifier> {
        self.clients.clone()
    }

    /// Whether the certificate of the other side of a connection is still good.
    pub(super) fn check(
        &self,
        side: Side,
        chain: &[CertificateDer<'static>],
        now_s: i64,
    ) -> Result<(), TlsFault> {
        let (leaf, intermediates) = chain.split_first().ok_or(TlsFault::NoCertificate)?;
        let now = unix_time(now_s)
            .ok_or_else(|| TlsFault::Other("the clock says a time before 1970".to_owned()))?;
        let checked = match side {
            Side::Dialled => self.check_server(leaf, intermediates, now),
            Side::Accepted => self
                .clients
                .verify_client_cert(leaf, intermediates, now)
                .map(|_| ()),
        };
        checked.map_err(|error| TlsFault::from(&error))
    }

    fn check_server(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(leaf)?,
            &self.roots,
            intermediates,
            now,
            self.provider.signature_verification_algorithms.all,
        )
    }
}

/// Checks the signature of a server's certificate, and not its host name: its server is checked when it is known which
/// one is meant.
#[derive(Debug)]
pub(super) struct AnyServerOf(pub(super) Arc<Trust>);

impl ServerCertVerifier for AnyServerOf {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.0.check_server(end_entity, intermediates, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.0.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
