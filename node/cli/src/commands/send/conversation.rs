//! A conversation with a server at a terminal: lines can be edited, and those of before are found again.

use std::env;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::task::{Context, Poll};
use std::time::Duration;

use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Editor, ExternalPrinter, Helper};
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;

use super::input::{InputPieces, now_ns};
use super::prompt::Prompt;
use super::reasons::FORMS;
use super::typed::{COMMAND_WORDS, with_time};
use herd_files::own_file;
use herd_server::access::AUTH_WORD;
use herd_text::printable::Printable;

/// Lines that are found again.
const HISTORY_LINES_MAX: usize = 1_000;

/// The folder of the history is private: lines hold locations.
const FOLDER_MODE: u32 = 0o700;

/// How long the thread waits for the replies before it lets the person type all the same.
const REPLIES_WAIT_MAX: Duration = Duration::from_secs(5);

/// A conversation that has begun.
pub(super) struct Conversation {
    /// The lines that are typed.
    pub(super) input: InputPieces,
    pub(super) prompt: Prompt,
    /// Where replies are shown, above a line that is being typed.
    pub(super) output: Shown,
    /// Restores the terminal when the conversation is over, be it in the middle of a line.
    pub(super) terminal: TerminalMode,
}

/// Begins a conversation with the server `to`.
///
/// # Errors
/// The terminal cannot be used, or no thread can be started.
pub(super) fn begin(to: &str) -> io::Result<Conversation> {
    let terminal = TerminalMode::save()?;
    let config = Config::builder()
        .max_history_size(HISTORY_LINES_MAX)
        .and_then(|config| config.history_ignore_dups(true))
        .map_err(to_io)?
        .history_ignore_space(true)
        .bracketed_paste(false)
        .build();
    let mut editor = Editor::<Words, FileHistory>::with_config(config).map_err(to_io)?;
    editor.set_helper(Some(Words));
    let history = history_file();
    if let Some(path) = &history {
        // A first conversation has none.
        let _ = editor.load_history(path);
    }
    let printer = editor.create_external_printer().ok();
    let (sender, input) = mpsc::channel(1);
    let (permits, permitted) = sync_channel(1);
    let prompt = format!("{}> ", Printable(to.as_bytes()));
    std::thread::Builder::new()
        .name("conversation".to_owned())
        .spawn(move || {
            let ended = converse(&mut editor, &prompt, &permitted, &sender);
            if let Some(path) = &history {
                // A conversation without a history is better than none.
                let _ = editor.save_history(path);
            }
            if let Err(error) = ended {
                let _ = sender.blocking_send(Err(to_io(error)));
            }
        })?;
    Ok(Conversation {
        input,
        prompt: Prompt::new(permits),
        output: Shown {
            printer: printer.map(|printer| Box::new(printer) as Box<dyn ExternalPrinter + Send>),
            begun: Vec::new(),
        },
        terminal,
    })
}

/// Reads lines until the person leaves.
fn converse(
    editor: &mut Editor<Words, FileHistory>,
    prompt: &str,
    permitted: &Receiver<()>,
    sender: &mpsc::Sender<io::Result<Vec<u8>>>,
) -> Result<(), ReadlineError> {
    loop {
        match permitted.recv_timeout(REPLIES_WAIT_MAX) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        let line = loop {
            let line = match editor.readline(prompt) {
                Ok(line) => line,
                Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(()),
                Err(error) => return Err(error),
            };
            match line.trim() {
                "" => {}
                "quit" | "exit" => return Ok(()),
                "help" | "?" => print_help(),
                _ => break line,
            }
        };
        if !line.trim_start().as_bytes().starts_with(AUTH_WORD) {
            editor.add_history_entry(line.as_str())?;
        }
        let mut bytes = with_time(line.as_bytes(), now_ns).into_owned();
        bytes.push(b'\n');
        if sender.blocking_send(Ok(bytes)).is_err() {
            return Ok(());
        }
    }
}

fn print_help() {
    for (form, effect) in FORMS {
        println!("  {form}\n      {effect}");
    }
    println!(
        "  help, quit (or Ctrl-D)\n\n\
         CLIENT is a name without spaces, LOCATION latitude and longitude in degrees with their signs, TIME seconds \
         since 1970\nor `now`, KM kilometres, COUNT the most that you want. Arrows find earlier lines, TAB completes \
         commands."
    );
}

fn to_io(error: ReadlineError) -> io::Error {
    match error {
        ReadlineError::Io(error) => error,
        other => io::Error::other(other),
    }
}

/// Where earlier lines are kept, if there is a place for them: `herd/history` in the folder for states of programs
/// (XDG base directory specification).
fn history_file() -> Option<PathBuf> {
    let absolute = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let states = absolute("XDG_STATE_HOME");
    let states = states.or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    let folder = states.join("herd");
    own_file::create_folder(&folder, FOLDER_MODE).ok()?;
    Some(folder.join("history"))
}

/// Shows replies, whole lines at a time.
pub(super) struct Shown {
    printer: Option<Box<dyn ExternalPrinter + Send>>,
    begun: Vec<u8>,
}

impl AsyncWrite for Shown {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.begun.extend_from_slice(bytes);
        let whole = memchr::memrchr(b'\n', &self.begun).map_or(0, |lf| lf + 1);
        let lines: Vec<u8> = self.begun.drain(..whole).collect();
        let lines = String::from_utf8_lossy(&lines).into_owned();
        let shown = match &mut self.printer {
            _ if lines.is_empty() => Ok(()),
            Some(printer) => printer.print(lines).map_err(to_io),
            None => io::Write::write_all(&mut io::stdout(), lines.as_bytes()),
        };
        Poll::Ready(shown.map(|()| bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(io::Write::flush(&mut io::stdout()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

/// The mode of the terminal before the conversation. The thread may be in the middle of a line when the process ends.
pub(super) struct TerminalMode(Termios);

impl TerminalMode {
    fn save() -> io::Result<Self> {
        Ok(TerminalMode(tcgetattr(io::stdin())?))
    }
}

impl Drop for TerminalMode {
    fn drop(&mut self) {
        // A terminal that is gone needs no mode.
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &self.0);
    }
}

/// Completes command words.
struct Words;

impl Completer for Words {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _context: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let begun = line
            .get(..position)
            .unwrap_or_default()
            .to_ascii_uppercase();
        let words = COMMAND_WORDS.iter().filter(|word| word.starts_with(&begun));
        Ok((0, words.map(|word| format!("{word} ")).collect()))
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}
impl Validator for Words {}
impl Helper for Words {}
