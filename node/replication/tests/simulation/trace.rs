//! What happened in a run, line by line, so that two runs of a seed can be compared.
//!
//! The bytes of a gossip message are not part of it, and what they say is: chitchat draws in which order it puts
//! incarnations into a delta that are equally far behind. Nor is the order of lines at one moment: tokio draws in which
//! order it wakes tasks that wait for the same thing.

use std::fmt::Display;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use chitchat::{ChitchatMessage, Deserializable as _};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::pump::KIND_GOSSIP;

/// Lines that are shown around the first difference.
const CONTEXT_LINES: usize = 12;

/// Lines of one run, or nothing where nobody compares them.
#[derive(Clone, Default)]
pub(super) struct Trace {
    written: Option<Arc<Written>>,
}

struct Written {
    start: Instant,
    lines: Mutex<Vec<String>>,
}

impl Trace {
    /// Of a run that begins now.
    pub(super) fn begin() -> Self {
        Trace {
            written: Some(Arc::new(Written {
                start: Instant::now(),
                lines: Mutex::default(),
            })),
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.written.is_some()
    }

    /// Adds a line, with the time of the simulation.
    pub(super) fn add(&self, line: impl FnOnce() -> String) {
        if let Some(written) = &self.written {
            let at = written.start.elapsed();
            let line = line();
            written.lines.lock().push(format!("{at:?} {line}"));
        }
    }

    /// A frame went off, and arrives after these delays.
    pub(super) fn add_frame(&self, way: &str, frame: &[u8], delays: impl Display) {
        self.add(|| format!("{way} {} {delays}", meaning(frame)));
    }

    /// All lines so far; those of one moment in the order of their letters.
    pub(super) fn lines(&self) -> Vec<String> {
        let written = self.written.as_ref();
        let mut lines = written.map_or_else(Vec::new, |written| written.lines.lock().clone());
        for moment in lines.chunk_by_mut(|a, b| moment_of(a) == moment_of(b)) {
            moment.sort_unstable();
        }
        lines
    }
}

fn moment_of(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

/// What a frame says, in a few characters.
fn meaning(frame: &[u8]) -> String {
    let kind = frame.first().copied().unwrap_or_default();
    let Some(mut content) = frame.get(1..).filter(|_| kind == KIND_GOSSIP) else {
        return format!("kind {kind} of {:x}", hash([frame]));
    };
    match ChitchatMessage::deserialize(&mut content) {
        Ok(message) => gossip(&message),
        Err(_) => format!("no gossip, {:x}", hash([frame])),
    }
}

fn gossip(message: &ChitchatMessage) -> String {
    let text = format!("{message:?}");
    // How long a delta is when it is compressed depends on its order too.
    let (said, _) = text.rsplit_once("serialized_len").unwrap_or((&text, ""));
    let mut parts = said.split("NodeDelta ");
    let head = parts.next().unwrap_or_default();
    let mut deltas: Vec<&str> = parts
        .map(|part| part.trim_end_matches([',', ' ', ']', '}']))
        .collect();
    deltas.sort_unstable();
    let name: String = text.chars().take_while(|c| c.is_alphabetic()).collect();
    let all = std::iter::once(head).chain(deltas.iter().copied());
    let hash = hash(all.map(str::as_bytes));
    format!("{name} {} {hash:x}", deltas.len())
}

fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for part in parts {
        hasher.write_usize(part.len());
        hasher.write(part);
    }
    hasher.finish()
}

/// Where two runs begin to differ.
///
/// # Errors
/// The lines there, of both.
pub(super) fn compare(one: &[String], other: &[String]) -> Result<(), String> {
    if one == other {
        return Ok(());
    }
    let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let shown = |lines: &[String]| {
        let from = same.saturating_sub(CONTEXT_LINES);
        let lines = lines.iter().enumerate().skip(from);
        let lines = lines.take(2 * CONTEXT_LINES);
        let lines = lines.map(|(number, line)| format!("{number}: {line}\n"));
        lines.collect::<String>()
    };
    Err(format!(
        "the same for {same} lines of {} and {}, and then:\n{}or:\n{}",
        one.len(),
        other.len(),
        shown(one),
        shown(other)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_found_wherever_it_is() {
        let lines = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(compare(&lines, &lines), Ok(()));
        assert!(compare(&lines, &lines[..2]).is_err());
        let mut other = lines.clone();
        other[1] = "x".to_owned();
        let found = compare(&lines, &other).unwrap_err();
        assert!(found.contains("1: b") && found.contains("1: x"), "{found}");
    }
}
