//! Reading PEM files, with bounds.

use std::io;
use std::path::Path;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;
use herd_files::own_file;

/// The largest file with certificates or a key, in bytes.
pub(super) const PEM_BYTES_MAX: usize = 256 * 1024;

/// Certificates that one file may hold: a chain, or authorities.
pub(super) const CERTIFICATES_MAX: usize = 32;

/// Bytes in PEM, and where they are from as a message names it. Not shown by `Debug`: there may be a
/// private key in them.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pem {
    pub(super) origin: String,
    pub(super) bytes: Vec<u8>,
}

impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pem").field(&self.origin).finish()
    }
}

impl Pem {
    /// Reads a file that is looked at again and again, and must be a regular one: a pipe has its content once.
    pub(super) fn read(path: &Path) -> Result<Self, TlsError> {
        Self::of(path, own_file::read_regular(path, PEM_BYTES_MAX))
    }

    /// Reads a file, which may be a pipe such as that of `<(command)`, for a command that reads it once.
    pub(super) fn read_once(path: &Path) -> Result<Self, TlsError> {
        Self::of(path, own_file::read_once(path, PEM_BYTES_MAX))
    }

    fn of(path: &Path, read: io::Result<Vec<u8>>) -> Result<Self, TlsError> {
        let bytes = read.map_err(|source| TlsError::Read {
            path: path.to_owned(),
            source,
        })?;
        if bytes.len() > PEM_BYTES_MAX {
            return Err(TlsError::TooLarge(path.to_owned()));
        }
        Ok(Pem {
            origin: path.display().to_string(),
            bytes,
        })
    }

    /// The certificates in it, in order; at least one.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let mut certificates = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(&self.bytes) {
            let certificate = certificate.map_err(|_| TlsError::Malformed(self.origin.clone()))?;
            if certificates.len() >= CERTIFICATES_MAX {
                return Err(TlsError::TooMany {
                    origin: self.origin.clone(),
                    max: CERTIFICATES_MAX,
                });
            }
            certificates.push(certificate);
        }
        if certificates.is_empty() {
            return Err(TlsError::NoCertificate(self.origin.clone()));
        }
        Ok(certificates)
    }

    /// The private key in it.
    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(&self.bytes).map_err(|_| TlsError::NoKey(self.origin.clone()))
    }
}

/// A point in time as people read it.
#[must_use]
pub fn date(seconds: i64) -> String {
    let since = std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let time = std::time::UNIX_EPOCH.checked_add(since);
    time.map_or("a time beyond all clocks".to_owned(), |time| {
        humantime::format_rfc3339_seconds(time).to_string()
    })
}

/// Whether a file is not there, rather than unreadable.
pub(super) fn is_missing(error: &TlsError) -> bool {
    matches!(error, TlsError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
}
