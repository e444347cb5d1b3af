//! Whether a connection has replies that its client has not got, and so keeps its place.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use herd_admission::Admitted;

/// The replies of one connection: those that are being made, and the bytes that are not written yet.
///
/// A connection that a newcomer displaces is closed, and bytes that are still in hyper's buffer then would be lost.
pub(super) struct Answering {
    requests: AtomicUsize,
    /// hyper has taken whole replies, and has not written all of their bytes.
    is_unsent: AtomicBool,
    /// The connection's place, if it can lose it.
    admitted: Option<Arc<Admitted>>,
    /// How long it keeps the place for a client that does not take the end of a reply.
    send_timeout: Duration,
}

impl Answering {
    pub(super) fn new(admitted: Option<Arc<Admitted>>, send_timeout: Duration) -> Arc<Self> {
        Arc::new(Answering {
            requests: AtomicUsize::new(0),
            is_unsent: AtomicBool::new(false),
            admitted,
            send_timeout,
        })
    }

    /// A request has come. Returns whether its connection has a place.
    pub(super) fn begins(&self) -> bool {
        self.requests.fetch_add(1, Ordering::AcqRel);
        let admitted = self.admitted.as_ref();
        admitted.is_none_or(|admitted| admitted.is_served(Instant::now()))
    }

    /// A reply was taken to be sent, or its connection has ended.
    pub(super) fn ends(&self) {
        let before = self.requests.fetch_sub(1, Ordering::AcqRel);
        self.is_unsent.store(true, Ordering::Release);
        if before == 1
            && let Some(admitted) = &self.admitted
        {
            admitted.sends_until(Instant::now() + self.send_timeout);
        }
    }

    /// The system has all bytes that were taken to be sent.
    fn flushed(&self) {
        let was_unsent = self.is_unsent.swap(false, Ordering::AcqRel);
        if was_unsent
            && self.requests.load(Ordering::Acquire) == 0
            && let Some(admitted) = &self.admitted
        {
            admitted.waits();
        }
    }

    /// Whether a reply is being made, or is not all written.
    pub(super) fn is_under_way(&self) -> bool {
        self.requests.load(Ordering::Acquire) > 0 || self.is_unsent.load(Ordering::Acquire)
    }

    /// Resolves when a newcomer has displaced the connection, and it has no place again.
    pub(super) async fn displaced(&self) {
        let Some(admitted) = &self.admitted else {
            return std::future::pending().await;
        };
        loop {
            admitted.displaced().await;
            if !admitted.has_place() {
                return;
            }
        }
    }
}

/// A stream that tells when its bytes are written: hyper flushes it once its own buffer is empty.
pub(super) struct FlushedStream<S> {
    stream: S,
    answering: Arc<Answering>,
}

impl<S> FlushedStream<S> {
    pub(super) fn new(stream: S, answering: Arc<Answering>) -> Self {
        FlushedStream { stream, answering }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FlushedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FlushedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if let Poll::Ready(Ok(())) = flushed {
            self.answering.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
