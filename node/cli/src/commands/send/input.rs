//! Where the client's lines come from.

use std::io::{self, Read as _};

use tokio::sync::mpsc;

use super::typed::{TimeFiller, with_time};
use herd_clock::clock::{SystemClock, WallClock as _};

/// How much is read from standard input at once, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// How many pieces wait to be sent.
const PIECES_MAX: usize = 4;

/// A stream of pieces of the input; the last one may be an error.
pub(super) type InputPieces = mpsc::Receiver<io::Result<Vec<u8>>>;

/// Each of `lines` with an LF behind it, and the time in the place of `now`.
pub(super) fn from_lines<'a>(lines: impl Iterator<Item = &'a [u8]>) -> InputPieces {
    let mut piece = Vec::new();
    for line in lines {
        piece.extend_from_slice(&with_time(line, now_ns));
        piece.push(b'\n');
    }
    let (sender, input) = mpsc::channel(1);
    // A new channel of one has room for one.
    let _ = sender.try_send(Ok(piece));
    input
}

/// Standard input, line by line as it comes, with the time in the place of `now`.
///
/// A thread of its own reads it, since a read of a terminal can be neither cancelled nor waited for:
/// the process may end while it is in there. The end of the stream tells that it is done.
///
/// # Errors
/// If the thread cannot be started.
pub(super) fn from_stdin() -> io::Result<InputPieces> {
    let (sender, input) = mpsc::channel(PIECES_MAX);
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            let mut stdin = io::stdin().lock();
            let mut filler = TimeFiller::default();
            loop {
                let mut piece = vec![0; READ_BYTES];
                let read = match stdin.read(&mut piece) {
                    Ok(0) => {
                        // The receiver is gone if the connection is.
                        let _ = sender.blocking_send(Ok(filler.finish(now_ns)));
                        return;
                    }
                    Ok(len) => {
                        piece.truncate(len);
                        match filler.push(piece, now_ns) {
                            lines if lines.is_empty() => continue,
                            lines => Ok(lines),
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let failed = read.is_err();
                if sender.blocking_send(read).is_err() || failed {
                    return;
                }
            }
        })?;
    Ok(input)
}

/// The present, in ns since the POSIX epoch.
pub(super) fn now_ns() -> i64 {
    SystemClock.now_ns()
}
