//! Which server to talk to.

use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::ControlError;
use herd_server::control::SOCKET_FILE;
use herd_server::settings::{Command, DATA_DIR, Environment, Flags, Resolver, Setting};

/// Folders of servers that are looked at.
const FOLDERS_MAX: usize = 10_000;

/// Where to look.
#[derive(Debug, PartialEq, Eq)]
enum SocketSource {
    Socket(PathBuf),
    Folder(PathBuf),
}

/// The place that the settings name. A flag for the folder wins over a variable for the socket.
fn place(flags: &Flags, environment: &Environment) -> SocketSource {
    let resolver = Resolver::new(Command::Dump, flags, environment);
    match resolver.first_of([Setting::ControlSocket, Setting::DataDir]) {
        Some((Setting::ControlSocket, given)) => SocketSource::Socket(given.text.into()),
        Some((_, given)) => SocketSource::Folder(given.text.into()),
        None => SocketSource::Folder(DATA_DIR.into()),
    }
}

/// Connects to the chosen server, and returns the path of its socket too.
///
/// # Errors
/// If there is none, with advice.
pub(super) fn connect(
    flags: &Flags,
    environment: &Environment,
) -> Result<(UnixStream, PathBuf), ControlError> {
    match place(flags, environment) {
        SocketSource::Socket(path) => match UnixStream::connect(&path) {
            Ok(stream) => Ok((stream, path)),
            Err(error) => Err(ControlError::NotFound(cannot_connect(&path, &error))),
        },
        SocketSource::Folder(folder) => connect_in(&folder),
    }
}

/// Connects to the server that variables name, as in the environment of a server itself; nothing if they name none that
/// runs.
pub(in crate::commands) fn connect_to_own(environment: &Environment) -> Option<UnixStream> {
    let flags = Flags::new([]);
    let resolver = Resolver::new(Command::Dump, &flags, environment);
    resolver.first_of([Setting::ControlSocket, Setting::DataDir])?;
    let (stream, _) = connect(&flags, environment).ok()?;
    Some(stream)
}

fn cannot_connect(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => format!(
            "there is no control socket {path}; is the server running, with --control-socket?"
        ),
        io::ErrorKind::ConnectionRefused => {
            format!("no server listens on {path} any more; start it again")
        }
        io::ErrorKind::PermissionDenied => {
            format!("{path} belongs to another user; run this as the user of the server")
        }
        _ => format!("cannot connect to {path}: {error}"),
    }
}

/// The server of this folder, or the first that runs of those in it.
fn connect_in(folder: &Path) -> Result<(UnixStream, PathBuf), ControlError> {
    let mut last = None;
    for path in sockets_in(folder) {
        match UnixStream::connect(&path) {
            Ok(stream) => return Ok((stream, path)),
            Err(error) => last = Some(cannot_connect(&path, &error)),
        }
    }
    Err(ControlError::NotFound(last.unwrap_or_else(|| {
        format!(
            "there is no control socket in {}; name the data folder of a running server or of \
             `herd local` with --data-dir, or its socket with --control-socket",
            folder.display()
        )
    })))
}

/// The socket in the folder itself, then those in the folders in it, by name.
fn sockets_in(folder: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut inner: Vec<PathBuf> = folders
        .take(FOLDERS_MAX)
        .map(|entry| entry.path())
        .collect();
    inner.sort();
    std::iter::once(folder.to_owned())
        .chain(inner)
        .map(|folder| folder.join(SOCKET_FILE))
        .filter(|path| path.symlink_metadata().is_ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn place(
        socket: Option<&str>,
        folder: Option<&str>,
        variables: &[(&str, &str)],
    ) -> SocketSource {
        let flags = Flags::new([
            (Setting::ControlSocket, socket.map(str::to_owned)),
            (Setting::DataDir, folder.map(str::to_owned)),
        ]);
        let variables = variables
            .iter()
            .map(|&(name, value)| (name.into(), value.into()));
        super::place(&flags, &Environment::new(variables))
    }

    #[test]
    fn options_win_over_variables_and_a_socket_over_a_folder() {
        let socket = |path: &str| SocketSource::Socket(path.into());
        let folder = |path: &str| SocketSource::Folder(path.into());
        let both = [("HERD_CONTROL_SOCKET", "s"), ("HERD_DATA_DIR", "d")];
        assert_eq!(place(None, None, &[]), folder("herd-data"));
        assert_eq!(place(None, None, &both), socket("s"));
        assert_eq!(place(None, None, &both[1..]), folder("d"));
        assert_eq!(place(None, Some("x"), &both), folder("x"));
        assert_eq!(place(Some("x"), None, &both), socket("x"));
    }

    #[test]
    fn the_first_server_that_runs_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let none = connect_in(path).unwrap_err().to_string();
        assert!(none.contains("there is no control socket in "), "{none}");
        for name in ["a", "b", "c"] {
            fs::create_dir(path.join(name)).unwrap();
        }
        fs::write(path.join("lock"), "").unwrap();
        let at = |name: &str| path.join(name).join(SOCKET_FILE);
        drop(UnixListener::bind(at("a")).unwrap());
        let gone = connect_in(path).unwrap_err().to_string();
        assert!(gone.contains("no server listens on "), "{gone}");
        let _c = UnixListener::bind(at("c")).unwrap();
        assert_eq!(connect_in(path).unwrap().1, at("c"));
        let _b = UnixListener::bind(at("b")).unwrap();
        assert_eq!(connect_in(path).unwrap().1, at("b"));
        assert_eq!(connect_in(&path.join("c")).unwrap().1, at("c"));
    }
}
