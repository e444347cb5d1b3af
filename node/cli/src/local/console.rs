//! The output for a person: lines of all servers on one terminal, each complete and with its server's name.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use herd_clock::clock::{SystemClock, WallClock as _, rfc3339_millis};
use herd_server::logging::LogFormat;

/// Lines that wait for a terminal that is slow or held (Ctrl-S). Beyond that, lines are counted and
/// not shown: a server must never wait for a terminal.
const WAITING_LINES_MAX: usize = 4096;
/// How long the end waits for a terminal that does not take the last lines.
const FLUSH_GRACE: Duration = Duration::from_secs(1);

/// Foreground colours that are readable on black and on white.
const COLOURS: [u8; 6] = [36, 32, 33, 35, 34, 31];

enum ConsoleMessage {
    /// To standard error.
    Log(Vec<u8>),
    /// To standard output.
    Say(String),
}

/// The way to the terminal. Clones lead to the same one.
#[derive(Clone)]
pub(super) struct Console {
    queue: SyncSender<ConsoleMessage>,
    not_shown: Arc<AtomicU64>,
    format: LogFormat,
}

/// The writing end, which lives until all [`Console`]s are gone.
pub(super) struct Writing(oneshot::Receiver<()>);

/// How the lines of one server start.
#[derive(Clone, Debug)]
pub(super) struct Prefix(String);

impl Prefix {
    /// The name, padded to `width`, in the colour of the server at `place` if colours are wanted.
    pub(super) fn new(name: &str, width: usize, place: usize, colours: bool) -> Self {
        let colour = COLOURS[place % COLOURS.len()];
        Prefix(if colours {
            format!("\x1b[{colour}m{name:width$} |\x1b[0m ")
        } else {
            format!("{name:width$} | ")
        })
    }

    /// No prefix: the lines name their server themselves.
    pub(super) fn none() -> Self {
        Prefix(String::new())
    }
}

impl Console {
    /// Starts the thread that writes. It is the only one that ever waits for the terminal.
    pub(super) fn start(format: LogFormat) -> io::Result<(Self, Writing)> {
        let (queue, messages) = sync_channel(WAITING_LINES_MAX);
        let (done, written) = oneshot::channel();
        let not_shown = Arc::new(AtomicU64::new(0));
        let console = Console {
            queue,
            not_shown: not_shown.clone(),
            format,
        };
        thread::Builder::new()
            .name("console".to_owned())
            .spawn(move || {
                write_all(&messages, &not_shown, &mut io::stdout(), &mut io::stderr());
                // The receiver is gone if the terminal was too slow.
                let _ = done.send(());
            })?;
        Ok((console, Writing(written)))
    }

    /// Shows one line of a server.
    pub(super) fn log(&self, prefix: &Prefix, line: &[u8]) {
        let mut whole = Vec::with_capacity(prefix.0.len() + line.len() + 1);
        whole.extend_from_slice(prefix.0.as_bytes());
        whole.extend_from_slice(line);
        whole.push(b'\n');
        self.send(ConsoleMessage::Log(whole));
    }

    /// Shows a sentence of this program about the herd.
    pub(super) fn note(&self, sentence: &str) {
        let line = match self.format {
            LogFormat::Text => format!("{sentence}\n"),
            LogFormat::Json => {
                let value = serde_json::json!({
                    "timestamp": rfc3339_millis(SystemClock.now_ns()),
                    "level": "INFO",
                    "message": sentence,
                    "target": "herd_cli::local",
                });
                format!("{value}\n")
            }
        };
        self.send(ConsoleMessage::Log(line.into_bytes()));
    }

    /// Writes `text` to standard output.
    pub(super) fn say(&self, text: String) {
        self.send(ConsoleMessage::Say(text));
    }

    fn send(&self, message: ConsoleMessage) {
        if self.queue.try_send(message).is_err() {
            self.not_shown.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Writing {
    /// Waits for the last lines, but not for ever. All consoles must be gone.
    pub(super) async fn finish(self) {
        // Either is the end of it: all written, the thread lost, or the terminal held.
        let _ = timeout(FLUSH_GRACE, self.0).await;
    }
}

/// Writes until all senders are gone. That a terminal is gone must not stop the herd.
fn write_all(
    messages: &Receiver<ConsoleMessage>,
    not_shown: &AtomicU64,
    stdout: &mut impl Write,
    stderr: &mut impl Write,
) {
    for message in messages {
        let _ = match message {
            ConsoleMessage::Log(line) => stderr.write_all(&line),
            ConsoleMessage::Say(text) => stdout
                .write_all(text.as_bytes())
                .and_then(|()| stdout.flush()),
        };
        let missed = not_shown.swap(0, Ordering::Relaxed);
        if missed > 0 {
            let _ = writeln!(
                stderr,
                "herd: {missed} lines not shown: the terminal is too slow"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_queue_are_counted() {
        let (queue, messages) = sync_channel(2);
        let console = Console {
            queue,
            not_shown: Arc::default(),
            format: LogFormat::Text,
        };
        let prefix = Prefix::new("Hill", 6, 0, false);
        for line in ["one", "two", "three", "four"] {
            console.log(&prefix, line.as_bytes());
        }
        let not_shown = console.not_shown.clone();
        drop(console);
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        write_all(&messages, &not_shown, &mut stdout, &mut stderr);
        assert_eq!(
            String::from_utf8(stderr).unwrap(),
            "Hill   | one\nherd: 2 lines not shown: the terminal is too slow\nHill   | two\n"
        );
        assert!(stdout.is_empty());
    }

    #[test]
    fn prefixes() {
        assert_eq!(Prefix::new("A", 3, 7, true).0, "\x1b[32mA   |\x1b[0m ");
        assert_eq!(Prefix::none().0, "");
    }
}
