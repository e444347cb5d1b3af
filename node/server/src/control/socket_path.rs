//! Where the control socket is.

use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The name of the socket in a server's data folder.
pub const SOCKET_FILE: &str = "control.sock";

/// The longest path that the system takes for a socket, in bytes.
pub const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Whether there is a control socket, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketChoice {
    /// Neither it nor a data folder was set.
    Off,
    /// Here.
    At(PathBuf),
    /// It would be here by default, but the path is too long. The server goes on without.
    DefaultTooLong(PathBuf),
}

impl SocketChoice {
    /// Where the socket is unless something is set: in the data folder, if there is one.
    #[must_use]
    pub fn default_in(data_dir: Option<&Path>) -> Self {
        let Some(folder) = data_dir else {
            return SocketChoice::Off;
        };
        let path = folder.join(SOCKET_FILE);
        if is_too_long(&path) {
            SocketChoice::DefaultTooLong(path)
        } else {
            SocketChoice::At(path)
        }
    }
}

/// For the report of settings.
impl fmt::Display for SocketChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SocketChoice::Off => f.write_str("off"),
            SocketChoice::At(path) => path.display().fmt(f),
            SocketChoice::DefaultTooLong(path) => write!(
                f,
                "off: {} is longer than {SOCKET_PATH_BYTES_MAX} bytes",
                path.display()
            ),
        }
    }
}

/// Whether the system takes no socket with this path.
pub(crate) fn is_too_long(path: &Path) -> bool {
    path.as_os_str().as_bytes().len() > SOCKET_PATH_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_in_the_data_folder_if_it_fits() {
        assert_eq!(SocketChoice::default_in(None), SocketChoice::Off);
        let folder = Path::new("/data");
        let path = folder.join(SOCKET_FILE);
        assert_eq!(
            SocketChoice::default_in(Some(folder)),
            SocketChoice::At(path)
        );
        let fits = "a".repeat(SOCKET_PATH_BYTES_MAX - SOCKET_FILE.len() - 1);
        let choice = SocketChoice::default_in(Some(Path::new(&fits)));
        assert!(matches!(choice, SocketChoice::At(_)), "{choice:?}");
        let long = format!("{fits}a");
        let choice = SocketChoice::default_in(Some(Path::new(&long)));
        assert!(
            matches!(choice, SocketChoice::DefaultTooLong(_)),
            "{choice:?}"
        );
    }
}
