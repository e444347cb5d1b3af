//! The certificates of a herd on this machine: made at its start by an authority that is thrown away,
//! unless the user has made some.

use std::collections::BTreeMap;
use std::path::PathBuf;

use herd_clock::clock::{SystemClock, WallClock as _};
use herd_server::settings::Setting;
use herd_tls::TlsError;
use herd_tls::authority::{Authority, THROW_AWAY_DAYS};
use herd_tls::folder::CertificateFolder;
use herd_tls::name::LinkName;
use herd_topology::Topology;

/// Where servers find their certificates.
pub(super) enum Certificates {
    /// In this folder.
    Folder(PathBuf),
    /// Nowhere on disk: each server gets its own in its environment.
    Memory(BTreeMap<String, String>),
}

impl Certificates {
    /// Makes them in the folder for certificates, or in memory if there is no folder. Only keys of
    /// servers are written, not that of the authority.
    pub(super) fn make(topology: &Topology, folder: Option<PathBuf>) -> Result<Self, TlsError> {
        let now_s = SystemClock.now_ns().div_euclid(1_000_000_000);
        let servers = topology.servers().iter().map(|server| &*server.name);
        if let Some(path) = folder {
            let folder = CertificateFolder::new(&path);
            // Somebody has put an authority of their own there.
            if !folder.has_authority() {
                folder.write_throw_away(topology.cluster(), servers, now_s)?;
            }
            return Ok(Certificates::Folder(path));
        }
        let authority = Authority::make(topology.cluster(), now_s, THROW_AWAY_DAYS)?;
        let texts = servers.map(|server| {
            let name = LinkName::new(topology.cluster(), server);
            let issued = authority.issue(&name, &[], now_s, THROW_AWAY_DAYS)?;
            Ok((server.to_owned(), issued.with_authority(&authority)))
        });
        texts
            .collect::<Result<_, TlsError>>()
            .map(Certificates::Memory)
    }

    /// The flag that names the folder.
    pub(super) fn argument(&self) -> Option<(Setting, String)> {
        match self {
            Certificates::Folder(path) => {
                Some((Setting::LinksCerts, path.to_string_lossy().into_owned()))
            }
            Certificates::Memory(_) => None,
        }
    }

    /// The variable of a server that gets its certificate that way.
    pub(super) fn variable(&self, server: &str) -> Option<(Setting, String)> {
        match self {
            Certificates::Folder(_) => None,
            Certificates::Memory(texts) => {
                let text = texts.get(server)?.clone();
                Some((Setting::LinksCredentials, text))
            }
        }
    }
}
