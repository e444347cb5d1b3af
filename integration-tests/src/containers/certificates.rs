//! The replacement of the secret with the certificates of links.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::herd::herd_certs;

/// A folder made by `herd certs`, as the README of `k8s/` says, that the user of the pods can read.
#[derive(Debug)]
pub(super) struct Certificates(tempfile::TempDir);

impl Certificates {
    /// For all servers of a topology file.
    pub(super) fn make(topology: &Path) -> Certificates {
        let made = match tempfile::TempDir::with_prefix("herd-links-") {
            Ok(folder) => Certificates(folder),
            Err(error) => panic!("no folder for certificates: {error}"),
        };
        made.run("new", topology);
        made
    }

    /// For the servers of a topology file that have none yet.
    pub(super) fn add(&self, topology: &Path) {
        self.run("add", topology);
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, command: &str, topology: &Path) {
        herd_certs(command, topology, self.path());
        if let Err(error) = self.open_to_pods() {
            panic!("cannot give certificates to pods: {error}");
        }
    }

    /// Kubernetes does it by `fsGroup`.
    fn open_to_pods(&self) -> std::io::Result<()> {
        let permissions = |mode| std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.path(), permissions(0o755))?;
        for entry in self.path().read_dir()? {
            let path = entry?.path();
            if path.is_file() {
                std::fs::set_permissions(path, permissions(0o644))?;
            }
        }
        Ok(())
    }
}
