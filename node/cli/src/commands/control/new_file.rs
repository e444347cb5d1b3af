//! A file that is there as a whole or not at all, and replaces no other.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use herd_files::own_file;

/// Reports of clients are private.
const FILE_MODE: u32 = 0o600;

/// A file that is being written beside its place. Without [`NewFile::finish`] nothing is left of it.
#[derive(Debug)]
pub(super) struct NewFile {
    path: PathBuf,
    partial: PathBuf,
    writer: BufWriter<File>,
}

impl NewFile {
    /// Begins a file that is to be `path`.
    ///
    /// # Errors
    /// If `path` is there already, or its folder cannot be written.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(is_there());
        }
        let mut partial = OsString::from(path);
        partial.push(format!(".{}.partial", std::process::id()));
        let partial = PathBuf::from(partial);
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(&partial)?;
        Ok(NewFile {
            path: path.to_owned(),
            partial,
            writer: BufWriter::new(file),
        })
    }

    /// Puts the whole file in its place, and on the disk.
    ///
    /// # Errors
    /// If it cannot be written, or there is a file now. Nothing is left of this one then.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.writer.flush()?;
        self.writer.get_ref().sync_all()?;
        // A link replaces no file; where there are no links, the look at the start has to do.
        match fs::hard_link(&self.partial, &self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(is_there()),
            Err(_) => fs::rename(&self.partial, &self.path)?,
        }
        own_file::sync_name(&self.path)
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // It may be gone, by its renaming.
        let _ = fs::remove_file(&self.partial);
    }
}

fn is_there() -> io::Error {
    io::Error::new(
        io::ErrorKind::AlreadyExists,
        "it is there already, and is left as it is; name another file",
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_there_as_a_whole_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump");
        let mut file = NewFile::create(&path).unwrap();
        file.write_all(b"all").unwrap();
        assert!(!path.exists());
        file.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"all");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn an_unfinished_file_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = NewFile::create(&folder.path().join("dump")).unwrap();
        file.write_all(b"some").unwrap();
        drop(file);
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn no_file_is_replaced_even_a_later_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump");
        let file = NewFile::create(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        let kind = |result: io::Result<()>| result.unwrap_err().kind();
        assert_eq!(kind(file.finish()), io::ErrorKind::AlreadyExists);
        let again = NewFile::create(&path).map(drop);
        assert_eq!(kind(again), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }
}
