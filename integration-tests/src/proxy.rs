//! A stretch of network between two servers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// The number of first bytes that are kept: the handshakes of links and more.
const KEPT_BYTES_MAX: usize = 256 * 1024;

/// The treatment of bytes on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// They pass.
    Open,
    /// They are held back, and connections stay: a network that has gone silent.
    Frozen,
    /// The same for bytes from the side that connected.
    FrozenForth,
    /// The same for bytes to the side that connected.
    FrozenBack,
    /// Connections end, new ones at once.
    Cut,
}

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProxyDirection {
    /// From the side that connected.
    Forth,
    /// To it.
    Back,
}

/// Forwards connections to one address as its [`Passage`] allows.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    passage: Arc<watch::Sender<Passage>>,
    kept: KeptBytes,
    task: JoinHandle<()>,
}

/// The first bytes that passed, in the order in which they came.
#[derive(Clone, Debug, Default)]
struct KeptBytes(Arc<Mutex<Vec<u8>>>);

impl KeptBytes {
    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = KEPT_BYTES_MAX.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

impl Proxy {
    /// An open way to `target`, from a free port of its IP address.
    pub async fn to(target: SocketAddr) -> Proxy {
        let ip = target.ip();
        let listening = TcpListener::bind((ip, 0)).await.and_then(|listener| {
            let address = listener.local_addr()?;
            Ok((listener, address))
        });
        let (listener, address) = match listening {
            Ok(listening) => listening,
            Err(error) => panic!("no free port on {ip}: {error}"),
        };
        let passage = Arc::new(watch::Sender::new(Passage::Open));
        let kept = KeptBytes::default();
        let task = tokio::spawn(serve(listener, target, passage.clone(), kept.clone()));
        Proxy {
            address,
            passage,
            kept,
            task,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether these bytes were among the first that passed.
    pub fn carried(&self, bytes: &[u8]) -> bool {
        let kept = self.kept.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.windows(bytes.len()).any(|window| window == bytes)
    }

    /// Changes the treatment of bytes on their way.
    pub fn set(&self, passage: Passage) {
        self.passage.send_replace(passage);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Takes in connections until it is aborted; those end with it.
async fn serve(
    listener: TcpListener,
    target: SocketAddr,
    passage: Arc<watch::Sender<Passage>>,
    kept: KeptBytes,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((near, _)) = listener.accept() => {
                connections.spawn(forward(near, target, passage.subscribe(), kept.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn forward(
    near: TcpStream,
    target: SocketAddr,
    mut passage: watch::Receiver<Passage>,
    kept: KeptBytes,
) {
    let forwarding = async {
        if passage.clone().wait_for(connects).await.is_err() {
            return;
        }
        let Ok(far) = TcpStream::connect(target).await else {
            return;
        };
        let _ = (near.set_nodelay(true), far.set_nodelay(true));
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        tokio::join!(
            copy(
                near_in,
                far_out,
                ProxyDirection::Forth,
                passage.clone(),
                &kept
            ),
            copy(
                far_in,
                near_out,
                ProxyDirection::Back,
                passage.clone(),
                &kept
            ),
        );
    };
    let mut cut = passage.clone();
    tokio::select! {
        () = forwarding => {}
        _ = cut.wait_for(|passage| *passage == Passage::Cut) => {}
    }
    passage.mark_unchanged();
}

/// Copies one direction to its end, an end included.
async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: ProxyDirection,
    mut passage: watch::Receiver<Passage>,
    kept: &KeptBytes,
) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut bytes).await;
        if passage.wait_for(|now| passes(*now, way)).await.is_err() {
            return;
        }
        match read {
            Ok(0) | Err(_) => {
                let _ = to.shutdown().await;
                return;
            }
            Ok(length) => {
                kept.keep(&bytes[..length]);
                if to.write_all(&bytes[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Whether new connections are passed on.
fn connects(passage: &Passage) -> bool {
    !matches!(passage, Passage::Frozen | Passage::Cut)
}

fn passes(passage: Passage, way: ProxyDirection) -> bool {
    match passage {
        Passage::Open => true,
        Passage::FrozenForth => way == ProxyDirection::Back,
        Passage::FrozenBack => way == ProxyDirection::Forth,
        Passage::Frozen | Passage::Cut => false,
    }
}
