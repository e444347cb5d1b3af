//! The file that gets one server's log lines as they are.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use super::LocalError;
use herd_files::own_file;

/// Reports of clients are private.
const FILE_MODE: u32 = 0o600;

/// The file, open at its end.
#[derive(Debug)]
pub(super) struct ServerLog {
    path: PathBuf,
    file: File,
}

impl ServerLog {
    /// Opens or makes it. Follows no symbolic link, and never blocks.
    pub(super) fn open(path: PathBuf) -> Result<Self, LocalError> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(FILE_MODE);
        match own_file::open_regular(&mut options, &path) {
            Ok(file) => Ok(ServerLog {
                path,
                file: File::from_std(file),
            }),
            Err(source) => Err(LocalError::DataDir { path, source }),
        }
    }

    /// Opens the file of the same path anew. If that fails the one before goes on.
    pub(super) fn reopen(&mut self) -> Result<(), LocalError> {
        *self = Self::open(self.path.clone())?;
        Ok(())
    }

    /// Appends bytes.
    pub(super) async fn append(&mut self, bytes: &[u8]) -> Result<(), LocalError> {
        let written = async {
            self.file.write_all(bytes).await?;
            // Without it, an error would show up with the next write only.
            self.file.flush().await
        };
        let written = written.await;
        written.map_err(|source| LocalError::DataDir {
            path: self.path.clone(),
            source,
        })
    }
}
