//! How a server reaches its neighbours and is reached: TCP, or whatever a test or a simulation puts
//! in its place.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, lookup_host};

use herd_tls::{Peer, Side, TlsFault};

/// A two-way stream of bytes.
pub trait LinkStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> LinkStream for S {}

/// A connection, not yet a link.
pub struct Connected {
    /// Its bytes.
    pub stream: Box<dyn LinkStream>,
    /// The address at the other end, for the log.
    pub remote: String,
}

/// A connection over which the handshake of a link may begin.
pub struct Secured {
    /// Its bytes.
    pub stream: Box<dyn LinkStream>,
    /// Who a certificate says is at the other end; nothing where connections prove nothing.
    pub peer: Option<Peer>,
}

/// A connection that was not made. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The host name is unknown, or name service is down.
    #[error("name does not resolve: {0}")]
    Resolve(io::Error),
    /// The host name has no address.
    #[error("name resolves to no address")]
    NoAddress,
    /// Nobody listens there, or the way there is cut.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
}

/// Makes and takes connections.
#[async_trait]
pub trait Network: Send + Sync + 'static {
    /// Connects to `address` (`host:port`), whose host is resolved anew. Callers bound the time.
    async fn connect(&self, address: &str) -> Result<Connected, ConnectError>;

    /// The next connection that someone else made to this server. Cancel-safe.
    async fn accept(&self) -> io::Result<Connected>;

    /// Makes a connection of this network safe before anything is said over it. Callers bound the time.
    /// By itself a network proves nothing, and leaves it as it is.
    async fn secure(&self, stream: Box<dyn LinkStream>, _side: Side) -> Result<Secured, TlsFault> {
        Ok(Secured { stream, peer: None })
    }
}

/// TCP, with a listener on the peer port.
#[derive(Debug)]
pub struct TcpNetwork {
    listener: TcpListener,
}

/// How long one address of a name is tried before the next: a name may still have addresses that
/// nobody answers at any more.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(1);

impl TcpNetwork {
    /// A network whose connections come in over `listener`.
    #[must_use]
    pub fn new(listener: TcpListener) -> Self {
        TcpNetwork { listener }
    }
}

#[async_trait]
impl Network for TcpNetwork {
    async fn connect(&self, address: &str) -> Result<Connected, ConnectError> {
        let mut last_error = ConnectError::NoAddress;
        for address in lookup_host(address).await.map_err(ConnectError::Resolve)? {
            let connecting = TcpStream::connect(address);
            let connected = match tokio::time::timeout(ADDRESS_TIMEOUT, connecting).await {
                Ok(connected) => connected.and_then(ready),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            };
            match connected {
                Ok(connected) => return Ok(connected),
                Err(error) => last_error = ConnectError::Connect(error),
            }
        }
        Err(last_error)
    }

    async fn accept(&self) -> io::Result<Connected> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            // One that has gone away again is not worth an error.
            if let Ok(connected) = ready(stream) {
                return Ok(connected);
            }
        }
    }
}

fn ready(stream: TcpStream) -> io::Result<Connected> {
    stream.set_nodelay(true)?;
    let remote = stream.peer_addr()?.to_string();
    Ok(Connected {
        stream: Box::new(stream),
        remote,
    })
}
