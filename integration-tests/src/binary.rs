//! The `herd` program that is under test: never a stale one.
//!
//! `cargo test --workspace` builds it before it runs any test; `cargo test -p herd-integration-tests` does not. So
//! the program beside this test is used if it is newer than all files that it could be built from; otherwise Cargo
//! builds it. Cargo's own list of sources does not help: it is written by `cargo build` and not by `cargo test`, and
//! building only to get it would compile nearly all dependencies again, since the features of test dependencies are
//! not enabled then.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use anyhow::{Context as _, bail, ensure};

/// Where everything is that the program is built from; from the workspace's folder.
const SOURCES: [&str; 4] = ["Cargo.toml", "Cargo.lock", "crdt", "node"];

/// Other files in there.
const NO_SOURCES: [&str; 2] = ["benches", "tests"];

/// The path of the program, which is built if need be, once a process.
pub fn herd() -> &'static Path {
    static HERD: OnceLock<PathBuf> = OnceLock::new();
    HERD.get_or_init(|| match find_or_build() {
        Ok(path) => path,
        Err(error) => panic!("cannot get at the herd program: {error:#}"),
    })
}

fn find_or_build() -> anyhow::Result<PathBuf> {
    // TARGET/[TRIPLE/]PROFILE/deps/this-test
    let test = std::env::current_exe().context("no path of this test")?;
    let profile_folder = test
        .parent()
        .and_then(Path::parent)
        .with_context(|| format!("{} is in no target folder", test.display()))?;
    let program = profile_folder.join(format!("herd{}", std::env::consts::EXE_SUFFIX));
    let sources = SOURCES.map(|source| workspace().join(source));
    if !is_current(&program, &sources) {
        build(profile_folder)?;
        ensure!(program.is_file(), "cargo made no {}", program.display());
    }
    Ok(program)
}

/// Whether the program is there and newer than all of `sources`, which are files and folders.
fn is_current(program: &Path, sources: &[PathBuf]) -> bool {
    let Some(built) = modified(program) else {
        return false;
    };
    sources.iter().all(|source| is_older(source, built))
}

/// Whether a file, or a folder with all that counts in it, was last changed before `time`. A folder's
/// own time says when something was last removed from it.
fn is_older(path: &Path, time: SystemTime) -> bool {
    if modified(path).is_none_or(|changed| changed >= time) {
        return false;
    }
    if !path.is_dir() {
        return true;
    }
    let Ok(entries) = path.read_dir() else {
        return false;
    };
    entries.into_iter().all(|entry| {
        entry.is_ok_and(|entry| {
            NO_SOURCES.iter().any(|name| entry.file_name() == *name)
                || is_older(&entry.path(), time)
        })
    })
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

/// The workspace's folder.
fn workspace() -> PathBuf {
    let mut path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    path.pop();
    path
}

fn build(profile_folder: &Path) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(workspace())
        .args(["build", "--package", "herd", "--bin", "herd"]);
    let profile = match profile_folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "dev",
        Some(profile) => profile,
        None => bail!("{} names no profile", profile_folder.display()),
    };
    command.args(["--profile", profile]);
    let parent = profile_folder.parent().context("no target folder")?;
    let target_folder = if parent.join("CACHEDIR.TAG").exists() {
        parent
    } else {
        // Built for a named target: one folder more.
        if let Some(triple) = parent.file_name() {
            command.arg("--target").arg(triple);
        }
        parent.parent().context("no target folder")?
    };
    command.arg("--target-dir").arg(target_folder);
    let output = command.output().context("cannot run cargo")?;
    ensure!(
        output.status.success(),
        "cargo build failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_older_than_a_source_is_not_current() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("herd");
        let source = folder.path().join("node");
        let (inner, tests) = (source.join("src"), source.join("tests"));
        let (main, test) = (inner.join("main.rs"), tests.join("main.rs"));
        for folder in [&source, &inner, &tests] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(&main, "").unwrap();
        std::fs::write(&test, "").unwrap();
        let current = || is_current(&program, std::slice::from_ref(&source));
        assert!(!current(), "there is none");
        std::fs::write(&program, "").unwrap();
        let at = |path: &Path, hours: u64| {
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(hours * 3_600);
            std::fs::File::open(path)
                .unwrap()
                .set_modified(time)
                .unwrap();
        };
        for path in [&main, &test, &tests, &inner, &source] {
            at(path, 1);
        }
        at(&program, 2);
        assert!(current());
        at(&test, 3);
        assert!(current(), "a test is no source");
        at(&main, 3);
        assert!(!current(), "a source is newer");
        at(&main, 1);
        at(&inner, 3);
        assert!(!current(), "something was removed");
    }
}
