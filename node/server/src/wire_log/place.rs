//! Where the wire log is: one file, and a second one with the lines before it once that is full.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::line_queue::LineWriter;
use herd_files::own_file;

/// Only the owner may read positions.
pub(super) const FILE_MODE: u32 = 0o600;

/// The file with the lines before those of the wire log at `path`. Its name is none that logrotate uses.
#[must_use]
pub fn rotated(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".old");
    name.into()
}

/// See the module.
#[derive(Debug)]
pub(super) struct LogPlace {
    path: PathBuf,
    /// The most bytes of one of the two files; `None` for no bound.
    file_bytes_max: Option<u64>,
    /// Device and inode of the open file; `None` of a pipe or a device, which is neither full nor moved away.
    identity: Option<(u64, u64)>,
    /// The bytes in the open file.
    bytes: u64,
}

impl LogPlace {
    /// Opens the file at its end, for this user alone if it is new. Both files together get at most `bytes_max`.
    pub(super) fn open(
        path: &Path,
        bytes_max: Option<u64>,
    ) -> io::Result<(Self, LineWriter<File>)> {
        let mut place = LogPlace {
            path: path.to_owned(),
            file_bytes_max: bytes_max.map(|bytes| bytes / 2),
            identity: None,
            bytes: 0,
        };
        let out = place.reopen()?;
        Ok((place, out))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file for the next `bytes`, if it is another than the one in use: because somebody `asked`, because the one in
    /// use was moved away, or because it is full.
    ///
    /// # Errors
    /// If it cannot be had; the one in use stays in use.
    pub(super) fn renewed(
        &mut self,
        bytes: usize,
        asked: bool,
    ) -> io::Result<Option<LineWriter<File>>> {
        let bytes = bytes as u64;
        let is_full = self.is_full(bytes);
        if is_full {
            // If it fails, it is tried again when as much more was written.
            self.bytes = 0;
            fs::rename(&self.path, rotated(&self.path))?;
        }
        let out = if asked || is_full || self.was_moved() {
            Some(self.reopen()?)
        } else {
            None
        };
        Ok(out)
    }

    /// Counts bytes that the disk took.
    pub(super) fn count(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    fn is_full(&self, more_bytes: u64) -> bool {
        let max = self.file_bytes_max.filter(|_| self.identity.is_some());
        // What was moved away is not to take the place of the second file.
        max.is_some_and(|max| self.bytes > 0 && self.bytes + more_bytes > max) && !self.was_moved()
    }

    fn was_moved(&self) -> bool {
        let Some(open) = self.identity else {
            return false;
        };
        match fs::symlink_metadata(&self.path) {
            Ok(found) => (found.dev(), found.ino()) != open,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    fn reopen(&mut self) -> io::Result<LineWriter<File>> {
        let mut options = if is_own_output(&self.path) {
            OpenOptions::new()
        } else {
            own_file::options()
        };
        let mut file = options
            .read(true)
            .append(true)
            .create(true)
            .mode(FILE_MODE)
            .open(&self.path)?;
        let torn = ends_inside_a_line(&mut file)?;
        let metadata = file.metadata()?;
        let is_file = metadata.is_file();
        self.identity = is_file.then(|| (metadata.dev(), metadata.ino()));
        self.bytes = if is_file { metadata.len() } else { 0 };
        Ok(LineWriter::new(file, torn))
    }
}

/// Whether it names an open file of this process. Only the system makes these names, and they are links: in a container,
/// to the pipe of its log.
fn is_own_output(path: &Path) -> bool {
    let name = path.as_os_str().as_encoded_bytes();
    let number = name.strip_prefix(b"/dev/fd/");
    let is_number = |number: &[u8]| !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    matches!(name, b"/dev/stdout" | b"/dev/stderr") || number.is_some_and(is_number)
}

/// Whether an earlier run was cut off in the middle of a line.
fn ends_inside_a_line(file: &mut File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a line of 10 bytes.
    fn write(place: &mut LogPlace, out: &mut LineWriter<File>, letter: char) {
        let line = format!("{}\n", letter.to_string().repeat(9));
        if let Some(renewed) = place.renewed(line.len(), false).unwrap() {
            *out = renewed;
        }
        assert!(out.write_lines(line.as_bytes()).is_ok());
        place.count(line.len() as u64);
    }

    fn letters(path: &Path) -> String {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| &line[..1]).collect()
    }

    #[test]
    fn two_files_hold_the_last_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let (mut place, mut out) = LogPlace::open(&path, Some(60)).unwrap();
        for letter in 'a'..='h' {
            write(&mut place, &mut out, letter);
        }
        assert_eq!(
            (letters(&rotated(&path)), letters(&path)),
            ("def".into(), "gh".into())
        );
        // The next process goes on where this one was.
        let (mut place, mut out) = LogPlace::open(&path, Some(60)).unwrap();
        for letter in 'i'..='j' {
            write(&mut place, &mut out, letter);
        }
        assert_eq!(
            (letters(&rotated(&path)), letters(&path)),
            ("ghi".into(), "j".into())
        );
    }

    #[test]
    fn a_file_that_was_moved_away_is_made_anew_and_none_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("log"), folder.path().join("moved"));
        let (mut place, mut out) = LogPlace::open(&path, Some(60)).unwrap();
        for letter in 'a'..='c' {
            write(&mut place, &mut out, letter);
        }
        fs::rename(&path, &moved).unwrap();
        write(&mut place, &mut out, 'd');
        assert_eq!(
            (letters(&moved), letters(&path)),
            ("abc".into(), "d".into())
        );
        fs::remove_file(&path).unwrap();
        write(&mut place, &mut out, 'e');
        assert_eq!(letters(&path), "e");
        assert!(!rotated(&path).exists());
    }

    #[test]
    fn what_the_disk_refused_replaces_no_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let (mut place, mut out) = LogPlace::open(&path, Some(60)).unwrap();
        for letter in 'a'..='d' {
            write(&mut place, &mut out, letter);
        }
        for _ in 0..10 {
            assert!(place.renewed(10, false).unwrap().is_none());
        }
        assert_eq!(
            (letters(&rotated(&path)), letters(&path)),
            ("abc".into(), "d".into())
        );
    }

    #[test]
    fn links_to_open_files_of_the_process_are_allowed_and_no_others() {
        for path in ["/dev/stdout", "/dev/stderr", "/dev/fd/1"] {
            assert!(is_own_output(Path::new(path)), "{path}");
        }
        for path in [
            "/dev/shm/log",
            "/dev/../tmp/log",
            "/dev/fd/../../tmp/log",
            "/dev/fd/",
            "log",
        ] {
            assert!(!is_own_output(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn without_a_bound_there_is_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let (mut place, mut out) = LogPlace::open(&path, None).unwrap();
        for letter in 'a'..='h' {
            write(&mut place, &mut out, letter);
        }
        assert_eq!(letters(&path), "abcdefgh");
    }
}
