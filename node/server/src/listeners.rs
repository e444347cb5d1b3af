//! The ports of a server: bound before anything runs, so that a port that is taken is one
//! clear error at the start.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use herd_topology::{Host, HostPort};

/// Connections that the system holds until they are accepted.
const BACKLOG: i32 = 1024;

/// The send buffer of a client's socket, in bytes. Linux doubles it for its own bookkeeping. Without this limit a
/// socket can grow to 4 MiB for each client that reads nothing.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// The receive buffer of a client's socket, in bytes.
const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// On one address, or on all of a kind for `0.0.0.0`. `[::]` takes IPv4 too.
    Address(SocketAddr),
    /// On every interface, by IPv6 and IPv4, or by IPv4 alone where there is no IPv6.
    EveryInterface {
        /// The port.
        port: u16,
    },
}

/// A server known by an address listens there; one known by name, on every interface, since a name
/// may stand for an address that is not this machine's own.
impl From<&HostPort> for Listen {
    fn from(address: &HostPort) -> Self {
        let port = address.port;
        match address.host {
            Host::Ip(ip) => Listen::Address(SocketAddr::new(ip, port)),
            Host::Name(_) => Listen::EveryInterface { port },
        }
    }
}

impl Listen {
    /// Whether both name the same address, and not one whose port the system chooses.
    #[must_use]
    pub fn is_same_address(&self, other: &Self) -> bool {
        let port = match self {
            Listen::Address(address) => address.port(),
            Listen::EveryInterface { port } => *port,
        };
        port != 0 && self == other
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Address(address) => address.fmt(f),
            Listen::EveryInterface { port } => write!(f, "every interface, port {port}"),
        }
    }
}

/// The purpose of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The text protocol.
    Clients,
    /// RESP, for Redis clients.
    Resp,
    /// Links from neighbours.
    Peers,
    /// HTTP endpoints.
    Http,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Purpose::Clients => "clients",
            Purpose::Resp => "Redis clients",
            Purpose::Peers => "links between servers",
            Purpose::Http => "HTTP",
        })
    }
}

/// A port that could not be bound. Nothing listens there on behalf of this process.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {listen} for {purpose}: {}", Reason(.source))]
pub struct BindError {
    /// Where.
    pub listen: Listen,
    /// The purpose.
    pub purpose: Purpose,
    /// Why not.
    pub source: io::Error,
}

struct Reason<'a>(&'a io::Error);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind() {
            io::ErrorKind::AddrInUse => f.write_str("the port is taken by another process"),
            io::ErrorKind::AddrNotAvailable => {
                f.write_str("the address is not one of this machine")
            }
            io::ErrorKind::PermissionDenied => {
                f.write_str("ports below 1024 need a privilege that this process does not have")
            }
            _ => self.0.fmt(f),
        }
    }
}

/// The ports of a server, bound, with connections already queueing.
#[derive(Debug)]
pub struct BoundSockets {
    /// For the text protocol.
    pub client: TcpListener,
    /// For links from neighbours.
    pub peer: TcpListener,
    /// For HTTP, unless that is off.
    pub http: Option<TcpListener>,
    /// For Redis clients, if they are to be served.
    pub resp: Option<TcpListener>,
}

impl BoundSockets {
    /// Binds all of them. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// Every port that could not be bound; then none is.
    pub fn bind(
        client: Listen,
        peer: Listen,
        http: Option<Listen>,
        resp: Option<Listen>,
    ) -> Result<Self, Vec<BindError>> {
        let client = bind(Purpose::Clients, client);
        let peer = bind(Purpose::Peers, peer);
        let http = http.map(|listen| bind(Purpose::Http, listen)).transpose();
        let resp = resp.map(|listen| bind(Purpose::Resp, listen)).transpose();
        match (client, peer, http, resp) {
            (Ok(client), Ok(peer), Ok(http), Ok(resp)) => Ok(BoundSockets {
                client,
                peer,
                http,
                resp,
            }),
            (client, peer, http, resp) => {
                let errors = [client.err(), peer.err(), http.err(), resp.err()];
                Err(errors.into_iter().flatten().collect())
            }
        }
    }
}

/// Binds one port and listens. It can be bound again at once after this process ends, however it
/// ends. Must run inside a tokio runtime.
///
/// # Errors
/// See [`BindError`].
pub fn bind(purpose: Purpose, listen: Listen) -> Result<TcpListener, BindError> {
    let bound = match listen {
        Listen::Address(address) => listen_on(address, purpose),
        Listen::EveryInterface { port } => {
            let any = |ip: IpAddr| SocketAddr::new(ip, port);
            let on_ipv6 = listen_on(any(Ipv6Addr::UNSPECIFIED.into()), purpose);
            on_ipv6.or_else(|error| match error.kind() {
                io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
                // A machine without IPv6.
                _ => listen_on(any(Ipv4Addr::UNSPECIFIED.into()), purpose),
            })
        }
    };
    bound.map_err(|source| BindError {
        listen,
        purpose,
        source,
    })
}

fn listen_on(address: SocketAddr, purpose: Purpose) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // Connections of a server that was killed stay in TIME_WAIT for a minute.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Accepted sockets inherit these. Neighbours are few, and some are far away: the system tunes the buffers of
    // their links.
    if purpose != Purpose::Peers {
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;

    use super::*;

    fn free() -> Listen {
        Listen::Address(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    #[tokio::test]
    async fn every_taken_port_is_named_with_its_purpose() {
        let holder = BoundSockets::bind(free(), free(), Some(free()), Some(free())).unwrap();
        let taken = |listener: &TcpListener| Listen::Address(listener.local_addr().unwrap());
        let peer = taken(&holder.peer);
        let http = taken(holder.http.as_ref().unwrap());
        let resp = taken(holder.resp.as_ref().unwrap());
        let errors = BoundSockets::bind(free(), peer, Some(http), Some(resp)).unwrap_err();
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            errors,
            [
                format!(
                    "cannot listen on {peer} for links between servers: the port is taken by \
                     another process"
                ),
                format!("cannot listen on {http} for HTTP: the port is taken by another process"),
                format!(
                    "cannot listen on {resp} for Redis clients: the port is taken by another process"
                ),
            ]
        );
    }

    #[tokio::test]
    async fn http_and_resp_can_be_off() {
        let bound = BoundSockets::bind(free(), free(), None, None).unwrap();
        assert!(bound.http.is_none() && bound.resp.is_none());
    }

    #[tokio::test]
    async fn a_port_is_free_again_at_once_though_a_connection_lingers() {
        let listener = bind(Purpose::Clients, free()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        // The side that closes first keeps the port in TIME_WAIT.
        drop(listener.accept().await.unwrap());
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        drop((client, listener));
        bind(Purpose::Clients, Listen::Address(address)).unwrap();
    }

    #[tokio::test]
    async fn socket_buffers_are_bounded() {
        const CLIENT_BUFFER_BYTES: usize = 8 * 1024;
        for purpose in [Purpose::Clients, Purpose::Http] {
            let listener = bind(purpose, free()).unwrap();
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            let small = u32::try_from(CLIENT_BUFFER_BYTES).unwrap();
            socket.set_recv_buffer_size(small).unwrap();
            let client = socket.connect(listener.local_addr().unwrap());
            let (_client, accepted) = tokio::join!(client, listener.accept());
            let (accepted, _) = accepted.unwrap();
            let socket = socket2::SockRef::from(&accepted);
            // Linux reports the doubled size.
            assert!(socket.send_buffer_size().unwrap() <= 2 * SEND_BUFFER_BYTES);
            assert!(socket.recv_buffer_size().unwrap() <= 2 * RECEIVE_BUFFER_BYTES);
            let (mut taken, mut full) = (0, 0);
            accepted.writable().await.unwrap();
            while full < 100 {
                match accepted.try_write(&[0; 4 * 1024]) {
                    Ok(bytes) => taken += bytes,
                    Err(_) => full += 1,
                }
            }
            let most = 2 * (SEND_BUFFER_BYTES + CLIENT_BUFFER_BYTES);
            assert!((1..=most).contains(&taken), "{purpose}: {taken}");
        }
    }

    #[tokio::test]
    async fn every_interface_takes_ipv4() {
        let listener = bind(Purpose::Clients, Listen::EveryInterface { port: 0 }).unwrap();
        let port = listener.local_addr().unwrap().port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_refused() {
        // TEST-NET-1 belongs to no machine.
        let elsewhere = Listen::Address("192.0.2.1:1".parse().unwrap());
        let error = bind(Purpose::Http, elsewhere).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot listen on 192.0.2.1:1 for HTTP: the address is not one of this machine"
        );
    }
}
