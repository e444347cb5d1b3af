//! The faults of this server's own certificates, keys and authorities.

use std::io;
use std::path::PathBuf;

use super::files::PEM_BYTES_MAX;

/// A fault of this server's own certificates. The material that was in use before stays in use.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is larger than any of its kind.
    #[error("{} is larger than {PEM_BYTES_MAX} bytes", .0.display())]
    TooLarge(PathBuf),
    /// A file or folder cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Something is there that would be overwritten.
    #[error(
        "{} is there already, and nothing was written; `herd certs add` adds servers, `herd certs renew` \
         replaces certificates, `herd certs rotate` the authority",
        .0.display()
    )]
    Exists(PathBuf),
    /// There is no certificate in a file that should hold some.
    #[error("{0} holds no certificate in PEM")]
    NoCertificate(String),
    /// There is no private key in a file that should hold one.
    #[error("{0} holds no private key in PEM")]
    NoKey(String),
    /// Something is no certificate.
    #[error("{0} holds something that is no certificate")]
    Malformed(String),
    /// Too many certificates.
    #[error("{origin} holds more than {max} certificates")]
    TooMany {
        /// Where.
        origin: String,
        /// As many are allowed.
        max: usize,
    },
    /// The private key is not that of the certificate.
    #[error("{key} is not the private key of {certificate}")]
    KeyMismatch {
        /// Where the key is.
        key: String,
        /// Where the certificate is.
        certificate: String,
    },
    /// The certificate is over.
    #[error("{origin} expired on {date}")]
    Expired {
        /// Where it is.
        origin: String,
        /// When.
        date: String,
    },
    /// The certificate has not begun.
    #[error("{origin} is not valid before {date}")]
    NotYetValid {
        /// Where it is.
        origin: String,
        /// When it begins.
        date: String,
    },
    /// The certificate is for somebody else.
    #[error("{origin} is for {found}, and this server is {expected}")]
    WrongName {
        /// Where it is.
        origin: String,
        /// Whom it is for.
        found: String,
        /// This server.
        expected: String,
    },
    /// No authority that is trusted has signed the certificate, or it may not be used for this.
    #[error("{origin} would be refused by the other servers: {reason}")]
    NotTrusted {
        /// Where it is.
        origin: String,
        /// The fault.
        reason: String,
    },
    /// TLS cannot be set up with it.
    #[error("{origin} cannot be used: {reason}")]
    Unusable {
        /// Where it is.
        origin: String,
        /// The fault.
        reason: String,
    },
    /// A certificate cannot be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// Servers would be shut out.
    #[error(
        "{0} has a certificate of an earlier authority, or none: `herd certs renew` first, and give the new \
         certificates to all servers"
    )]
    NotRenewed(String),
}

impl TlsError {
    /// Whether nothing is wrong but the time: it is over, or has not begun.
    #[must_use]
    pub fn is_about_time(&self) -> bool {
        matches!(
            self,
            TlsError::Expired { .. } | TlsError::NotYetValid { .. }
        )
    }
}

/// The fault, in one line.
pub(super) fn in_one_line(errors: &[TlsError]) -> String {
    let reasons: Vec<String> = errors.iter().map(ToString::to_string).collect();
    reasons.join("; ")
}
