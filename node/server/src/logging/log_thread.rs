//! The thread that writes log lines, which alone waits for standard error.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

use super::flood_guard::take_left_out;
use super::line::{LINE_BYTES_MAX, LineShape};
use super::statistics::statistics;
use crate::line_queue::{Chunk, CutOff, LineWriter, Queue, QueueBounds, Taken, line_count};
use herd_clock::clock::{SystemClock, WallClock as _};

/// The most memory that log lines which wait for standard error may take, in bytes.
pub const LOG_QUEUE_BYTES_MAX: usize = 1024 * 1024;

/// How long the end waits for a standard error that does not take the last lines.
pub const LOG_PATIENCE: Duration = Duration::from_secs(1);

/// How long the thread waits before it asks a full pipe again that does not let it wait.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

const BOUNDS: QueueBounds = QueueBounds {
    bytes_max: LOG_QUEUE_BYTES_MAX,
    chunk_bytes: LINE_BYTES_MAX,
    // A line is in the log at once.
    gather_time: Duration::ZERO,
};

/// Owns the thread.
#[must_use = "the last lines are written when it is closed"]
pub struct LogThread {
    queue: Arc<Queue>,
    finished: Receiver<()>,
}

/// Where lines go in. Never waits.
#[derive(Clone)]
pub(super) struct LogLines {
    queue: Arc<Queue>,
    shape: Arc<LineShape>,
}

impl LogThread {
    /// Starts the thread, which writes to `out`.
    pub(super) fn start(
        out: impl Write + Send + 'static,
        shape: LineShape,
    ) -> io::Result<(Self, LogLines)> {
        let queue = Arc::new(Queue::new(BOUNDS));
        let shape = Arc::new(shape);
        let (finish, finished) = sync_channel(1);
        let sink = LogLines {
            queue: queue.clone(),
            shape: shape.clone(),
        };
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                sink.write_all(out);
                // The receiver is gone if the process ended in a hurry.
                let _ = finish.send(());
            })?;
        let lines = LogLines {
            queue: queue.clone(),
            shape,
        };
        Ok((LogThread { queue, finished }, lines))
    }

    /// Writes the lines logged so far, if standard error takes them within [`LOG_PATIENCE`]; later lines are dropped.
    pub fn close(self) {
        self.queue.close();
        // All is written, or the thread is lost, or standard error is not read: each is the end.
        let _ = self.finished.recv_timeout(LOG_PATIENCE);
    }
}

impl LogLines {
    /// The thread's side, until the queue is closed and empty.
    fn write_all(&self, out: impl Write) {
        let mut out = LineWriter::new(Patient(out), false);
        while let Taken::Chunk(chunk) = self.queue.take() {
            let lost = self.write_chunk(&mut out, &chunk);
            self.queue.written(chunk.bytes, lost);
        }
    }

    /// Writes a chunk, and before it how many lines are missing there. Returns the number of lines that the next
    /// chunk has to report as missing. An error is reported nowhere else, because standard error is the place for it.
    fn write_chunk(&self, out: &mut LineWriter<impl Write>, chunk: &Chunk) -> u64 {
        let not_written = |lines: u64| {
            let count = &statistics().not_written;
            count.fetch_add(lines, Ordering::Relaxed);
            lines
        };
        if chunk.lost_before > 0 {
            let notice = self.notice(chunk.lost_before);
            if out.write_lines(notice.as_bytes()).is_err() {
                return chunk.lost_before + not_written(line_count(&chunk.bytes));
            }
        }
        match out.write_lines(&chunk.bytes) {
            Ok(()) => 0,
            Err(CutOff { lines, .. }) => not_written(lines),
        }
    }

    fn notice(&self, lost: u64) -> String {
        let since = Duration::from_nanos(u64::try_from(SystemClock.now_ns()).unwrap_or(0));
        let time = humantime::format_rfc3339_micros(UNIX_EPOCH + since).to_string();
        let message = format!(
            "{lost} log lines are missing here: standard error did not take them, or not in time"
        );
        self.shape.own_line("WARN", &time, &message)
    }

    fn push(&self, line: &[u8]) {
        let line = self.shape.finish(line, take_left_out());
        if !self.queue.push(&line, 1) {
            statistics().no_room.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<'a> MakeWriter<'a> for LogLines {
    type Writer = LogLine<'a>;

    fn make_writer(&'a self) -> LogLine<'a> {
        LogLine(self)
    }

    fn make_writer_for(&'a self, _: &Metadata<'_>) -> LogLine<'a> {
        self.make_writer()
    }
}

/// Takes one line, in one piece.
pub(super) struct LogLine<'a>(&'a LogLines);

impl Write for LogLine<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits for a file that another process, which shares it, has made non-blocking.
struct Patient<W>(W);

impl<W: Write> Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    thread::sleep(RETRY_PAUSE);
                }
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
#[path = "log_thread_tests.rs"]
mod tests;
