//! The lines of a watch, as they are read.

use std::io;

use herd_crdt::Record;
use herd_server::control::{InvalidRecordLine, parse_record};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

/// The longest line of a watch, in bytes: room for the longest client ID.
const LINE_BYTES_MAX: u64 = 16 * 1024;

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Line {
    At(Record),
    Enter(Record),
    Leave(Record),
    Centre(Record),
    Gone(Vec<u8>),
    Live(u64),
    Alive,
    /// The last one, with its reason.
    End(String),
    /// The command was sent back.
    Refused,
}

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLine {
    #[error("the server speaks another protocol, or is older than WATCH: {}", .0.escape_ascii())]
    Foreign(Vec<u8>),
    #[error("the server sent a line that is no record: {0}")]
    Record(#[from] InvalidRecordLine),
    #[error("the connection broke: {0}")]
    Connection(#[from] io::Error),
}

/// Reads the next line.
///
/// # Errors
/// See [`NoLine`].
pub(super) async fn read(from: &mut (impl AsyncBufRead + Unpin)) -> Result<Line, NoLine> {
    let mut line = Vec::new();
    from.take(LINE_BYTES_MAX)
        .read_until(b'\n', &mut line)
        .await?;
    if line.pop() != Some(b'\n') {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    parse(&line)
}

fn parse(line: &[u8]) -> Result<Line, NoLine> {
    let foreign = || NoLine::Foreign(line.to_vec());
    let record = |at: &[u8]| parse_record(at, |name| name.into());
    let blank = line.iter().position(|&byte| byte == b' ');
    let (word, rest) = line.split_at(blank.ok_or_else(foreign)?);
    let rest = &rest[1..];
    let text = || str::from_utf8(rest).map_err(|_| foreign());
    Ok(match word {
        b"AT" => Line::At(record(line)?),
        b"ENTER" => Line::Enter(record(rest)?),
        b"LEAVE" => Line::Leave(record(rest)?),
        b"CENTRE" => Line::Centre(record(rest)?),
        b"GONE" => Line::Gone(rest.to_vec()),
        b"LIVE" => Line::Live(text()?.parse().map_err(|_| foreign())?),
        b"ALIVE" => Line::Alive,
        b"END" => Line::End(text()?.to_owned()),
        b"?" => Line::Refused,
        _ => return Err(foreign()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_read_as_they_are_written() {
        let text = b"LIVE 2\nAT Hill +0.000000001 kiwi +1+1 1\nENTER AT Hill +0.000000001 \xff +1+1 1\n\
            GONE \xff\nALIVE Hill 1.000000000\nEND slow\n? WATCH ALL\nHTTP/1.1 400\nx\nLEAVE AT Hill\nLIVE";
        let mut from = &text[..];
        assert_eq!(read(&mut from).await.unwrap(), Line::Live(2));
        assert!(
            matches!(read(&mut from).await.unwrap(), Line::At(record) if record.client() == b"kiwi")
        );
        assert!(
            matches!(read(&mut from).await.unwrap(), Line::Enter(record) if record.client() == b"\xff")
        );
        assert_eq!(read(&mut from).await.unwrap(), Line::Gone(b"\xff".to_vec()));
        assert_eq!(read(&mut from).await.unwrap(), Line::Alive);
        assert_eq!(read(&mut from).await.unwrap(), Line::End("slow".to_owned()));
        assert_eq!(read(&mut from).await.unwrap(), Line::Refused);
        assert!(matches!(read(&mut from).await, Err(NoLine::Foreign(_))));
        assert!(matches!(read(&mut from).await, Err(NoLine::Foreign(_))));
        assert!(matches!(read(&mut from).await, Err(NoLine::Record(_))));
        assert!(matches!(read(&mut from).await, Err(NoLine::Connection(_))));
    }
}
