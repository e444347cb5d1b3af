//! The folder with a herd's certificates: the names of its files, their modes, and their replacement.
//!
//! Servers need the files in the folder itself. They must not have the files in its folder `signing`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::TlsError;
use super::authority::{Authority, Issued, THROW_AWAY_DAYS};
use super::certificate::CertificateFacts;
use super::files::{Pem, is_missing};
use super::name::LinkName;
use super::peer::Side;
use super::trust::Trust;
use herd_files::own_file;

/// The name of the folder beside a topology file.
pub const CERTIFICATES_FOLDER: &str = "certs";

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A folder with certificates. Names of servers are safe in a path, and the endings keep files of
/// different kinds apart.
#[derive(Clone, Debug)]
pub struct CertificateFolder {
    path: PathBuf,
    /// Whether written files must survive a loss of power.
    synced: bool,
}

impl CertificateFolder {
    /// This folder, which need not be there.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        CertificateFolder {
            path: path.to_owned(),
            synced: true,
        }
    }

    /// The folder that belongs to a topology file unless something else is said.
    #[must_use]
    pub fn beside(topology: &Path) -> PathBuf {
        let folder = topology.parent().unwrap_or(Path::new(""));
        folder.join(CERTIFICATES_FOLDER)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The authorities that servers trust.
    #[must_use]
    pub fn trusted(&self) -> PathBuf {
        self.path.join("trusted.pem")
    }

    /// The certificate of a server.
    #[must_use]
    pub fn certificate(&self, server: &str) -> PathBuf {
        self.path.join(format!("{server}.cert.pem"))
    }

    /// Its private key.
    #[must_use]
    pub fn key(&self, server: &str) -> PathBuf {
        self.path.join(format!("{server}.key.pem"))
    }

    /// The folder with the authority that signs.
    #[must_use]
    pub fn signing(&self) -> PathBuf {
        self.path.join("signing")
    }

    fn authority_certificate(&self) -> PathBuf {
        self.signing().join("authority.cert.pem")
    }

    fn authority_key(&self) -> PathBuf {
        self.signing().join("authority.key.pem")
    }

    /// Whether there is an authority that signs: whether a person made it.
    #[must_use]
    pub fn has_authority(&self) -> bool {
        self.authority_key().exists()
    }

    /// Makes the folder, for its user alone.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn make(&self) -> Result<(), TlsError> {
        make_folder(&self.path)
    }

    /// Refuses to go on if one of the files that an authority or these servers would get is there.
    ///
    /// # Errors
    /// The first file that is.
    pub fn check_empty<'a>(&self, servers: impl Iterator<Item = &'a str>) -> Result<(), TlsError> {
        let mut paths = [
            self.trusted(),
            self.authority_certificate(),
            self.authority_key(),
        ]
        .into_iter();
        if let Some(there) = paths.find(|path| path.symlink_metadata().is_ok()) {
            return Err(TlsError::Exists(there));
        }
        for server in servers {
            self.check_free(server)?;
        }
        Ok(())
    }

    /// Refuses to go on if the certificate or key of this name is there.
    ///
    /// # Errors
    /// The file that is.
    pub fn check_free(&self, name: &str) -> Result<(), TlsError> {
        let mut paths = [self.certificate(name), self.key(name)].into_iter();
        match paths.find(|path| path.symlink_metadata().is_ok()) {
            Some(there) => Err(TlsError::Exists(there)),
            None => Ok(()),
        }
    }

    /// Whether a server has neither certificate nor key.
    #[must_use]
    pub fn lacks(&self, server: &str) -> bool {
        !self.certificate(server).exists() && !self.key(server).exists()
    }

    /// Writes the authority that signs from now on.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_authority(&self, authority: &Authority) -> Result<(), TlsError> {
        make_folder(&self.signing())?;
        // The key last: with it the authority is complete.
        replace(
            &self.authority_certificate(),
            authority.certificate_pem(),
            self.synced,
        )?;
        replace(&self.authority_key(), &authority.key_pem(), self.synced)
    }

    /// The authority that signs.
    ///
    /// # Errors
    /// If there is none, or it cannot be used.
    pub fn read_authority(&self) -> Result<Authority, TlsError> {
        let certificate = Pem::read(&self.authority_certificate())?;
        let key = Pem::read(&self.authority_key())?;
        Authority::from_pem(&certificate, &key)
    }

    /// Writes a server's certificate and key.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn write_server(&self, server: &str, issued: &Issued) -> Result<(), TlsError> {
        replace(&self.key(server), &issued.key_pem, self.synced)?;
        replace(
            &self.certificate(server),
            &issued.certificate_pem,
            self.synced,
        )
    }

    /// Trusts this authority, beside those before if `others_too`.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn trust(&self, authority: &Authority, others_too: bool) -> Result<(), TlsError> {
        let mut text = authority.certificate_pem().to_owned();
        if others_too {
            match Pem::read(&self.trusted()) {
                Ok(before) => text.push_str(&String::from_utf8_lossy(&before.bytes)),
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        replace(&self.trusted(), &text, self.synced)
    }

    /// Whether this authority has signed the certificate of a server.
    ///
    /// # Errors
    /// If one of the two cannot be used.
    pub fn is_signed_by(
        &self,
        server: &str,
        authority: &Authority,
        now_s: i64,
    ) -> Result<bool, TlsError> {
        let trust = Trust::new(&authority.certificate(), now_s)?;
        match Pem::read(&self.certificate(server)) {
            Ok(pem) => Ok(trust
                .check(Side::Dialled, &pem.certificates()?, now_s)
                .is_ok()),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The statements of a server's certificate; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn facts(&self, server: &str) -> Result<Option<CertificateFacts>, TlsError> {
        facts(&self.certificate(server)).map(|all| all.and_then(|all| all.into_iter().next()))
    }

    /// The statements of the trusted authorities, the newest first.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn trusted_facts(&self) -> Result<Vec<CertificateFacts>, TlsError> {
        facts(&self.trusted()).map(Option::unwrap_or_default)
    }

    /// Writes certificates of an authority that is thrown away at once, for all servers of a herd.
    ///
    /// # Errors
    /// If one cannot be made or written.
    pub fn write_throw_away<'a>(
        &self,
        cluster: &str,
        servers: impl Iterator<Item = &'a str>,
        now_s: i64,
    ) -> Result<(), TlsError> {
        let authority = Authority::make(cluster, now_s, THROW_AWAY_DAYS)?;
        let folder = CertificateFolder {
            path: self.path.clone(),
            synced: false,
        };
        folder.make()?;
        for server in servers {
            let name = LinkName::new(cluster, server);
            let issued = authority.issue(&name, &[], now_s, THROW_AWAY_DAYS)?;
            folder.write_server(server, &issued)?;
        }
        folder.trust(&authority, false)
    }
}

fn facts(path: &Path) -> Result<Option<Vec<CertificateFacts>>, TlsError> {
    let pem = match Pem::read(path) {
        Ok(pem) => pem,
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut all = Vec::new();
    for certificate in pem.certificates()? {
        let facts = CertificateFacts::of(&certificate);
        all.push(facts.ok_or_else(|| TlsError::Malformed(pem.origin.clone()))?);
    }
    Ok(Some(all))
}

fn make_folder(path: &Path) -> Result<(), TlsError> {
    let made = own_file::create_folder(path, FOLDER_MODE);
    made.map_err(|source| TlsError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Replaces a file, at once and whole.
fn replace(path: &Path, text: &str, synced: bool) -> Result<(), TlsError> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let write = || -> io::Result<()> {
        // One that an end in between has left behind.
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(FILE_MODE);
        let mut file = options.open(&draft)?;
        file.write_all(text.as_bytes())?;
        if synced {
            file.sync_all()?;
        }
        fs::rename(&draft, path)?;
        if synced {
            own_file::sync_name(path)?;
        }
        Ok(())
    };
    write().map_err(|source| TlsError::Write {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
