//! One connection of `herd send`: sends, receives and prints at the same time.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::super::report::complain_of;
use super::input::InputPieces;
use super::prompt::Prompt;
use super::reasons::reason;
use super::replies::Exchange;
use herd_clock::clock::{SystemClock, WallClock as _};
use herd_text::printable::PrintableStream;
use herd_tls::write_through::WriteThrough;

/// How many commands may wait for replies before no more input is taken.
const UNANSWERED_MAX: usize = 65_536;

/// How much is received at once, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// How long the server may be silent once everything was sent.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Why not all replies could be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error(
        "the server closed the connection with {0} commands unanswered: each may have been taken in or \
         not; to send an IAMAT again does no harm"
    )]
    Closed(usize),
    #[error(
        "lost the connection with {unanswered} commands unanswered: {source}. Each may have been taken \
         in or not; to send an IAMAT again does no harm"
    )]
    Connection {
        unanswered: usize,
        source: io::Error,
    },
    #[error(
        "no reply for {} s with {unanswered} commands unanswered: each may have been taken in or not; to \
         send an IAMAT again does no harm",
        SILENCE_MAX.as_secs()
    )]
    Silent { unanswered: usize },
    #[error("cannot read input: {0}")]
    Input(io::Error),
    #[error("cannot write output: {0}")]
    Output(io::Error),
}

/// Sends all input, closes that direction, and writes all that comes back until the server closes, as text if the output
/// is a terminal.
/// Gives the number of commands that were refused.
///
/// # Errors
/// If the connection ends before all replies were there, or input or output fails.
pub(super) async fn exchange<S: AsyncRead + AsyncWrite, W: AsyncWrite + Unpin>(
    stream: S,
    mut input: InputPieces,
    (mut output, mut shown): (W, Option<PrintableStream>),
    prompt: Option<Prompt>,
) -> Result<u64, Lost> {
    let (mut read_half, write_half) = tokio::io::split(stream);
    let mut write_half = WriteThrough::new(write_half);
    let mut talk = Talk::new(prompt);
    let mut received = vec![0; READ_BYTES];
    loop {
        if talk.ends_sending() {
            // A connection that is gone is told by reading from it.
            let _ = write_half.shutdown().await;
        }
        let hungry = talk.is_hungry();
        talk.show_prompt();
        tokio::select! {
            more = input.recv(), if hungry && talk.exchange.unanswered() < UNANSWERED_MAX => {
                talk.take(more.transpose().map_err(Lost::Input)?);
            }
            sent = write_half.write(talk.unsent()), if !talk.unsent().is_empty() => match sent {
                Ok(bytes) => talk.written += bytes,
                // The server may have answered before it closed: read on to its end.
                Err(_) => talk.cannot_send(),
            },
            read = read_half.read(&mut received) => {
                let Some(len) = talk.came(read)? else {
                    break;
                };
                let bytes = received.get(..len).unwrap_or_default();
                talk.exchange.received(bytes);
                let text = shown.as_mut().map(|shown| shown.of(bytes));
                let bytes = text.as_deref().unwrap_or(bytes);
                output.write_all(bytes).await.map_err(Lost::Output)?;
                output.flush().await.map_err(Lost::Output)?;
                talk.explain();
            }
            () = tokio::time::sleep(SILENCE_MAX), if !talk.sending => {
                return Err(Lost::Silent { unanswered: talk.exchange.unanswered() });
            }
        }
    }
    Ok(talk.exchange.refused())
}

/// Refused lines whose reasons are told.
const EXPLAINED_MAX: u64 = 10;

/// How far the talk with the server is.
struct Talk {
    exchange: Exchange,
    /// Refused lines whose reasons were told.
    explained: u64,
    /// The bytes to send, and the number of bytes already sent.
    piece: Vec<u8>,
    written: usize,
    /// More input may come.
    input_open: bool,
    /// More may be sent.
    sending: bool,
    prompt: Option<Prompt>,
}

impl Talk {
    fn new(prompt: Option<Prompt>) -> Self {
        Talk {
            exchange: Exchange::new(),
            explained: 0,
            piece: Vec::new(),
            written: 0,
            input_open: true,
            sending: true,
            prompt,
        }
    }

    /// Tells the likely reasons why lines were refused, on standard error: of the first ones only, unless a person types
    /// them one by one.
    fn explain(&mut self) {
        for line in self.exchange.take_refusals() {
            if self.prompt.is_none() && self.explained >= EXPLAINED_MAX {
                continue;
            }
            self.explained += 1;
            complain_of("herd send", reason(&line, SystemClock.now_ns()));
            if self.prompt.is_none() && self.explained == EXPLAINED_MAX {
                complain_of(
                    "herd send",
                    "further lines that are refused are not explained",
                );
            }
        }
    }

    fn unsent(&self) -> &[u8] {
        self.piece.get(self.written..).unwrap_or_default()
    }

    /// Whether it wants more input.
    fn is_hungry(&self) -> bool {
        self.input_open && self.unsent().is_empty()
    }

    /// Whether all is sent now, which is so once.
    fn ends_sending(&mut self) -> bool {
        let ends = self.sending && !self.input_open && self.unsent().is_empty();
        self.sending &= !ends;
        ends
    }

    fn show_prompt(&mut self) {
        let idle = self.is_hungry() && self.exchange.unanswered() == 0;
        if let Some(prompt) = &mut self.prompt
            && idle
        {
            prompt.show();
        }
    }

    /// Takes more input, or notes that there is none.
    fn take(&mut self, more: Option<Vec<u8>>) {
        if let Some(prompt) = &mut self.prompt {
            if more.is_some() {
                prompt.answered();
            } else {
                prompt.leave();
            }
        }
        match more {
            None => {
                self.input_open = false;
                self.exchange.sent_all();
            }
            Some(more) => {
                self.piece = more;
                self.written = 0;
                self.exchange.sending(&self.piece);
            }
        }
    }

    fn cannot_send(&mut self) {
        self.input_open = false;
        self.sending = false;
        self.piece.clear();
        self.written = 0;
    }

    /// How many bytes a read brought; `None` at an end that was to come.
    ///
    /// # Errors
    /// The connection ended too early.
    fn came(&mut self, read: io::Result<usize>) -> Result<Option<usize>, Lost> {
        let unanswered = self.exchange.unanswered();
        let lost = match read {
            Ok(0) if unanswered == 0 && !self.input_open => return Ok(None),
            Ok(0) => Lost::Closed(unanswered),
            Ok(len) => return Ok(Some(len)),
            Err(source) => Lost::Connection { unanswered, source },
        };
        if let Some(prompt) = &mut self.prompt {
            prompt.leave();
        }
        Err(lost)
    }
}

#[cfg(test)]
mod tests;
