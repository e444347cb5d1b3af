//! The reply to a NEARBY, read line by line.

use std::io;

use herd_crdt::Record;
use herd_server::control::{InvalidRecordLine, parse_record};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

/// The longest line of a reply, in bytes: room for the longest client ID.
const LINE_BYTES_MAX: u64 = 16 * 1024;

/// A client that is near.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hit {
    /// The distance in kilometres.
    pub(super) kilometres: f64,
    pub(super) record: Record,
}

/// The clients that are near.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    /// Nearest first.
    pub(super) hits: Vec<Hit>,
    /// Whether there are further ones.
    pub(super) more: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error(
        "the server refused the question: it does not know the client to look around, or it has too much to do"
    )]
    Refused,
    #[error("the server speaks another protocol, or is older than NEARBY: {}", .0.escape_ascii())]
    Foreign(Vec<u8>),
    #[error("the server sent a line that is no record: {0}")]
    Record(#[from] InvalidRecordLine),
    #[error("the connection broke before the answer was there: {0}")]
    Connection(#[from] io::Error),
}

/// Reads the whole reply.
///
/// # Errors
/// See [`NoAnswer`].
pub(super) async fn read(from: &mut (impl AsyncBufRead + Unpin)) -> Result<Answer, NoAnswer> {
    let first = line(from).await?;
    if first.starts_with(b"? ") {
        return Err(NoAnswer::Refused);
    }
    let (count, more) = head(&first).ok_or_else(|| NoAnswer::Foreign(first.clone()))?;
    let mut hits = Vec::new();
    for _ in 0..count {
        let line = line(from).await?;
        hits.push(hit(&line)?);
    }
    let end = line(from).await?;
    if !end.is_empty() {
        return Err(NoAnswer::Foreign(end));
    }
    Ok(Answer { hits, more })
}

/// One line without its LF.
async fn line(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    from.take(LINE_BYTES_MAX)
        .read_until(b'\n', &mut line)
        .await?;
    if line.pop() == Some(b'\n') {
        return Ok(line);
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// The count and the last word of `NEAR 2 more`.
fn head(line: &[u8]) -> Option<(usize, bool)> {
    let text = str::from_utf8(line).ok()?.strip_prefix("NEAR ")?;
    let (count, end) = text.split_once(' ')?;
    let more = match end {
        "more" => true,
        "complete" => false,
        _ => return None,
    };
    Some((count.parse().ok()?, more))
}

fn hit(line: &[u8]) -> Result<Hit, NoAnswer> {
    let foreign = || NoAnswer::Foreign(line.to_vec());
    let blank = line
        .iter()
        .position(|&byte| byte == b' ')
        .ok_or_else(foreign)?;
    let (kilometres, at) = line.split_at(blank);
    let kilometres = str::from_utf8(kilometres)
        .ok()
        .and_then(|text| text.parse().ok());
    Ok(Hit {
        kilometres: kilometres
            .filter(|km: &f64| km.is_finite())
            .ok_or_else(foreign)?,
        record: parse_record(&at[1..], |name| name.into())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(text: &[u8]) -> Result<Answer, NoAnswer> {
        read(&mut &*text).await
    }

    #[tokio::test]
    async fn an_answer_is_read_to_its_end() {
        let text = b"NEAR 2 more\n0.000000 AT Hill +0.000000001 kiwi +1+1 1\n\
            1.197677 AT Jaquez +1.000000000 \xff +1.01+1 2.5\n\nNEAR";
        let answer = answer(text).await.unwrap();
        assert!(answer.more);
        let told: Vec<_> = answer
            .hits
            .iter()
            .map(|hit| (hit.kilometres, hit.record.client()))
            .collect();
        assert_eq!(told, [(0.0, &b"kiwi"[..]), (1.197_677, b"\xff")]);
        let nobody = read(&mut &b"NEAR 0 complete\n\n"[..]).await.unwrap();
        assert!(nobody.hits.is_empty() && !nobody.more);
    }

    #[tokio::test]
    async fn whatever_else_comes_is_told() {
        let is = async |text: &[u8]| answer(text).await.unwrap_err();
        assert!(matches!(
            is(b"? NEARBY CLIENT x 1 1\n").await,
            NoAnswer::Refused
        ));
        assert!(matches!(is(b"HTTP/1.1 400\n").await, NoAnswer::Foreign(_)));
        assert!(matches!(is(b"NEAR x more\n").await, NoAnswer::Foreign(_)));
        assert!(matches!(
            is(b"NEAR 0 complete\nx\n").await,
            NoAnswer::Foreign(_)
        ));
        assert!(matches!(
            is(b"NEAR 1 more\n0.0 AT Hill\n").await,
            NoAnswer::Record(_)
        ));
        for cut in [&b""[..], b"NEAR 1", b"NEAR 1 more\n", b"NEAR 0 complete\n"] {
            assert!(matches!(is(cut).await, NoAnswer::Connection(_)), "{cut:?}");
        }
        let endless = vec![b'x'; 100_000];
        assert!(matches!(is(&endless).await, NoAnswer::Connection(_)));
    }
}
