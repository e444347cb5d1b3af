//! The output of a process.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use crate::patience::eventually;

/// The file that standard output and standard error of a process go to, over all its starts.
#[derive(Clone, Debug)]
pub struct Log {
    path: PathBuf,
}

impl Log {
    /// A log at `path`, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Log {
        Log { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it for a process to write to.
    pub(crate) fn append(&self) -> std::io::Result<File> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
    }

    /// The whole lines that were written so far.
    pub fn text(&self) -> String {
        self.since(0)
    }

    /// The end of the output so far, for [`Log::since`].
    pub fn end(&self) -> usize {
        self.text().len()
    }

    /// The whole lines that were written after `mark`, an earlier [`Log::end`].
    pub fn since(&self, mark: usize) -> String {
        let bytes = std::fs::read(&self.path).unwrap_or_default();
        let whole = bytes
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |lf| lf + 1);
        String::from_utf8_lossy(bytes.get(mark..whole).unwrap_or_default()).into_owned()
    }

    /// The lines after `mark` that contain all of `parts`.
    pub fn lines_with(&self, mark: usize, parts: &[&str]) -> Vec<String> {
        self.since(mark)
            .lines()
            .filter(|line| parts.iter().all(|part| line.contains(part)))
            .map(str::to_owned)
            .collect()
    }

    /// Waits for a line after `mark` that contains all of `parts`, and returns it.
    pub async fn wait_for(&self, mark: usize, parts: &[&str]) -> String {
        let what = format!("{} says {parts:?}", self.path.display());
        let mut found = None;
        eventually(what, async || {
            found = self.lines_with(mark, parts).into_iter().next();
            found.is_some()
        })
        .await;
        found.unwrap_or_default()
    }

    /// The last lines.
    pub fn tail(&self, lines: usize) -> String {
        let text = self.text();
        let all: Vec<&str> = text.lines().collect();
        let from = all.len().saturating_sub(lines);
        all.get(from..).unwrap_or_default().join("\n")
    }
}
