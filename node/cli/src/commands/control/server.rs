//! The other side of a session: lines from the server.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::ControlError;
use herd_protocol::{Line, LineReader};
use herd_server::control::{CONTROL_LINE_BYTES_MAX, ControlRequest, ERROR_WORD};

/// The maximal time in which the server neither sends nor reads anything.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// A connection to a control socket.
pub(super) struct ControlConnection {
    stream: UnixStream,
    reader: LineReader,
    /// The message about the work so far when the connection breaks.
    broken: &'static str,
}

impl ControlConnection {
    /// Begins a session.
    ///
    /// # Errors
    /// If the connection is broken already. `broken` is the message for the user.
    pub(super) fn new(
        stream: UnixStream,
        request: ControlRequest,
        broken: &'static str,
    ) -> Result<Self, ControlError> {
        let mut server = ControlConnection {
            stream,
            reader: LineReader::new(CONTROL_LINE_BYTES_MAX),
            broken,
        };
        let limited = server
            .stream
            .set_read_timeout(Some(SILENCE_MAX))
            .and_then(|()| server.stream.set_write_timeout(Some(SILENCE_MAX)));
        limited.map_err(|error| server.lost(&error))?;
        server.write(format!("{request}\n").as_bytes())?;
        Ok(server)
    }

    /// Gives the next line to `take`; `None` if the server has closed the connection.
    ///
    /// # Errors
    /// If the server says that it failed, or does not answer.
    pub(super) fn next_line<T>(
        &mut self,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, ControlError> {
        loop {
            match self.reader.next_line() {
                Some(Line::Text(line)) => {
                    return match line.strip_prefix(ERROR_WORD.as_bytes()) {
                        Some(reason) => Err(refused(reason)),
                        None => Ok(Some(take(line))),
                    };
                }
                Some(Line::Oversized(_)) => return Err(self.not_understood()),
                None => {}
            }
            match self.stream.read(self.reader.buffer().room()) {
                Ok(0) => return Ok(None),
                Ok(bytes) => self.reader.buffer().filled(bytes),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.lost(&error)),
            }
        }
    }

    /// Sends `bytes`.
    ///
    /// # Errors
    /// If the server does not take them; if it said why, with its reason.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), ControlError> {
        match self.stream.write_all(bytes) {
            Ok(()) => Ok(()),
            Err(error) => {
                // Its last line before it closed the connection is the better reason.
                while self.next_line(|_| ())?.is_some() {}
                Err(self.lost(&error))
            }
        }
    }

    /// Tells the server that nothing more is sent.
    ///
    /// # Errors
    /// If the connection is broken.
    pub(super) fn sent_all(&mut self) -> Result<(), ControlError> {
        let shut = self.stream.shutdown(Shutdown::Write);
        shut.map_err(|error| self.lost(&error))
    }

    /// The server closed the connection before its last line.
    pub(super) fn closed(&self) -> ControlError {
        self.broken_because("the server closed the connection".to_owned())
    }

    /// The server said something that this program does not understand.
    pub(super) fn not_understood(&self) -> ControlError {
        ControlError::NotUnderstood(self.broken)
    }

    fn lost(&self, error: &io::Error) -> ControlError {
        self.broken_because(match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                format!("the server did nothing for {} s", SILENCE_MAX.as_secs())
            }
            _ => error.to_string(),
        })
    }

    fn broken_because(&self, reason: String) -> ControlError {
        ControlError::Lost {
            done: self.broken,
            reason,
        }
    }
}

fn refused(reason: &[u8]) -> ControlError {
    ControlError::Refused(String::from_utf8_lossy(reason).trim().to_owned())
}
