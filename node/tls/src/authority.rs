//! Making authorities, and certificates for servers.

use std::net::IpAddr;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};

use super::TlsError;
use super::certificate::CertificateFacts;
use super::files::Pem;
use super::name::LinkName;
use herd_topology::Host;

/// How long a certificate is valid unless something else is said, in days.
pub const CERTIFICATE_DAYS: u32 = 365;

/// The longest that anything is valid, in days: 100 years.
pub const DAYS_MAX: u32 = 36_500;

/// How long an authority is valid, at least, in days.
pub const AUTHORITY_DAYS: u32 = 3_650;

/// The validity of certificates that `herd local` makes for itself, in days. Its herd ends long before.
pub const THROW_AWAY_DAYS: u32 = 3_650;

/// Certificates begin this long before they are made: clocks differ.
const BACKDATED: Duration = Duration::from_secs(3_600);

const DAY_S: u64 = 24 * 3_600;

/// A certificate that was made, with its key. Not shown by `Debug`.
pub struct Issued {
    /// The certificate, in PEM.
    pub certificate_pem: String,
    /// Its private key, in PEM.
    pub key_pem: String,
    /// When it ends, in seconds since the POSIX epoch.
    pub expires_s: i64,
}

/// The signer of certificates.
pub struct Authority {
    certificate: Pem,
    certificate_text: String,
    issuer: Issuer<'static, KeyPair>,
    expires_s: i64,
}

impl Authority {
    /// Makes one for a herd.
    ///
    /// # Errors
    /// None in practice.
    pub fn make(cluster: &str, now_s: i64, days: u32) -> Result<Self, TlsError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.remove(DnType::CommonName);
        // Two authorities of a rotation have names of their own.
        let name = format!("herd {cluster} authority {now_s}");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, now_s, days, i64::MAX);
        let certificate = params.self_signed(&key)?;
        let text = certificate.pem();
        Ok(Authority {
            certificate: Pem {
                origin: "the authority".to_owned(),
                bytes: text.clone().into_bytes(),
            },
            certificate_text: text,
            expires_s: params.not_after.unix_timestamp(),
            issuer: Issuer::new(params, key),
        })
    }

    /// One that was made before.
    pub(super) fn from_pem(certificate: &Pem, key: &Pem) -> Result<Self, TlsError> {
        let malformed = || TlsError::Malformed(certificate.origin.clone());
        let text = String::from_utf8(certificate.bytes.clone()).map_err(|_| malformed())?;
        let key_text = std::str::from_utf8(&key.bytes);
        let key_pair = key_text
            .ok()
            .and_then(|text| KeyPair::from_pem(text).ok())
            .ok_or_else(|| TlsError::NoKey(key.origin.clone()))?;
        let own = certificate.certificates()?;
        let own = own.first().ok_or_else(malformed)?;
        let facts = CertificateFacts::of(own).ok_or_else(malformed)?;
        Ok(Authority {
            issuer: Issuer::from_ca_cert_der(own, key_pair)?,
            certificate: certificate.clone(),
            certificate_text: text,
            expires_s: facts.expires_s,
        })
    }

    /// Its certificate, in PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_text
    }

    pub(super) fn certificate(&self) -> Pem {
        self.certificate.clone()
    }

    pub(super) fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// When it ends, in seconds since the POSIX epoch.
    #[must_use]
    pub fn expires_s(&self) -> i64 {
        self.expires_s
    }

    /// Makes a certificate for a server. It is good for both sides of a link, and for the client port
    /// at these hosts; it does not outlive the authority.
    ///
    /// # Errors
    /// None in practice.
    pub fn issue(
        &self,
        name: &LinkName,
        hosts: &[Host],
        now_s: i64,
        days: u32,
    ) -> Result<Issued, TlsError> {
        let mut names = vec![SanType::URI(name.as_str().try_into()?)];
        for host in hosts {
            match host {
                Host::Ip(ip) if ip.is_unspecified() => {}
                Host::Ip(ip) => names.push(SanType::IpAddress(*ip)),
                Host::Name(host) => names.push(SanType::DnsName((**host).try_into()?)),
            }
        }
        let usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        self.sign(name.as_str(), names, usages, now_s, days)
    }

    /// Makes a certificate for a client of the client port. No server takes it on a link, since it names
    /// no server.
    ///
    /// # Errors
    /// If the name has other characters than certificates take.
    pub fn issue_client(&self, name: &str, now_s: i64, days: u32) -> Result<Issued, TlsError> {
        let names = vec![SanType::DnsName(name.try_into()?)];
        let usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(name, names, usages, now_s, days)
    }

    fn sign(
        &self,
        common_name: &str,
        names: Vec<SanType>,
        usages: Vec<ExtendedKeyUsagePurpose>,
        now_s: i64,
        days: u32,
    ) -> Result<Issued, TlsError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.remove(DnType::CommonName);
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.subject_alt_names = names;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = usages;
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, now_s, days, self.expires_s);
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            expires_s: params.not_after.unix_timestamp(),
        })
    }
}

impl Issued {
    /// Certificate, key and the authority in one text, as [`super::link::LinkSource::Text`] takes it.
    #[must_use]
    pub fn with_authority(&self, authority: &Authority) -> String {
        let (key, trusted) = (&self.key_pem, authority.certificate_pem());
        format!("{}{key}{trusted}", self.certificate_pem)
    }
}

/// From a little before now, for a number of days, but not beyond `end_max_s`.
fn set_validity(params: &mut CertificateParams, now_s: i64, days: u32, end_max_s: i64) {
    let epoch = date_time_ymd(1970, 1, 1);
    let seconds = |s: i64| Duration::from_secs(u64::try_from(s).unwrap_or(0));
    let now = seconds(now_s);
    let end = now.saturating_add(Duration::from_secs(DAY_S * u64::from(days.min(DAYS_MAX))));
    // The last year that a certificate can name.
    let last = date_time_ymd(9_999, 1, 1);
    let at = |since: Duration| {
        epoch
            .checked_add(since.try_into().unwrap_or_default())
            .unwrap_or(last)
    };
    params.not_before = at(now.saturating_sub(BACKDATED));
    params.not_after = at(end.min(seconds(end_max_s))).min(last);
}

/// Whether a host is one that certificates can name: all but names with an underscore, which are no
/// host names to TLS.
#[must_use]
pub fn can_be_named(host: &Host) -> bool {
    match host {
        Host::Ip(ip) => !IpAddr::is_unspecified(ip),
        Host::Name(name) => !name.contains('_'),
    }
}
