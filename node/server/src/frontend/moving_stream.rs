//! A client's TCP stream, which can be handed from one runtime to another.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A stream that can move from one runtime to another: it [leaves](MovingStream::leave) the first and
/// [arrives](MovingStream::arrive) at the second. In between nothing can be read or written.
#[derive(Debug)]
pub(super) struct MovingStream {
    home: StreamHome,
}

#[derive(Debug)]
enum StreamHome {
    Watched(TcpStream),
    Between(std::net::TcpStream),
    /// The system did not let it leave or arrive.
    Lost,
}

impl MovingStream {
    /// A stream that the present runtime watches.
    pub(super) fn new(stream: TcpStream) -> Self {
        MovingStream {
            home: StreamHome::Watched(stream),
        }
    }

    /// Lets the present runtime forget it, if it watches it.
    ///
    /// # Errors
    /// The system's. The stream is closed then.
    pub(super) fn leave(&mut self) -> io::Result<()> {
        self.home = match std::mem::replace(&mut self.home, StreamHome::Lost) {
            StreamHome::Watched(stream) => StreamHome::Between(stream.into_std()?),
            elsewhere => elsewhere,
        };
        Ok(())
    }

    /// Lets the present runtime watch it from now on, if none does.
    ///
    /// # Errors
    /// The system's. The stream is closed then.
    pub(super) fn arrive(&mut self) -> io::Result<()> {
        self.home = match std::mem::replace(&mut self.home, StreamHome::Lost) {
            StreamHome::Between(stream) => StreamHome::Watched(TcpStream::from_std(stream)?),
            elsewhere => elsewhere,
        };
        Ok(())
    }

    /// The stream, while a runtime watches it.
    ///
    /// # Errors
    /// If no runtime watches it.
    pub(super) fn watched(&mut self) -> io::Result<&mut TcpStream> {
        match &mut self.home {
            StreamHome::Watched(stream) => Ok(stream),
            StreamHome::Between(_) | StreamHome::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl AsyncRead for MovingStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(self.watched()?).poll_read(context, into)
    }
}

impl AsyncWrite for MovingStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.watched()?).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.watched()?).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.watched()?).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.watched()?).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::runtime;

    use super::*;

    #[tokio::test]
    async fn bytes_sent_before_a_move_are_read_after_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (mut client, mut stream) = (client.unwrap(), MovingStream::new(accepted.unwrap().0));
        client.write_all(b"ab").await.unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        assert_eq!(byte, *b"a");

        // Where it is already it can leave and arrive as often as you like.
        stream.arrive().unwrap();
        stream.leave().unwrap();
        stream.leave().unwrap();
        let error = stream.read(&mut byte).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotConnected);
        let there = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let echo = there.spawn(async move {
            stream.arrive()?;
            let mut byte = [0];
            stream.read_exact(&mut byte).await?;
            stream.write_all(&byte).await
        });
        client.read_exact(&mut byte).await.unwrap();
        assert_eq!(byte, *b"b");
        echo.await.unwrap().unwrap();
        there.shutdown_background();
    }
}
