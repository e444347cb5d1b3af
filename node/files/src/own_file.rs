//! Files of this program's own, at paths that others may be able to write beside: how they are opened and kept.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How long [`read_once`] waits for the writer of a FIFO or device.
const WRITER_WAIT_MAX: Duration = Duration::from_secs(5);
/// The bytes that are read of a FIFO or device at a time.
const PIECE_BYTES: usize = 16 * 1024;

/// Options that follow no symbolic link at the end of a path: a file that this program writes is in its place itself.
/// Opening a link fails with `ELOOP`.
#[must_use]
pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags(OFlag::O_NOFOLLOW.bits());
    options
}

/// Opens a file that this program writes, with these options, in its place itself: see [`options`]. Never waits for
/// anything but the disk: a FIFO or a device in its place is an error.
///
/// # Errors
/// The system's error, or that it is no regular file.
pub fn open_regular(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    // Without O_NONBLOCK, opening a FIFO waits for its other end.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    match options.custom_flags(flags.bits()).open(path) {
        // A FIFO that nobody reads.
        Err(error) if error.raw_os_error() == Some(Errno::ENXIO as i32) => Err(not_regular()),
        opened => regular(opened?),
    }
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(not_regular())
    }
}

fn not_regular() -> io::Error {
    let reason = "it is not a regular file, but a folder, a FIFO or a device";
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

/// Reads a regular file of at most `bytes_max` bytes; of a larger one that many bytes and one more. Never waits for
/// anything but the disk: a FIFO or a device in its place is an error.
///
/// # Errors
/// The system's error, or that it is no regular file.
pub fn read_regular(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    read_whole(regular(open_without_waiting(path)?)?, bytes_max)
}

/// Reads a file that is read once: a regular one, or the output of a FIFO or a device, such as that of `<(command)`.
/// Reads at most `bytes_max` bytes and one more. Waits for a writer, and for all its output, for `WRITER_WAIT_MAX` at
/// most.
///
/// # Errors
/// The system's error, or `TimedOut`.
pub fn read_once(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    read_once_within(path, bytes_max, WRITER_WAIT_MAX)
}

fn read_once_within(path: &Path, bytes_max: usize, wait_max: Duration) -> io::Result<Vec<u8>> {
    let mut file = open_without_waiting(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() || metadata.is_dir() {
        return read_whole(file, bytes_max);
    }
    let deadline = now() + wait_max;
    let (mut bytes, mut piece) = (Vec::new(), vec![0; PIECE_BYTES]);
    while bytes.len() <= bytes_max {
        if !is_readable(&file, deadline)? {
            let reason = format!("nobody wrote all of it within {wait_max:?}");
            return Err(io::Error::new(io::ErrorKind::TimedOut, reason));
        }
        match file.read(&mut piece) {
            Ok(0) => return Ok(bytes),
            Ok(count) => bytes.extend_from_slice(piece.get(..count).unwrap_or_default()),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(bytes_max + 1);
    Ok(bytes)
}

/// Waits until there is something to be read, the end included; says whether that was before `deadline`. A FIFO that
/// nobody has opened for writing yet has neither.
fn is_readable(file: &File, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(now());
        let millis = u16::try_from(left.as_millis()).unwrap_or(u16::MAX);
        let mut looked_at = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
        match poll(&mut looked_at, PollTimeout::from(millis)) {
            Ok(0) if deadline <= now() => return Ok(false),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// The machine's own clock, since the writer of a FIFO is another process.
#[expect(
    clippy::disallowed_methods,
    reason = "the system waits, whatever time a test is in"
)]
fn now() -> Instant {
    Instant::now()
}

/// Without O_NONBLOCK, opening a FIFO waits for a writer.
fn open_without_waiting(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
        .open(path)
}

fn read_whole(file: File, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take((bytes_max as u64).saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Makes a folder with this mode, and those that it is in. Their names are on the disk when this returns, that of a
/// folder that was there too: the process that made it may have been killed before.
///
/// # Errors
/// The system's error.
pub fn create_folder(path: &Path, mode: u32) -> io::Result<()> {
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
/// The system's error.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Waits until the name of a file or folder is on the disk.
///
/// # Errors
/// The system's error.
pub fn sync_name(path: &Path) -> io::Result<()> {
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
        let mut options = OpenOptions::new();
        let error = open_regular(options.write(true), &fifo).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "nobody reads it");
        let _reader = open_without_waiting(&fifo).unwrap();
        for other in [&*fifo, Path::new("/dev/null")] {
            let opened = open_regular(OpenOptions::new().write(true), other);
            let error = opened.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{other:?}");
        }
    }

    #[test]
    fn a_file_read_once_may_be_a_fifo_with_a_timely_writer() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "1234").unwrap();
        assert_eq!(read_once(&file, 4).unwrap(), b"1234");
        assert_eq!(read_once(&file, 2).unwrap(), b"123");
        assert!(read_once(folder.path(), 4).is_err());
        assert_eq!(read_once(Path::new("/dev/null"), 4).unwrap(), b"");
        assert_eq!(read_once(Path::new("/dev/zero"), 4).unwrap(), [0; 5]);

        let fifo = folder.path().join("fifo");
        mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        let long = vec![b'a'; 3 * PIECE_BYTES];
        let written = long.clone();
        let path = fifo.clone();
        let writer = std::thread::spawn(move || std::fs::write(path, written));
        assert_eq!(read_once(&fifo, long.len()).unwrap(), long);
        writer.join().unwrap().unwrap();
    }

    #[test]
    fn nobody_is_waited_for_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        let little = Duration::from_millis(50);
        let error = read_once_within(&fifo, 4, little).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // Somebody is there, and says neither all nor that it was all.
        let mut half = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&fifo)
            .unwrap();
        io::Write::write_all(&mut half, b"12").unwrap();
        let error = read_once_within(&fifo, 4, little).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
