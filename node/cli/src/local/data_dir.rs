//! The folder of the servers' files, held by one herd at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::LocalError;
use herd_files::own_file;
use herd_server::config::data_folder_name;
use herd_server::wire_log::rotated;
use herd_tls::folder::CertificateFolder;
use herd_topology::Topology;

/// Reports of clients are private.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A folder that is locked for as long as this lives.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the folder if it is not there, locks it, and writes the topology into it.
    pub(super) fn open(path: &Path, topology: &Topology) -> Result<Self, LocalError> {
        let fault = |path: &Path, source: io::Error| LocalError::DataDir {
            path: path.to_owned(),
            source,
        };
        let made = own_file::create_folder(path, FOLDER_MODE);
        made.map_err(|source| fault(path, source))?;
        // Servers may be started again by hand from another folder.
        let path = fs::canonicalize(path).map_err(|source| fault(path, source))?;
        let lock_path = path.join("lock");
        let lock = create(&lock_path, false).map_err(|source| fault(&lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LocalError::DataDirTaken(path)),
            Err(TryLockError::Error(source)) => return Err(fault(&lock_path, source)),
        }
        let folder = DataDir { path, _lock: lock };
        let topology_path = folder.topology();
        create(&topology_path, true)
            .and_then(|mut file| file.write_all(topology.to_string().as_bytes()))
            .map_err(|source| fault(&topology_path, source))?;
        Ok(folder)
    }

    /// Removes the data, the logs and the wire logs of these servers, so that they begin anew.
    ///
    /// # Errors
    /// The first file or folder that cannot be removed; some of them may be gone.
    pub(super) fn clear(&self, topology: &Topology) -> Result<(), LocalError> {
        for server in topology.servers() {
            let name = &*server.name;
            let wire_log = self.wire_log(name);
            let files = [self.log(name), rotated(&wire_log), wire_log];
            let removed = files.map(|path| (fs::remove_file(&path), path));
            let folder = self.of_server(name);
            let folder = (fs::remove_dir_all(&folder), folder);
            for (removed, path) in removed.into_iter().chain([folder]) {
                match removed {
                    Err(source) if source.kind() != io::ErrorKind::NotFound => {
                        return Err(LocalError::NotFresh { path, source });
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The topology that the servers read.
    pub(super) fn topology(&self) -> PathBuf {
        self.path.join("topology")
    }

    /// The certificates of links, beside the topology, where `herd serve` looks for them.
    pub(super) fn certificates(&self) -> PathBuf {
        CertificateFolder::beside(&self.topology())
    }

    /// Where a server writes every line in and out. Names of servers are safe in a path.
    pub(super) fn wire_log(&self, server: &str) -> PathBuf {
        self.path.join(format!("{server}.wire.log"))
    }

    /// The folder of one server alone. No other file here can have this name.
    pub(super) fn of_server(&self, server: &str) -> PathBuf {
        self.path.join(data_folder_name(server))
    }

    /// The file that gets a server's log lines.
    pub(super) fn log(&self, server: &str) -> PathBuf {
        self.path.join(format!("{server}.log"))
    }
}

fn create(path: &Path, truncate: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(truncate);
    own_file::open_regular(options.mode(FILE_MODE), path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use herd_topology::PortBases;

    #[test]
    fn a_data_folder_is_private_and_has_one_herd() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let herd = herd_topology::builtin(PortBases::default());
        let folder = DataDir::open(&path, &herd).unwrap();
        assert_eq!(herd_topology::read(&folder.topology()).unwrap(), herd);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&folder.topology())), (0o700, 0o600));
        let second = DataDir::open(&path, &herd);
        assert!(
            matches!(second, Err(LocalError::DataDirTaken(_))),
            "{second:?}"
        );
        drop(folder);
        DataDir::open(&path, &herd).unwrap();
    }

    #[test]
    fn a_fresh_herd_finds_nothing_from_before() {
        let parent = tempfile::tempdir().unwrap();
        let herd = herd_topology::builtin(PortBases::default());
        let folder = DataDir::open(parent.path(), &herd).unwrap();
        folder.clear(&herd).unwrap();
        fs::create_dir(folder.of_server("Hill")).unwrap();
        for path in [
            folder.of_server("Hill").join("store"),
            folder.log("Smith"),
            folder.wire_log("Smith"),
        ] {
            fs::write(path, "old").unwrap();
        }
        fs::write(folder.path().join("mine"), "precious").unwrap();
        folder.clear(&herd).unwrap();
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["lock", "mine", "topology"]);
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let herd = herd_topology::builtin(PortBases::default());
        let error = DataDir::open(&file.path().join("x"), &herd).unwrap_err();
        let start = format!("cannot write to {}", file.path().display());
        assert!(error.to_string().starts_with(&start), "{error}");
    }
}
