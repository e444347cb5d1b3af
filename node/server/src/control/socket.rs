//! The socket's file: no other user can open it, and it is gone when the server is.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixListener;

/// A user who may open the socket may read and write all records.
const SOCKET_MODE: u32 = 0o600;

/// Connections that the system holds until they are accepted.
const BACKLOG: i32 = 16;

/// Why there can be no control socket. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ControlSocketError {
    /// A process listens there.
    #[error(
        "another process listens on the control socket {}; stop it, or set another control_socket",
        .0.display()
    )]
    Taken(PathBuf),
    /// A file that is no socket.
    #[error(
        "{} is in the way of the control socket and is no socket; move it away, or set another \
         control_socket",
        .0.display()
    )]
    InTheWay(PathBuf),
    /// The system refuses.
    #[error("cannot make the control socket {}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The control socket of this process. Its file is removed when this is dropped.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the file: another process may have replaced it.
    identity: (u64, u64),
}

impl ControlSocket {
    /// Makes the socket at `path`, in place of a socket whose process is gone. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// If a process listens there, or the file cannot be made.
    pub fn bind(path: &Path) -> Result<Self, ControlSocketError> {
        let fault = |source| ControlSocketError::Io {
            path: path.to_owned(),
            source,
        };
        remove_stale(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(fault)?;
        let address = SockAddr::unix(path).map_err(fault)?;
        socket.bind(&address).map_err(fault)?;
        // No client can connect before it listens, so none can before the mode is right.
        let listening = listen(socket, path);
        if listening.is_err() {
            // The first error is the one to tell.
            let _ = fs::remove_file(path);
        }
        let (listener, identity) = listening.map_err(fault)?;
        Ok(ControlSocket {
            listener,
            path: path.to_owned(),
            identity,
        })
    }

    /// The listener behind it.
    #[must_use]
    pub fn listener(&self) -> &UnixListener {
        &self.listener
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // A file that stays behind is replaced by the next process.
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn listen(socket: Socket, path: &Path) -> io::Result<(UnixListener, (u64, u64))> {
    fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    let listener = UnixListener::from_std(StdListener::from(socket))?;
    Ok((listener, identity(path)?))
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Connects, and does not wait for a process that accepts no connection.
fn knock(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}

/// Removes the socket of a process that is gone.
fn remove_stale(path: &Path) -> Result<(), ControlSocketError> {
    let fault = |source| ControlSocketError::Io {
        path: path.to_owned(),
        source,
    };
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fault(error)),
    };
    if !metadata.file_type().is_socket() {
        return Err(ControlSocketError::InTheWay(path.to_owned()));
    }
    match knock(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(fault)
        }
        // It went away just now.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A process that has no room, or refuses this user, is alive.
        Ok(_) | Err(_) => Err(ControlSocketError::Taken(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[tokio::test]
    async fn only_its_owner_can_open_it_and_it_goes_with_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let socket = ControlSocket::bind(&path).unwrap();
        let metadata = fs::symlink_metadata(&path).unwrap();
        assert!(metadata.file_type().is_socket());
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        UnixStream::connect(&path).unwrap();
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        // Closed without a word, as by a process that was killed.
        drop(StdListener::bind(&path).unwrap());
        assert!(path.exists());
        let first = ControlSocket::bind(&path).unwrap();
        let second = ControlSocket::bind(&path);
        assert!(
            matches!(second, Err(ControlSocketError::Taken(_))),
            "{second:?}"
        );
        UnixStream::connect(&path).unwrap();
        drop(first);
        ControlSocket::bind(&path).unwrap();
    }

    #[tokio::test]
    async fn another_file_is_never_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        fs::write(&path, "precious").unwrap();
        let bound = ControlSocket::bind(&path);
        assert!(
            matches!(bound, Err(ControlSocketError::InTheWay(_))),
            "{bound:?}"
        );
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[tokio::test]
    async fn the_file_of_a_successor_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let socket = ControlSocket::bind(&path).unwrap();
        fs::rename(&path, folder.path().join("away")).unwrap();
        let successor = ControlSocket::bind(&path).unwrap();
        drop(socket);
        UnixStream::connect(&path).unwrap();
        drop(successor);
    }
}
