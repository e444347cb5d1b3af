//! One connection of `herd send`: sends, receives and prints at the same time.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::input::Input;
use super::prompt::Prompt;
use super::replies::Exchange;
use crate::printable::PrintableStream;
use crate::tls::write_through::WriteThrough;

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
    mut input: Input,
    (mut output, mut shown): (W, Option<PrintableStream>),
    mut prompt: Option<Prompt>,
) -> Result<u64, Lost> {
    let (mut read_half, write_half) = tokio::io::split(stream);
    let mut write_half = WriteThrough::new(write_half);
    let mut exchange = Exchange::new();
    let mut received = vec![0; READ_BYTES];
    let mut piece: Vec<u8> = Vec::new();
    let mut written = 0;
    let mut input_open = true;
    let mut sending = true;
    loop {
        if sending && !input_open && written == piece.len() {
            sending = false;
            // A connection that is gone is told by reading from it.
            let _ = write_half.shutdown().await;
        }
        let hungry = input_open && written == piece.len();
        if let Some(prompt) = &mut prompt
            && hungry
            && exchange.unanswered() == 0
        {
            prompt.show();
        }
        tokio::select! {
            more = input.recv(), if hungry && exchange.unanswered() < UNANSWERED_MAX => {
                if let Some(prompt) = &mut prompt {
                    if more.is_some() { prompt.answered() } else { prompt.leave() }
                }
                match more {
                    None => {
                        input_open = false;
                        exchange.sent_all();
                    }
                    Some(more) => {
                        piece = more.map_err(Lost::Input)?;
                        written = 0;
                        exchange.sending(&piece);
                    }
                }
            }
            sent = write_half.write(piece.get(written..).unwrap_or_default()),
                if written < piece.len() =>
            {
                match sent {
                    Ok(bytes) => written += bytes,
                    // The server may have answered before it closed: read on to its end.
                    Err(_) => {
                        input_open = false;
                        sending = false;
                        piece.clear();
                        written = 0;
                    }
                }
            }
            read = read_half.read(&mut received) => {
                let unanswered = exchange.unanswered();
                let bytes = match read {
                    Ok(0) if unanswered == 0 && !input_open => break,
                    Ok(0) => {
                        leave(&mut prompt);
                        return Err(Lost::Closed(unanswered));
                    }
                    Ok(len) => received.get(..len).unwrap_or_default(),
                    Err(source) => {
                        leave(&mut prompt);
                        return Err(Lost::Connection { unanswered, source });
                    }
                };
                exchange.received(bytes);
                let text = shown.as_mut().map(|shown| shown.of(bytes));
                let bytes = text.as_deref().unwrap_or(bytes);
                output.write_all(bytes).await.map_err(Lost::Output)?;
                output.flush().await.map_err(Lost::Output)?;
            }
            () = tokio::time::sleep(SILENCE_MAX), if !sending => {
                return Err(Lost::Silent { unanswered: exchange.unanswered() });
            }
        }
    }
    Ok(exchange.refused())
}

fn leave(prompt: &mut Option<Prompt>) {
    if let Some(prompt) = prompt {
        prompt.leave();
    }
}

#[cfg(test)]
mod tests;
