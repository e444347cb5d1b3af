//! Files, folders and sockets.

use std::path::{Path, PathBuf};

use super::Kind;
use crate::control;

/// A file or folder of a kind.
pub(in crate::settings) struct PathTo(pub(in crate::settings) &'static str);

impl Kind for PathTo {
    type Value = PathBuf;

    fn parse(&self, text: &str) -> Result<PathBuf, String> {
        Ok(PathBuf::from(text))
    }

    fn show(&self, value: &PathBuf) -> String {
        value.display().to_string()
    }

    fn unit(&self) -> String {
        self.0.to_owned()
    }
}

/// A file to append to, which may not be there yet; its folder must be.
pub(in crate::settings) struct FileToAppend;

impl Kind for FileToAppend {
    type Value = PathBuf;

    fn parse(&self, text: &str) -> Result<PathBuf, String> {
        file_in_folder(text)
    }

    fn show(&self, value: &PathBuf) -> String {
        value.display().to_string()
    }

    fn unit(&self) -> String {
        "FILE".to_owned()
    }
}

/// A Unix domain socket, which may not be there yet; its folder must be.
pub(in crate::settings) struct Socket;

impl Kind for Socket {
    type Value = PathBuf;

    fn parse(&self, text: &str) -> Result<PathBuf, String> {
        let path = file_in_folder(text)?;
        if control::is_too_long(&path) {
            return Err(format!(
                "is longer than the {} bytes that the system takes for a socket",
                control::SOCKET_PATH_BYTES_MAX
            ));
        }
        Ok(path)
    }

    fn show(&self, value: &PathBuf) -> String {
        value.display().to_string()
    }

    fn unit(&self) -> String {
        "FILE".to_owned()
    }
}

/// A path whose folder is there.
fn file_in_folder(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() {
        return Err("is a folder, not a file".to_owned());
    }
    let folder = match path.parent() {
        Some(parent) if *parent != *Path::new("") => parent,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(format!(
            "cannot be written: there is no folder {}",
            folder.display()
        ));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_have_short_paths() {
        let folder = tempfile::tempdir().unwrap();
        let start = format!("{}/", folder.path().display());
        let fits = start.clone() + &"s".repeat(control::SOCKET_PATH_BYTES_MAX - start.len());
        assert_eq!(Socket.parse(&fits), Ok(PathBuf::from(&fits)));
        assert_eq!(
            Socket.parse(&(fits + "s")),
            Err("is longer than the 107 bytes that the system takes for a socket".to_owned())
        );
        assert_eq!(
            Socket.parse(&start),
            Err("is a folder, not a file".to_owned())
        );
        assert!(
            Socket
                .parse("/nonexistent/s")
                .unwrap_err()
                .contains("no folder")
        );
    }
}
