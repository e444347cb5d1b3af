//! How a server reaches its neighbours and is reached: TCP, or whatever a test or a simulation puts
//! in its place.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, lookup_host};

use crate::timing::CONNECT_TIMEOUT;
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
    /// Name service is slow or cannot be reached: it took all of the time that a connection has.
    #[error("name service (DNS) gave no answer within {} s", RESOLVE_TIMEOUT.as_secs_f32())]
    ResolveTimedOut,
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

/// How long name service may take: a little less than a connection, so that the reason is known.
const RESOLVE_TIMEOUT: Duration = CONNECT_TIMEOUT.saturating_sub(Duration::from_millis(100));

/// The addresses that name service gives, if it does in time.
async fn resolve<A>(looking_up: impl Future<Output = io::Result<A>>) -> Result<A, ConnectError> {
    match tokio::time::timeout(RESOLVE_TIMEOUT, looking_up).await {
        Ok(found) => found.map_err(ConnectError::Resolve),
        Err(_) => Err(ConnectError::ResolveTimedOut),
    }
}

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
        for address in resolve(lookup_host(address)).await? {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_name_service_is_told_from_a_slow_neighbour() {
        let never = std::future::pending::<io::Result<()>>();
        // The dialler gives up only later.
        let asked = tokio::time::timeout(CONNECT_TIMEOUT, resolve(never)).await;
        let error = asked.unwrap().unwrap_err().to_string();
        assert_eq!(error, "name service (DNS) gave no answer within 1.9 s");
        let refused = async { Err::<(), _>(io::Error::other("no such name")) };
        let error = resolve(refused).await.unwrap_err().to_string();
        assert_eq!(error, "name does not resolve: no such name");
        assert_eq!(resolve(async { Ok(7) }).await.unwrap(), 7);
    }
}
