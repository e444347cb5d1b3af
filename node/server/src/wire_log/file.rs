//! The file of the wire log, and the thread that writes it.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::place::LogPlace;
use super::record::{write_escaped, write_time};
use crate::line_queue::{Chunk, CutOff, LineWriter, Queue, QueueBounds, Taken, line_count};
use herd_clock::clock::SharedClock;

/// The most memory that lines which wait for the disk may take, in bytes.
pub const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

const BOUNDS: QueueBounds = QueueBounds {
    bytes_max: QUEUE_BYTES_MAX,
    chunk_bytes: 256 * 1024,
    gather_time: Duration::from_millis(200),
};

/// Why there is no wire log, or no complete one.
#[derive(Debug, thiserror::Error)]
pub enum WireLogError {
    /// The file could not be opened for appending. Nothing was started.
    #[error("cannot open wire log {}: {source}; give a writable path that is not a symbolic link", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The thread could not be started.
    #[error("cannot start the wire log's thread: {0}")]
    Thread(io::Error),
    /// The disk did not take the last lines in time; they may be lost.
    #[error("it was still being written after {} ms; the disk is slow", .0.as_millis())]
    Unfinished(Duration),
    /// The thread ended by itself, which is a fault of the program. Lines after it are lost.
    #[error("BUG: the wire log's thread ended early; lines after that are missing in it")]
    ThreadDied,
}

/// The counts of the wire log since it was opened.
#[derive(Debug, Default)]
pub struct WireLogStatistics {
    /// Lines that were handed over and found room.
    pub lines_taken: AtomicU64,
    /// Lines that were dropped: no room, or the disk did not take them.
    pub lines_dropped: AtomicU64,
    /// Bytes that the disk took.
    pub bytes_written: AtomicU64,
    /// Writes that failed.
    pub write_errors: AtomicU64,
}

struct Shared {
    queue: Queue,
    clock: SharedClock,
    statistics: WireLogStatistics,
    /// The file is to be opened anew before anything else is written.
    reopen: AtomicBool,
}

/// A handle with which lines are logged. Cheap to clone.
#[derive(Clone)]
pub struct WireLog {
    shared: Arc<Shared>,
    keeps_places: bool,
}

/// Owns the thread that writes. Dropping it ends the log without waiting for the disk.
pub struct WireLogWriter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    finished: oneshot::Receiver<()>,
}

impl WireLog {
    /// Opens `path` for appending, with mode 0600 if it is new, and starts the thread that writes. When the file has half
    /// of `bytes_max`, it becomes the [second one](super::rotated), in the place of an earlier one.
    ///
    /// # Errors
    /// If the file cannot be opened or the thread cannot be started.
    pub fn open(
        path: &Path,
        clock: SharedClock,
        bytes_max: Option<u64>,
    ) -> Result<(Self, WireLogWriter), WireLogError> {
        let open_error = |source| WireLogError::Open {
            path: path.to_owned(),
            source,
        };
        let (mut place, out) = LogPlace::open(path, bytes_max).map_err(open_error)?;
        let shared = Arc::new(Shared {
            queue: Queue::new(BOUNDS),
            clock,
            statistics: WireLogStatistics::default(),
            reopen: AtomicBool::new(false),
        });
        let (finish, finished) = oneshot::channel();
        let mut sink = Sink {
            shared: Arc::clone(&shared),
            path: path.to_owned(),
            out,
        };
        let thread = std::thread::Builder::new()
            .name("wire-log".to_owned())
            .spawn(move || {
                sink.run(&mut place);
                // The receiver is gone if the writer was dropped.
                let _ = finish.send(());
            })
            .map_err(WireLogError::Thread)?;
        let log = WireLog {
            shared: Arc::clone(&shared),
            keeps_places: true,
        };
        let writer = WireLogWriter {
            shared,
            thread: Some(thread),
            finished,
        };
        Ok((log, writer))
    }

    /// The same log without the places in replies: a provider's terms may forbid to store them.
    #[must_use]
    pub fn without_places(mut self) -> Self {
        self.keeps_places = false;
        self
    }

    pub(super) fn keeps_places(&self) -> bool {
        self.keeps_places
    }

    /// Notes that a link with another server was made.
    pub fn peer_connected(&self, server: &str, address: &str) {
        self.note(address, "connect", server, "");
    }

    /// Notes that a link with another server was lost, and why.
    pub fn peer_disconnected(&self, server: &str, address: &str, reason: &str) {
        self.note(address, "disconnect", server, reason);
    }

    /// Opens the file of the same path anew. Lines that wait go to the new file. A file that was renamed is noticed
    /// without this too, with the next line.
    /// If it cannot be opened, the earlier one stays in use.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Release);
        self.shared.queue.wake();
    }

    /// The counts so far.
    #[must_use]
    pub fn statistics(&self) -> &WireLogStatistics {
        &self.shared.statistics
    }

    /// Adds whole lines, or drops and counts them.
    pub(super) fn push(&self, bytes: &[u8], lines: u64) {
        let statistics = &self.shared.statistics;
        let counter = if self.shared.queue.push(bytes, lines) {
            &statistics.lines_taken
        } else {
            &statistics.lines_dropped
        };
        counter.fetch_add(lines, Ordering::Relaxed);
    }

    fn note(&self, address: &str, event: &str, server: &str, reason: &str) {
        let mut line = Vec::new();
        write_time(&mut line, self.shared.clock.now_ns());
        for column in [address, event, server] {
            line.push(b' ');
            write_escaped(&mut line, column.as_bytes());
        }
        if !reason.is_empty() {
            line.extend_from_slice(b": ");
            write_escaped(&mut line, reason.as_bytes());
        }
        line.push(b'\n');
        self.push(&line, 1);
    }
}

impl WireLogWriter {
    /// Writes the lines handed over so far and ends the log; later lines are dropped.
    ///
    /// # Errors
    /// If the disk does not take the last lines within `patience`.
    pub async fn close(mut self, patience: Duration) -> Result<(), WireLogError> {
        self.shared.queue.close();
        match tokio::time::timeout(patience, &mut self.finished).await {
            Err(_) => return Err(WireLogError::Unfinished(patience)),
            Ok(Err(_)) => return Err(WireLogError::ThreadDied),
            Ok(Ok(())) => {}
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(WireLogError::ThreadDied),
            _ => Ok(()),
        }
    }
}

impl Drop for WireLogWriter {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

/// The thread's side.
struct Sink<W> {
    shared: Arc<Shared>,
    path: PathBuf,
    out: LineWriter<W>,
}

impl Sink<File> {
    fn run(&mut self, place: &mut LogPlace) {
        while let Taken::Chunk(chunk) = self.shared.queue.take() {
            let asked = self.shared.reopen.swap(false, Ordering::AcqRel);
            self.renew(place, chunk.bytes.len(), asked);
            let before = self.bytes_written();
            let lost = self.write_chunk(&chunk);
            place.count(self.bytes_written() - before);
            self.shared.queue.written(chunk.bytes, lost);
        }
    }

    /// Takes another file for the next `bytes`, if it is time for that.
    fn renew(&mut self, place: &mut LogPlace, bytes: usize, asked: bool) {
        let path = place.path().display().to_string();
        match place.renewed(bytes, asked) {
            Ok(None) => {}
            Ok(Some(out)) => {
                self.out = out;
                tracing::info!(%path, "the wire log was opened anew");
            }
            Err(error) => tracing::error!(
                %path,
                %error,
                "cannot open the wire log anew; the earlier file stays in use"
            ),
        }
    }
}

impl<W: Write> Sink<W> {
    fn bytes_written(&self) -> u64 {
        self.shared.statistics.bytes_written.load(Ordering::Relaxed)
    }

    /// Writes a chunk, and before it how many lines are missing there. Gives how many lines the
    /// next chunk has to call missing.
    fn write_chunk(&mut self, chunk: &Chunk) -> u64 {
        if chunk.lost_before > 0 {
            let mut notice = Vec::new();
            write_time(&mut notice, self.shared.clock.now_ns());
            // Writing to memory does not fail.
            let _ = writeln!(notice, " - dropped {} lines", chunk.lost_before);
            if self.write_lines(&notice) > 0 {
                return chunk.lost_before + self.dropped(line_count(&chunk.bytes));
            }
        }
        let lost = self.write_lines(&chunk.bytes);
        self.dropped(lost)
    }

    fn dropped(&self, lines: u64) -> u64 {
        let statistics = &self.shared.statistics;
        statistics.lines_dropped.fetch_add(lines, Ordering::Relaxed);
        lines
    }

    /// Writes lines and gives the number of those that are not whole in the file.
    fn write_lines(&mut self, lines: &[u8]) -> u64 {
        let statistics = &self.shared.statistics;
        let (written_bytes, lost) = match self.out.write_lines(lines) {
            Ok(()) => (lines.len() as u64, 0),
            Err(CutOff {
                lines,
                written_bytes,
                error,
            }) => {
                statistics.write_errors.fetch_add(1, Ordering::Relaxed);
                tracing::error!(
                    path = %self.path.display(),
                    %error,
                    "cannot write the wire log: lines are dropped until the disk takes them again"
                );
                (written_bytes, lines)
            }
        };
        let bytes = &statistics.bytes_written;
        bytes.fetch_add(written_bytes, Ordering::Relaxed);
        lost
    }
}

#[cfg(test)]
mod tests;
