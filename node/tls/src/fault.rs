//! The reason why a connection with TLS failed, in words that name the part to look at.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

/// The reason why TLS with the other end failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// Bytes that are not TLS.
    #[error("it does not speak TLS; a server does if it has certificates for links")]
    NotTls,
    /// It has no certificate.
    #[error("it has no certificate")]
    NoCertificate,
    /// Its certificate is not from an authority that this server trusts.
    #[error("its certificate is from an authority that this server does not trust")]
    UnknownAuthority,
    /// Its certificate is over.
    #[error("its certificate has expired")]
    Expired,
    /// Its certificate has not begun.
    #[error("its certificate is not valid yet; do the clocks agree?")]
    NotYetValid,
    /// Something else is wrong with its certificate.
    #[error("its certificate is not valid: {0}")]
    Certificate(String),
    /// It does not want this server's certificate.
    #[error("it refuses this server's certificate: {0}")]
    RefusedByOther(&'static str),
    /// This server's own certificate or authorities are over, or have not begun.
    #[error("this server has no certificates that are in their time: {0}")]
    OwnOutOfTime(String),
    /// It ended the connection.
    #[error("the connection ended during the TLS handshake; does it speak TLS?")]
    Ended,
    /// Any other fault of TLS.
    #[error("TLS failed: {0}")]
    Other(String),
}

impl From<&Error> for TlsFault {
    fn from(error: &Error) -> Self {
        match error {
            Error::InvalidMessage(
                InvalidMessage::InvalidContentType
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::MessageTooLarge
                | InvalidMessage::InvalidEmptyPayload,
            ) => TlsFault::NotTls,
            Error::NoCertificatesPresented => TlsFault::NoCertificate,
            Error::InvalidCertificate(error) => match error {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    TlsFault::UnknownAuthority
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    TlsFault::Expired
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    TlsFault::NotYetValid
                }
                other => TlsFault::Certificate(other.to_string()),
            },
            Error::AlertReceived(alert) => match alert {
                AlertDescription::UnknownCA | AlertDescription::DecryptError => {
                    TlsFault::RefusedByOther("it does not trust the authority")
                }
                AlertDescription::CertificateExpired => {
                    TlsFault::RefusedByOther("it has expired, or is not valid yet")
                }
                AlertDescription::CertificateRequired => {
                    TlsFault::RefusedByOther("it wants one, and got none")
                }
                AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateRevoked
                | AlertDescription::AccessDenied => {
                    TlsFault::RefusedByOther("it is not valid for a link to it")
                }
                other => TlsFault::Other(format!("the other side says {other:?}")),
            },
            other => TlsFault::Other(other.to_string()),
        }
    }
}

/// The fault of TLS behind an error of a connection; `None` if the error is not about TLS.
#[must_use]
pub fn fault_of(error: &io::Error) -> Option<TlsFault> {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>())
        .map(TlsFault::from)
}

/// Why a TLS handshake ended that way.
pub(super) fn handshake_fault(error: &io::Error) -> TlsFault {
    fault_of(error).unwrap_or_else(|| match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => TlsFault::Ended,
        _ => TlsFault::Other(error.to_string()),
    })
}
