//! Questions to one server and its replies.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::dial::dial;
use crate::error::BenchError;
use crate::input::Input;
use herd_text::printable::Printable;

/// How long a server may take for the replies to one batch.
pub(super) const REPLY_WAIT: Duration = Duration::from_secs(10);

/// The kind of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReplyContent {
    /// An `AT` line, with places behind it if they were asked for.
    At,
    /// An error reply.
    Refused(String),
}

/// A connection.
pub(super) struct Conversation {
    server: String,
    stream: TcpStream,
    input: Input,
}

impl Conversation {
    pub(super) async fn open(server: &str) -> Result<Self, BenchError> {
        let stream = dial(server)
            .await
            .map_err(|error| BenchError::Unreachable {
                server: server.to_owned(),
                reason: error.to_string(),
            })?;
        Ok(Conversation {
            server: server.to_owned(),
            stream,
            input: Input::new(),
        })
    }

    /// Opens the connection again.
    pub(super) async fn reopen(&mut self) -> io::Result<()> {
        self.stream = dial(&self.server).await?;
        self.input.clear();
        Ok(())
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(REPLY_WAIT, self.stream.write_all(bytes)).await?
    }

    /// The next reply, to an IAMAT or, with `is_look_up`, to a WHATSAT.
    pub(super) async fn reply(&mut self, is_look_up: bool) -> io::Result<ReplyContent> {
        loop {
            if let Some((said, len_bytes)) = read_reply(self.input.received(), is_look_up)? {
                self.input.consume(len_bytes);
                return Ok(said);
            }
            let room = self.input.room();
            if room.is_empty() {
                return Err(io::Error::other("a reply has no end"));
            }
            match timeout(REPLY_WAIT, self.stream.read(room)).await?? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                received => self.input.filled(received),
            }
        }
    }
}

fn read_reply(input: &[u8], is_look_up: bool) -> io::Result<Option<(ReplyContent, usize)>> {
    let Some(line_end) = memchr::memchr(b'\n', input) else {
        return Ok(None);
    };
    let (line, rest) = input.split_at(line_end);
    if line.starts_with(b"? ") {
        let said = ReplyContent::Refused(Printable(line).to_string());
        return Ok(Some((said, line_end + 1)));
    }
    if !line.starts_with(b"AT ") {
        let shown = Printable(line.get(..100).unwrap_or(line));
        return Err(io::Error::other(format!("not a reply: {shown}")));
    }
    if !is_look_up {
        return Ok(Some((ReplyContent::At, line_end + 1)));
    }
    let end = memchr::memmem::find(rest, b"\n\n");
    Ok(end.map(|end| (ReplyContent::At, line_end + end + 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_when_whole() {
        let at = b"AT Hill +0.1 k +1+1 1\n{\n}\n\n";
        for cut in 0..at.len() {
            assert_eq!(read_reply(&at[..cut], true).unwrap(), None);
        }
        assert_eq!(
            read_reply(at, true).unwrap(),
            Some((ReplyContent::At, at.len()))
        );
        assert_eq!(read_reply(at, false).unwrap(), Some((ReplyContent::At, 22)));
        let refused = ReplyContent::Refused("? WHATSAT k 0 0".to_owned());
        let line = b"? WHATSAT k 0 0\nAT";
        assert_eq!(read_reply(line, true).unwrap(), Some((refused, 16)));
        assert!(read_reply(b"HTTP/1.0\n", true).is_err());
    }
}
