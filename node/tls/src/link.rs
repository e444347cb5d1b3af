//! The material of links: a certificate with its key, and the trusted authorities.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::NoServerSessionStorage;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::certificate::CertificateFacts;
use super::error::in_one_line;
use super::fault::handshake_fault;
use super::files::{Pem, date};
use super::folder::CertificateFolder;
use super::name::LinkName;
use super::peer::{Peer, Side};
use super::reload::{Live, Material};
use super::trust::{AnyServerOf, TlsTime, Trust, now_s, provider};
use super::{TlsError, TlsFault};
use herd_clock::clock::SharedClock;

/// Only TLS 1.3: all servers of a herd run this program.
const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// The name that stands for a server where TLS needs a host name. Names are compared by
/// [`LinkName`].
const ANY_SERVER: &str = "herd";

/// Where a server's certificate, key and authorities are.
#[derive(Clone)]
pub enum LinkSource {
    /// In a folder, by the server's name.
    Folder(PathBuf),
    /// In a text: the certificate, its key, and the authorities, in PEM. For servers that `herd local`
    /// starts without a disk.
    Text(Arc<str>),
}

impl fmt::Debug for LinkSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkSource::Folder(path) => f.debug_tuple("Folder").field(path).finish(),
            LinkSource::Text(_) => f.write_str("Text"),
        }
    }
}

/// The content of a source at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkPems {
    certificate: Pem,
    key: Pem,
    trusted: Pem,
}

impl LinkSource {
    /// Reads it, for this server.
    ///
    /// # Errors
    /// Every file that cannot be read.
    fn read(&self, server: &str) -> Result<LinkPems, Vec<TlsError>> {
        match self {
            LinkSource::Folder(path) => {
                let folder = CertificateFolder::new(path);
                let certificate = Pem::read(&folder.certificate(server));
                let key = Pem::read(&folder.key(server));
                match (certificate, key, Pem::read(&folder.trusted())) {
                    (Ok(certificate), Ok(key), Ok(trusted)) => Ok(LinkPems {
                        certificate,
                        key,
                        trusted,
                    }),
                    (certificate, key, trusted) => {
                        Err([certificate.err(), key.err(), trusted.err()]
                            .into_iter()
                            .flatten()
                            .collect())
                    }
                }
            }
            LinkSource::Text(text) => {
                let origin = "the text of links_credentials";
                let part = |bytes: &[u8]| Pem {
                    origin: origin.to_owned(),
                    bytes: bytes.to_vec(),
                };
                let malformed = || vec![TlsError::Malformed(origin.to_owned())];
                // The first certificate is the server's, the others are authorities.
                let end = "-----END CERTIFICATE-----";
                let (own, rest) = text.split_once(end).ok_or_else(malformed)?;
                Ok(LinkPems {
                    certificate: part(format!("{own}{end}\n").as_bytes()),
                    key: part(text.as_bytes()),
                    trusted: part(rest.as_bytes()),
                })
            }
        }
    }
}

/// Both sides of TLS with one certificate and one set of authorities.
#[derive(Debug)]
pub struct LinkTls {
    /// Or the reason why there can be no links: a certificate is out of its time.
    sides: Result<Sides, String>,
    /// The first and the last second of the certificate, since the POSIX epoch.
    validity_s: (i64, i64),
    /// When it has to be made ready again.
    stale_s: i64,
}

#[derive(Debug)]
struct Sides {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    trust: Arc<Trust>,
}

impl LinkTls {
    /// Checks everything, and makes ready for both sides. If nothing is wrong but the time, it is ready for no link.
    ///
    /// # Errors
    /// Everything that is wrong.
    fn new(pems: &LinkPems, me: &LinkName, clock: &SharedClock) -> Result<Self, Vec<TlsError>> {
        let now_s = now_s(clock);
        let (parts, mut mistakes) = LinkParts::read(pems, now_s);
        if let Some(facts) = &parts.facts {
            mistakes.extend(parts.faults(facts, me, &pems.certificate.origin, now_s));
            if !mistakes.is_empty() && mistakes.iter().all(TlsError::is_about_time) {
                return Ok(LinkTls {
                    sides: Err(in_one_line(&mistakes)),
                    validity_s: facts.validity_s(),
                    stale_s: begins_s(facts, now_s),
                });
            }
        }
        let LinkParts {
            chain: Some(chain),
            key: Some(key),
            trust: Some(trust),
            facts: Some(facts),
        } = parts
        else {
            return Err(mistakes);
        };
        match Sides::new(chain, key, Arc::new(trust), clock) {
            Ok(sides) if mistakes.is_empty() => Ok(LinkTls {
                validity_s: facts.validity_s(),
                stale_s: sides.trust.ends_s,
                sides: Ok(sides),
            }),
            sides => {
                let origins = (&pems.certificate.origin, &pems.key.origin);
                let error = sides.err();
                mistakes.extend(error.map(|error| key_error(&error, origins.0, origins.1)));
                Err(mistakes)
            }
        }
    }
}

/// The parts of a source that could be read.
struct LinkParts {
    chain: Option<Vec<CertificateDer<'static>>>,
    key: Option<PrivateKeyDer<'static>>,
    trust: Option<Trust>,
    /// Of the server's own certificate.
    facts: Option<CertificateFacts>,
}

impl LinkParts {
    /// Reads each part, and says which cannot be read.
    fn read(pems: &LinkPems, now_s: i64) -> (Self, Vec<TlsError>) {
        let mut mistakes = Vec::new();
        let mut noted = |error: TlsError| mistakes.push(error);
        let chain = pems.certificate.certificates().map_err(&mut noted).ok();
        let key = pems.key.key().map_err(&mut noted).ok();
        let trust = Trust::new(&pems.trusted, now_s).map_err(&mut noted).ok();
        let leaf = chain.as_ref().and_then(|chain| chain.first());
        let facts = leaf.and_then(|leaf| {
            let facts = CertificateFacts::of(leaf);
            if facts.is_none() {
                noted(TlsError::Malformed(pems.certificate.origin.clone()));
            }
            facts
        });
        let parts = LinkParts {
            chain,
            key,
            trust,
            facts,
        };
        (parts, mistakes)
    }

    /// The fault of the server's own certificate: its time, its name, or that it is not trusted.
    fn faults(
        &self,
        facts: &CertificateFacts,
        me: &LinkName,
        origin: &str,
        now_s: i64,
    ) -> Vec<TlsError> {
        let mut faults = Vec::new();
        let in_time = check_time(facts, origin, now_s);
        let is_in_time = in_time.is_ok();
        faults.extend(in_time.err());
        if !facts.is_for(me) {
            faults.push(TlsError::WrongName {
                origin: origin.to_owned(),
                found: facts.names_shown(),
                expected: me.to_string(),
            });
        }
        if let (Some(trust), Some(chain), true) = (&self.trust, &self.chain, is_in_time) {
            let sides = [Side::Dialled, Side::Accepted].into_iter();
            let fault = sides
                .filter_map(|side| trust.check(side, chain, now_s).err())
                .next();
            faults.extend(fault.map(|fault| TlsError::NotTrusted {
                origin: origin.to_owned(),
                reason: fault.to_string(),
            }));
        }
        faults
    }
}

impl Sides {
    /// # Errors
    /// The certificate and the key do not fit together, or are of a kind that cannot be used.
    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        trust: Arc<Trust>,
        clock: &SharedClock,
    ) -> Result<Self, rustls::Error> {
        let time = Arc::new(TlsTime(clock.clone()));
        let mut client = ClientConfig::builder_with_details(provider(), time.clone())
            .with_protocol_versions(VERSIONS)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyServerOf(trust.clone())))
            .with_client_auth_cert(chain.clone(), key.clone_key())?;
        let mut server = ServerConfig::builder_with_details(provider(), time)
            .with_protocol_versions(VERSIONS)?
            .with_client_cert_verifier(trust.client_verifier())
            .with_single_cert(chain, key)?;
        // Each connection shows its certificate: one that was taken back must not get in by a session of before.
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        server.send_tls13_tickets = 0;
        server.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Sides {
            client: Arc::new(client),
            server: Arc::new(server),
            trust,
        })
    }
}

impl LinkTls {
    fn sides(&self) -> Result<&Sides, TlsFault> {
        let sides = self.sides.as_ref();
        sides.map_err(|reason| TlsFault::OwnOutOfTime(reason.clone()))
    }
}

/// The last second in which a certificate that has not begun is not valid; never for one that has.
pub(super) fn begins_s(facts: &CertificateFacts, now_s: i64) -> i64 {
    if facts.valid_from_s > now_s {
        facts.valid_from_s.saturating_sub(1)
    } else {
        i64::MAX
    }
}

/// Whether a certificate of this server's own is in its time.
pub(super) fn check_time(
    facts: &CertificateFacts,
    origin: &str,
    now_s: i64,
) -> Result<(), TlsError> {
    let origin = origin.to_owned();
    if facts.expires_s < now_s {
        let date = date(facts.expires_s);
        return Err(TlsError::Expired { origin, date });
    }
    if facts.valid_from_s > now_s {
        let date = date(facts.valid_from_s);
        return Err(TlsError::NotYetValid { origin, date });
    }
    Ok(())
}

/// The fault of a certificate and a key that rustls does not accept together.
pub(super) fn key_error(error: &rustls::Error, certificate: &str, key: &str) -> TlsError {
    match error {
        rustls::Error::InconsistentKeys(_) => TlsError::KeyMismatch {
            key: key.to_owned(),
            certificate: certificate.to_owned(),
        },
        other => TlsError::Unusable {
            origin: format!("{certificate} with {key}"),
            reason: other.to_string(),
        },
    }
}

/// The recipe of [`LinkTls`], which reads its source again.
#[derive(Clone, Debug)]
pub struct LinkMaterial {
    /// Where it is.
    pub source: LinkSource,
    /// The herd.
    pub cluster: String,
    /// This server.
    pub server: String,
}

impl Material for LinkMaterial {
    type Texts = LinkPems;
    type Ready = LinkTls;

    const FOR: &'static str = "links between servers";
    const OUT_OF_TIME: &'static str = "this server has no links, and goes on alone";

    fn read(&self) -> Result<LinkPems, Vec<TlsError>> {
        self.source.read(&self.server)
    }

    fn prepare(&self, texts: &LinkPems, clock: &SharedClock) -> Result<LinkTls, Vec<TlsError>> {
        let me = LinkName::new(&self.cluster, &self.server);
        LinkTls::new(texts, &me, clock)
    }

    fn out_of_time(ready: &LinkTls) -> Option<&str> {
        ready.sides.as_ref().err().map(String::as_str)
    }

    fn validity_s(ready: &LinkTls) -> (i64, i64) {
        ready.validity_s
    }

    fn stale_s(ready: &LinkTls) -> i64 {
        ready.stale_s
    }
}

/// A server's credentials for links: those of now, and their changes.
pub struct LinkCredentials {
    live: Arc<Live<LinkMaterial>>,
    clock: SharedClock,
}

impl LinkCredentials {
    /// Follows the loaded material.
    #[must_use]
    pub fn new(live: Arc<Live<LinkMaterial>>, clock: SharedClock) -> Arc<Self> {
        Arc::new(LinkCredentials { live, clock })
    }

    /// Shakes hands over `stream`. Callers bound the time.
    ///
    /// # Errors
    /// Why there is no secure connection.
    pub async fn secure<S: AsyncRead + AsyncWrite + Unpin>(
        self: &Arc<Self>,
        stream: S,
        side: Side,
    ) -> Result<(TlsStream<S>, Peer), TlsFault> {
        let tls = self.live.current();
        let sides = tls.sides()?;
        let secured = match side {
            Side::Dialled => {
                let name = ServerName::try_from(ANY_SERVER)
                    .map_err(|error| TlsFault::Other(error.to_string()))?;
                let connector = TlsConnector::from(sides.client.clone());
                let connected = connector.connect(name, stream).await;
                connected.map(TlsStream::from)
            }
            Side::Accepted => {
                let acceptor = TlsAcceptor::from(sides.server.clone());
                acceptor.accept(stream).await.map(TlsStream::from)
            }
        };
        let secured = secured.map_err(|error| handshake_fault(&error))?;
        let chain = match &secured {
            TlsStream::Client(stream) => stream.get_ref().1.peer_certificates(),
            TlsStream::Server(stream) => stream.get_ref().1.peer_certificates(),
        };
        let peer = Peer::new(chain.unwrap_or_default(), side, self.clone())?;
        Ok((secured, peer))
    }

    /// Whether a certificate that was good is so now.
    pub(super) fn check(
        &self,
        side: Side,
        chain: &[CertificateDer<'static>],
    ) -> Result<(), TlsFault> {
        let tls = self.live.current();
        tls.sides()?.trust.check(side, chain, now_s(&self.clock))
    }

    pub(super) fn changes(&self) -> watch::Receiver<Arc<LinkTls>> {
        self.live.subscribe()
    }
}
