//! Writing over TLS as over TCP.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that were written have been handed to the system: TLS by itself keeps encrypted bytes until it is flushed.
///
/// A write that is dropped before it is done must be repeated with the same bytes in front, as callers do that keep
/// bytes until they are written.
#[derive(Debug)]
pub struct WriteThrough<W> {
    below: W,
    /// Bytes that were encrypted and not told as written yet.
    taken: usize,
}

impl<W: AsyncWrite + Unpin> WriteThrough<W> {
    /// Writes through to `below`.
    #[must_use]
    pub fn new(below: W) -> Self {
        WriteThrough { below, taken: 0 }
    }

    /// The stream under it.
    #[must_use]
    pub fn below_mut(&mut self) -> &mut W {
        &mut self.below
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for WriteThrough<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.below).poll_read(context, into)
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for WriteThrough<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.taken == 0 {
            self.taken = ready!(Pin::new(&mut self.below).poll_write(context, bytes))?;
        }
        ready!(Pin::new(&mut self.below).poll_flush(context))?;
        Poll::Ready(Ok(std::mem::take(&mut self.taken)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.below).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.below).poll_shutdown(context)
    }
}
