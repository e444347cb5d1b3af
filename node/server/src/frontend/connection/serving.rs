//! From a socket to its end: TLS, the threads that serve it, and how it is closed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::{Connection, ConnectionEnd, InputState, Leg};
use crate::frontend::moving_stream::MovingStream;
use crate::frontend::service::Service;
use herd_protocol::Foreign;
use herd_tls::TlsFault;
use herd_tls::client_port::{self, ClientPeer, ClientPortCredentials};
use herd_tls::write_through::WriteThrough;

/// How long a connection that the server ends waits for the client's end: after an immediate close, further bytes of
/// the client would make its system discard unread replies.
const LINGER_TIME: Duration = Duration::from_secs(1);

/// When the system starts to ask whether a silent client's machine is still there: clients that vanished without a
/// word must not use up the connections, whether or not there is an idle timeout.
const KEEPALIVE_TIME: Duration = Duration::from_secs(60);

/// How often it asks then.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// The stream of a client's commands.
enum Stream {
    Plain(MovingStream),
    Encrypted(Box<Encrypted>),
}

struct Encrypted {
    /// It may hold a write that is to be repeated, wherever the exchange goes on.
    stream: WriteThrough<TlsStream<MovingStream>>,
    /// The certificate of the client, if it had to show one.
    client: Option<ClientPeer>,
}

/// A connection with its stream, and why the exchange on one set of threads came to an end.
type LegEnd = (Box<Connection>, Stream, Leg);

impl Connection {
    /// Serves the client until it is done, is lost, or the server stops.
    pub(in crate::frontend) async fn run(
        self: Box<Self>,
        stream: TcpStream,
        shutdown: CancellationToken,
    ) {
        let (service, peer) = (Arc::clone(&self.service), self.peer);
        if let Err(lost) = self.serve(stream, &shutdown).await {
            note_lost(&service, peer, &lost);
        }
    }

    async fn serve(
        self: Box<Self>,
        stream: TcpStream,
        shutdown: &CancellationToken,
    ) -> Result<(), ConnectionEnd> {
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_tcp_keepalive(
            &TcpKeepalive::new()
                .with_time(KEEPALIVE_TIME)
                .with_interval(KEEPALIVE_INTERVAL),
        )?;
        let stream = MovingStream::new(stream);
        let settings = &self.service.settings;
        let mut stream = match &settings.tls {
            None => Stream::Plain(stream),
            Some(tls) => {
                let limit = settings.tls_handshake_timeout;
                // In a box, because the state of a handshake would make each connection larger.
                match Box::pin(shake_hands(tls, limit, stream, shutdown)).await? {
                    Some(stream) => Stream::Encrypted(stream),
                    None => return Ok(()),
                }
            }
        };
        let mut connection = self;
        loop {
            if connection.exchange_over(&mut stream, shutdown).await? == Leg::Over {
                return Ok(());
            }
            let Some(bulk) = connection.service.settings.bulk.clone() else {
                return Ok(());
            };
            let there = in_bulk(connection, stream, bulk, shutdown.clone());
            let Some(served) = Box::pin(there).await? else {
                return Ok(());
            };
            let leg;
            (connection, stream, leg) = served;
            if leg == Leg::Over {
                return Ok(());
            }
            stream.moving().arrive()?;
        }
    }

    /// Answers on these threads. If all is said, the stream is closed.
    async fn exchange_over(
        &mut self,
        stream: &mut Stream,
        shutdown: &CancellationToken,
    ) -> Result<Leg, ConnectionEnd> {
        let leg = match stream {
            Stream::Plain(stream) => {
                let (mut read_half, mut write_half) = stream.watched()?.split();
                self.exchange(&mut read_half, &mut write_half, shutdown)
                    .await?
            }
            Stream::Encrypted(encrypted) => {
                Box::pin(self.exchange_encrypted(encrypted, shutdown)).await?
            }
        };
        if leg == Leg::Over {
            // In a box, as all that is rare: its state would make each connection larger.
            Box::pin(self.close(stream)).await;
        }
        Ok(leg)
    }

    async fn exchange_encrypted(
        &mut self,
        encrypted: &mut Encrypted,
        shutdown: &CancellationToken,
    ) -> Result<Leg, ConnectionEnd> {
        let Encrypted { stream, client } = encrypted;
        let (mut read_half, mut write_half) = tokio::io::split(stream);
        let distrusted = async {
            match client {
                Some(client) => client.distrusted().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            exchanged = self.exchange(&mut read_half, &mut write_half, shutdown) => exchanged,
            fault = distrusted => Err(ConnectionEnd::Distrusted(fault)),
        }
    }

    /// Ends a connection after all its replies were sent.
    async fn close(&mut self, stream: &mut Stream) {
        let shut_down = match stream {
            Stream::Plain(stream) => stream.shutdown().await,
            Stream::Encrypted(encrypted) => encrypted.stream.shutdown().await,
        };
        // A client that is gone already has nothing to be told.
        if shut_down.is_err() || self.input == InputState::Ended {
            return;
        }
        let mut discarded = vec![0; 4 * 1024];
        let until_end = async {
            loop {
                let read = match stream {
                    Stream::Plain(stream) => stream.read(&mut discarded).await,
                    Stream::Encrypted(encrypted) => encrypted.stream.read(&mut discarded).await,
                };
                if !matches!(read, Ok(1..)) {
                    return;
                }
            }
        };
        // If the client is not done by then, it is cut off.
        let _ = tokio::time::timeout(LINGER_TIME, until_end).await;
    }
}

impl Stream {
    fn moving(&mut self) -> &mut MovingStream {
        match self {
            Stream::Plain(stream) => stream,
            Stream::Encrypted(encrypted) => encrypted.stream.below_mut().get_mut().0,
        }
    }
}

/// Agrees with the client on TLS, in `limit` at the most. Nothing if the server stops before that.
async fn shake_hands(
    tls: &Arc<ClientPortCredentials>,
    limit: Duration,
    stream: MovingStream,
    shutdown: &CancellationToken,
) -> Result<Option<Box<Encrypted>>, ConnectionEnd> {
    tokio::select! {
        accepted = tokio::time::timeout(limit, client_port::accept(tls, stream)) => {
            let (stream, client) = accepted.map_err(|_| ConnectionEnd::HandshakeTimedOut)??;
            let stream = WriteThrough::new(stream);
            Ok(Some(Box::new(Encrypted { stream, client })))
        }
        () = shutdown.cancelled() => Ok(None),
    }
}

/// Lets the threads for connections that send in bulk go on until the connection is not one any more, or is over.
/// They stop when this is dropped. Nothing if their runtime has ended.
async fn in_bulk(
    mut connection: Box<Connection>,
    mut stream: Stream,
    bulk: Handle,
    shutdown: CancellationToken,
) -> Result<Option<LegEnd>, ConnectionEnd> {
    stream.moving().leave()?;
    let in_bulk = connection.service.in_bulk.clone();
    let there = async move {
        stream.moving().arrive()?;
        connection.is_in_bulk = true;
        let counted = BulkCount::new(Arc::clone(&connection.service));
        let leg = connection.exchange_over(&mut stream, &shutdown).await?;
        drop(counted);
        connection.is_in_bulk = false;
        if leg == Leg::Moves {
            stream.moving().leave()?;
        }
        Ok::<LegEnd, ConnectionEnd>((connection, stream, leg))
    };
    let there = bulk.spawn(in_bulk.track_future(there));
    match AbortOnDropHandle::new(there).await {
        Ok(served) => served.map(Some),
        Err(error) => match error.try_into_panic() {
            // It is noted where the connection was accepted, as if it had been here.
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Ok(None),
        },
    }
}

/// One connection that sends in bulk, as long as this is not dropped.
struct BulkCount(Arc<Service>);

impl BulkCount {
    fn new(service: Arc<Service>) -> Self {
        let count = &service.statistics.connections_bulk;
        count.fetch_add(1, Ordering::Relaxed);
        BulkCount(service)
    }
}

impl Drop for BulkCount {
    fn drop(&mut self) {
        let count = &self.0.statistics.connections_bulk;
        count.fetch_sub(1, Ordering::Relaxed);
    }
}

fn note_lost(service: &Service, peer: SocketAddr, lost: &ConnectionEnd) {
    let statistics = &service.statistics;
    let counter = match lost {
        ConnectionEnd::Unread => Some(&statistics.connections_unread),
        ConnectionEnd::Idle => Some(&statistics.limits.connections_idle),
        ConnectionEnd::HalfLine => Some(&statistics.limits.connections_half_line),
        ConnectionEnd::HandshakeTimedOut | ConnectionEnd::Tls(_) => {
            Some(&statistics.tls_handshakes_failed)
        }
        ConnectionEnd::Distrusted(_) => Some(&statistics.certificates_distrusted),
        ConnectionEnd::Io(_) => None,
    };
    if let Some(counter) = counter {
        counter.fetch_add(1, Ordering::Relaxed);
    }
    match lost {
        // Port scanners and health checks open such connections all the time.
        ConnectionEnd::Tls(TlsFault::Ended) => {}
        ConnectionEnd::Tls(reason) | ConnectionEnd::Distrusted(reason) => {
            tracing::warn!(address = %peer.ip(), %reason, "client connection closed by TLS");
        }
        _ => {}
    }
    tracing::debug!(%peer, reason = %lost, "lost a client");
}

/// Counts and logs that a client speaks another protocol.
pub(super) fn note_foreign(service: &Service, peer: SocketAddr, foreign: Foreign) {
    let statistics = &service.statistics;
    let (counter, protocol) = match foreign {
        Foreign::Http => (&statistics.connections_http, "HTTP"),
        Foreign::Tls => (&statistics.connections_tls, "TLS"),
    };
    counter.fetch_add(1, Ordering::Relaxed);
    let address = peer.ip();
    tracing::warn!(
        %address,
        protocol,
        "client connection closed because it speaks another protocol"
    );
}
