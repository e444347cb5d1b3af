//! A wall clock that a test sets, for real processes: libfaketime.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::rights::required;

/// Makes a missing library a failure.
const REQUIRE: &str = "HERD_REQUIRE_FAKETIME";

/// Where Debian and others put it, besides folders that are named after the machine's architecture.
const FOLDERS: [&str; 3] = [
    "/usr/lib/faketime",
    "/usr/lib64/faketime",
    "/usr/local/lib/faketime",
];

const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// The clock of processes that are started with [`FakeClock::environment`].
#[derive(Debug)]
pub struct FakeClock {
    library: PathBuf,
    file: PathBuf,
}

impl FakeClock {
    /// Whether clocks can be set here. Prints it if not, even where the test runner hides the output of tests that
    /// pass; with `HERD_REQUIRE_FAKETIME=1` it fails the test instead.
    pub fn can_be_had() -> bool {
        if library().is_some() {
            return true;
        }
        if required(REQUIRE) {
            panic!("there is no libfaketime, and {REQUIRE}=1 says that there must be");
        }
        let _ = writeln!(
            std::io::stderr(),
            "left out: clocks that jump, there is no libfaketime (Debian: faketime)"
        );
        false
    }

    /// A clock that is right, kept in this file.
    pub fn new(file: &Path) -> FakeClock {
        let Some(library) = library() else {
            panic!("there is no libfaketime");
        };
        let clock = FakeClock {
            library,
            file: file.to_owned(),
        };
        clock.set(0);
        clock
    }

    /// Sets it so far from the true time, in seconds.
    pub fn set(&self, ahead_s: i64) {
        let new = self.file.with_extension("new");
        let text = format!("{ahead_s:+}s\n");
        // At once, for processes read it all the time.
        let written = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &self.file));
        if let Err(error) = written {
            panic!("cannot set the clock {}: {error}", self.file.display());
        }
    }

    /// Variables of a process that has this clock. Its monotonic clock is the machine's.
    pub fn environment(&self) -> Vec<(String, String)> {
        let variables = [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ];
        variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

fn library() -> Option<PathBuf> {
    let of_architecture = std::fs::read_dir("/usr/lib").ok()?.flatten();
    let mut folders: Vec<PathBuf> = of_architecture.map(|entry| entry.path()).collect();
    folders.sort();
    let known = FOLDERS.map(|folder| Path::new(folder).join("libfaketimeMT.so.1"));
    folders
        .into_iter()
        .map(|folder| folder.join(LIBRARY))
        .chain(known)
        .find(|file| file.is_file())
}
