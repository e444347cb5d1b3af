//! Files of this program's own, at paths that others may be able to write beside: how they are opened and kept.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::fcntl::OFlag;

/// Options that follow no symbolic link at the end of a path: a file that this program writes is in its place itself.
/// Opening a link fails with `ELOOP`.
#[must_use]
pub(crate) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags(OFlag::O_NOFOLLOW.bits());
    options
}

/// Reads a regular file of at most `bytes_max` bytes; of a larger one that many bytes and one more. Never waits for
/// anything but the disk: a FIFO or a device in its place is an error.
///
/// # Errors
/// What the system says, or that it is no regular file.
pub(crate) fn read_regular(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    // Without O_NONBLOCK, opening a FIFO waits for a writer.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
        .open(path)?;
    if !file.metadata()?.is_file() {
        let reason = "it is not a regular file, but a folder, a FIFO or a device";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Makes a folder with this mode, and those that it is in. Their names are on the disk when this returns, that of a folder
/// that was there too: whoever made it may have been killed before.
///
/// # Errors
/// What the system says.
pub(crate) fn create_folder(path: &Path, mode: u32) -> io::Result<()> {
    create_folder_with(path, mode, sync_folder)
}

fn create_folder_with(
    path: &Path,
    mode: u32,
    mut sync: impl FnMut(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let is_new = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let new = path.ancestors().take_while(is_new).count();
    DirBuilder::new().recursive(true).mode(mode).create(path)?;
    // From the outermost on: a name in a folder that is lost would be lost with it.
    let mut named: Vec<&Path> = path.ancestors().take(new.max(1)).collect();
    named.reverse();
    for made in named {
        match sync(folder_of(made)) {
            // A folder whose names this user may not list, as it is another user's; or one of a file system that syncs
            // no folders.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::PermissionDenied
                        | io::ErrorKind::InvalidInput
                        | io::ErrorKind::Unsupported
                        | io::ErrorKind::ReadOnlyFilesystem
                ) => {}
            synced => synced?,
        }
    }
    Ok(())
}

/// Waits until the names in a folder are on the disk.
///
/// # Errors
/// What the system says.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Waits until the name of a file or folder is on the disk.
///
/// # Errors
/// What the system says.
pub(crate) fn sync_name(path: &Path) -> io::Result<()> {
    sync_folder(folder_of(path))
}

/// The folder in which a name is.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if *folder != *Path::new("") => folder,
        Some(_) => Path::new("."),
        // The root is in no folder but itself.
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    #[test]
    fn the_names_of_new_folders_are_synced_from_the_outermost_on() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b/c");
        let synced = || {
            let mut synced = Vec::new();
            let note = |folder: &Path| {
                synced.push(folder.strip_prefix(parent.path()).unwrap().to_owned());
                Ok(())
            };
            create_folder_with(&path, 0o700, note).unwrap();
            synced
        };
        assert_eq!(synced(), ["", "a", "a/b"].map(Path::new));
        assert!(path.is_dir());
        assert_eq!(synced(), [Path::new("a/b")], "it was there");
    }

    #[test]
    fn a_folder_without_a_path_is_in_the_current_one() {
        assert_eq!(folder_of(Path::new("herd-data")), Path::new("."));
        assert_eq!(folder_of(Path::new("/")), Path::new("/"));
        assert_eq!(folder_of(Path::new("/a/b")), Path::new("/a"));
    }

    #[test]
    fn only_regular_files_are_read_and_none_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "1234").unwrap();
        assert_eq!(read_regular(&file, 4).unwrap(), b"1234");
        assert_eq!(read_regular(&file, 2).unwrap(), b"123");
        let fifo = folder.path().join("fifo");
        mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        for other in [&*fifo, folder.path(), Path::new("/dev/zero")] {
            let error = read_regular(other, 4).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{other:?}");
        }
    }
}
