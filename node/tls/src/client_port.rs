//! TLS on the client port: a certificate of the operator's choice, and certificates of clients if they
//! are asked for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::NoServerSessionStorage;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificate::CertificateFacts;
use super::error::in_one_line;
use super::fault::handshake_fault;
use super::files::Pem;
use super::link::{begins_s, check_time, key_error};
use super::peer::{Side, until_distrusted};
use super::reload::{Live, Material};
use super::trust::{TlsTime, Trust, now_s, provider};
use super::{TlsError, TlsFault};
use herd_clock::clock::SharedClock;

/// How often the certificate of an open connection is looked at again though no file has changed: its time passes. Less
/// often than on links, since there may be thousands.
const RECHECK_GAP: Duration = Duration::from_secs(60);

/// The files for the client port.
#[derive(Clone, Debug)]
pub struct ClientPortMaterial {
    /// The certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities of which each client needs a certificate; nothing if clients need none.
    pub client_authorities: Option<PathBuf>,
}

/// The content of the files at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientPortPems {
    certificate: Pem,
    key: Pem,
    authorities: Option<Pem>,
}

/// The client port's side of TLS.
#[derive(Debug)]
pub struct ClientPortTls {
    config: Arc<ServerConfig>,
    /// The first and the last second of the certificate, since the POSIX epoch.
    validity_s: (i64, i64),
    /// The authorities of clients; nothing if clients need no certificate.
    trust: Option<Trust>,
    /// The certificate that is over or has not begun, if one is.
    out_of_time: Option<String>,
    /// No client can be let in: the authorities of clients are over.
    refuses_all: bool,
    /// When it has to be made ready again.
    stale_s: i64,
}

/// A client, by the certificate that it showed.
pub struct ClientPeer {
    chain: Vec<CertificateDer<'static>>,
    credentials: Arc<ClientPortCredentials>,
}

/// Shakes hands with a client. Callers bound the time. The client's certificate comes along, if it had to show one.
///
/// # Errors
/// Why there is no secure connection.
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    credentials: &Arc<ClientPortCredentials>,
    stream: S,
) -> Result<(TlsStream<S>, Option<ClientPeer>), TlsFault> {
    let tls = credentials.current();
    if tls.refuses_all {
        let reason = tls.out_of_time.clone().unwrap_or_default();
        return Err(TlsFault::OwnOutOfTime(reason));
    }
    let accepted = TlsAcceptor::from(tls.config.clone()).accept(stream).await;
    let stream = accepted.map_err(|error| handshake_fault(&error))?;
    let chain = stream.get_ref().1.peer_certificates();
    let peer = chain.filter(|_| tls.trust.is_some());
    let peer = peer.map(|chain| ClientPeer {
        chain: chain.to_vec(),
        credentials: credentials.clone(),
    });
    Ok((stream, peer))
}

impl ClientPeer {
    /// Resolves when the certificate is no longer good: see [`super::Peer::distrusted`].
    pub async fn distrusted(&self) -> TlsFault {
        let check = || {
            let tls = self.credentials.current();
            let now_s = now_s(self.credentials.clock());
            let trust = tls.trust.as_ref();
            trust.map_or(Ok(()), |trust| {
                trust.check(Side::Accepted, &self.chain, now_s)
            })
        };
        until_distrusted(self.credentials.subscribe(), RECHECK_GAP, check).await
    }
}

/// The client port's credentials: those of now, and their changes.
pub type ClientPortCredentials = Live<ClientPortMaterial>;

impl Material for ClientPortMaterial {
    type Texts = ClientPortPems;
    type Ready = ClientPortTls;

    const FOR: &'static str = "the client port";
    const OUT_OF_TIME: &'static str = "clients refuse this server, or are refused";

    fn read(&self) -> Result<ClientPortPems, Vec<TlsError>> {
        let authorities = self.client_authorities.as_deref().map(Pem::read);
        let authorities = authorities.transpose();
        match (
            Pem::read(&self.certificate),
            Pem::read(&self.key),
            authorities,
        ) {
            (Ok(certificate), Ok(key), Ok(authorities)) => Ok(ClientPortPems {
                certificate,
                key,
                authorities,
            }),
            (certificate, key, authorities) => {
                Err([certificate.err(), key.err(), authorities.err()]
                    .into_iter()
                    .flatten()
                    .collect())
            }
        }
    }

    fn prepare(
        &self,
        texts: &ClientPortPems,
        clock: &SharedClock,
    ) -> Result<ClientPortTls, Vec<TlsError>> {
        let now_s = now_s(clock);
        let origin = &texts.certificate.origin;
        let mut mistakes = Vec::new();
        let mut noted = |error: TlsError| mistakes.push(error);
        let chain = texts.certificate.certificates().map_err(&mut noted).ok();
        let key = texts.key.key().map_err(&mut noted).ok();
        let trust = texts.authorities.as_ref();
        let trust = trust.map(|pem| Trust::new(pem, now_s)).transpose();
        let refuses_all = matches!(trust, Err(TlsError::Expired { .. }));
        let trust = trust.map_err(&mut noted);
        let trust = if refuses_all { Some(None) } else { trust.ok() };
        let facts = chain.as_ref().and_then(|chain| {
            let facts = chain.first().and_then(CertificateFacts::of);
            if facts.is_none() {
                noted(TlsError::Malformed(origin.clone()));
            }
            facts
        });
        if let Some(facts) = &facts {
            let _ = check_time(facts, origin, now_s).map_err(&mut noted);
        }
        let (Some(chain), Some(key), Some(trust), Some(facts)) = (chain, key, trust, facts) else {
            return Err(mistakes);
        };
        let time = Arc::new(TlsTime(clock.clone()));
        let config = ServerConfig::builder_with_details(provider(), time)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                match &trust {
                    Some(trust) => builder.with_client_cert_verifier(trust.client_verifier()),
                    None => builder.with_no_client_auth(),
                }
                .with_single_cert(chain, key)
            });
        match config {
            Ok(mut config) if mistakes.iter().all(TlsError::is_about_time) => {
                // Each connection shows its certificate: see links.
                config.send_tls13_tickets = 0;
                config.session_storage = Arc::new(NoServerSessionStorage {});
                let trust_ends_s = trust.as_ref().map_or(i64::MAX, |trust| trust.ends_s);
                Ok(ClientPortTls {
                    config: Arc::new(config),
                    validity_s: facts.validity_s(),
                    out_of_time: (!mistakes.is_empty()).then(|| in_one_line(&mistakes)),
                    refuses_all,
                    stale_s: trust_ends_s.min(begins_s(&facts, now_s)),
                    trust,
                })
            }
            config => {
                if let Err(error) = config {
                    mistakes.push(key_error(&error, origin, &texts.key.origin));
                }
                Err(mistakes)
            }
        }
    }

    fn out_of_time(ready: &ClientPortTls) -> Option<&str> {
        ready.out_of_time.as_deref()
    }

    fn validity_s(ready: &ClientPortTls) -> (i64, i64) {
        ready.validity_s
    }

    fn stale_s(ready: &ClientPortTls) -> i64 {
        ready.stale_s
    }
}
