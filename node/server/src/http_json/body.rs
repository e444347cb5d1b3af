//! Bodies of requests, with a bound and a time limit.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use futures_util::StreamExt as _;
use tokio::time::Instant;

use super::problem::{Fault, Kind, Problem};

/// The largest body for one client, in bytes: an ID with every byte escaped, and all else.
pub(super) const SMALL_BODY_BYTES_MAX: usize = 64 * 1024;

/// How long the server waits for such a body, in all.
const SMALL_BODY_TIME: Duration = Duration::from_secs(10);

/// A body that is read piece by piece.
pub(super) struct BoundedBody {
    pieces: BodyDataStream,
    left_bytes: usize,
    left_time: Duration,
}

impl BoundedBody {
    /// A body of at most this number of bytes, for which the server waits that long in all. What the server does with the
    /// pieces between is no fault of the sender, and does not count.
    pub(super) fn new(body: Body, bytes_max: usize, time: Duration) -> Self {
        BoundedBody {
            pieces: body.into_data_stream(),
            left_bytes: bytes_max,
            left_time: time,
        }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// The body is too large, too slow, or was cut off.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let begin = Instant::now();
        let piece = tokio::time::timeout(self.left_time, self.pieces.next()).await;
        self.left_time = self.left_time.saturating_sub(begin.elapsed());
        let Some(piece) = piece.map_err(|_| Problem::new(Kind::Slow))? else {
            return Ok(None);
        };
        let piece = piece.map_err(|error| Problem::malformed(vec![Fault::of("body", &error)]))?;
        self.left_bytes = self
            .left_bytes
            .checked_sub(piece.len())
            .ok_or(Problem::new(Kind::TooLarge))?;
        Ok(Some(piece))
    }
}

/// Reads a small body to its end.
///
/// # Errors
/// See [`BoundedBody::next`].
pub(super) async fn small(body: Body) -> Result<Bytes, Problem> {
    let mut body = BoundedBody::new(body, SMALL_BODY_BYTES_MAX, SMALL_BODY_TIME);
    let Some(first) = body.next().await? else {
        return Ok(Bytes::new());
    };
    let mut whole = Vec::new();
    while let Some(piece) = body.next().await? {
        if whole.is_empty() {
            whole.extend_from_slice(&first);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(if whole.is_empty() {
        first
    } else {
        whole.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(pieces: &[&'static [u8]]) -> Result<Bytes, Kind> {
        let pieces = pieces
            .iter()
            .map(|&piece| Ok::<_, std::io::Error>(Bytes::from_static(piece)));
        let pieces: Vec<_> = pieces.collect();
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        small(body).await.map_err(|problem| problem.kind())
    }

    #[tokio::test]
    async fn a_body_is_whole_or_too_large() {
        static LARGE: [u8; SMALL_BODY_BYTES_MAX] = [b'x'; SMALL_BODY_BYTES_MAX];
        assert_eq!(of(&[]).await.unwrap(), "");
        assert_eq!(of(&[b"", b"a", b"b"]).await.unwrap(), "ab");
        assert_eq!(of(&[b"ab"]).await.unwrap(), "ab");
        assert_eq!(of(&[&LARGE]).await.unwrap().len(), LARGE.len());
        assert_eq!(of(&[&LARGE, b"x"]).await, Err(Kind::TooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn only_waiting_for_a_body_takes_its_time() {
        let wait = Duration::from_secs(4);
        let pieces = futures_util::stream::repeat(()).then(move |()| async move {
            tokio::time::sleep(wait).await;
            Ok::<_, std::io::Error>(Bytes::from_static(b"a"))
        });
        let mut body = BoundedBody::new(Body::from_stream(pieces), 100, Duration::from_secs(10));
        for is_in_time in [true, true, false] {
            assert_eq!(body.next().await.is_ok(), is_in_time);
            tokio::time::sleep(Duration::from_secs(100)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let never = Body::from_stream(futures_util::stream::pending::<std::io::Result<Bytes>>());
        let refused = small(never).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Slow);
    }
}
