//! Where the client's lines come from.

use std::io::{self, Read as _};

use tokio::sync::mpsc;

/// How much is read from standard input at once, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// How many pieces wait to be sent.
const PIECES_MAX: usize = 4;

/// A stream of pieces of the input; the last one may be an error.
pub(super) type InputPieces = mpsc::Receiver<io::Result<Vec<u8>>>;

/// Each of `lines` with an LF behind it.
pub(super) fn from_lines<'a>(lines: impl Iterator<Item = &'a [u8]>) -> InputPieces {
    let mut piece = Vec::new();
    for line in lines {
        piece.extend_from_slice(line);
        piece.push(b'\n');
    }
    let (sender, input) = mpsc::channel(1);
    // A new channel of one has room for one.
    let _ = sender.try_send(Ok(piece));
    input
}

/// Standard input, as it comes.
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
            loop {
                let mut piece = vec![0; READ_BYTES];
                let read = match stdin.read(&mut piece) {
                    Ok(0) => return,
                    Ok(len) => {
                        piece.truncate(len);
                        Ok(piece)
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
