//! A network in memory, under the test's own time, whose links can be cut and joined again.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use herd_replication::link::network::{ConnectError, Connected, Network};
use parking_lot::Mutex as SyncMutex;
use tokio::io::{DuplexStream, copy_bidirectional, duplex};
use tokio::sync::{Mutex, mpsc, watch};

const SOCKET_BYTES: usize = 64 * 1024;
const BACKLOG: usize = 16;

/// The state of a stretch between two servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stretch {
    /// Bytes go through.
    Whole,
    /// Connections are ended and none are made, as when a switch is off.
    Cut,
    /// Bytes vanish without a word, as when a packet filter drops them.
    Silent,
}

/// All servers' ends, and what lies between them.
#[derive(Clone, Default)]
pub(super) struct MemoryNetwork {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    listeners: SyncMutex<BTreeMap<String, mpsc::Sender<Connected>>>,
    stretches: SyncMutex<BTreeMap<(String, String), watch::Sender<Stretch>>>,
}

/// One server's end of the network.
pub(super) struct Endpoint {
    name: String,
    network: MemoryNetwork,
    accepted: Mutex<mpsc::Receiver<Connected>>,
}

impl MemoryNetwork {
    /// The end of the server of this name; it takes the place of an earlier one.
    pub(super) fn endpoint(&self, name: &str) -> Endpoint {
        let (sender, accepted) = mpsc::channel(BACKLOG);
        self.inner.listeners.lock().insert(name.to_owned(), sender);
        Endpoint {
            name: name.to_owned(),
            network: self.clone(),
            accepted: Mutex::new(accepted),
        }
    }

    /// Cuts the stretch between two servers, or joins it.
    pub(super) fn set(&self, a: &str, b: &str, stretch: Stretch) {
        self.stretch(a, b, |sender| {
            sender.send_replace(stretch);
        });
    }

    fn stretch<T>(&self, a: &str, b: &str, with: impl FnOnce(&watch::Sender<Stretch>) -> T) -> T {
        let key = if a < b { (a, b) } else { (b, a) };
        let mut stretches = self.inner.stretches.lock();
        let fresh = || watch::Sender::new(Stretch::Whole);
        with(
            stretches
                .entry((key.0.to_owned(), key.1.to_owned()))
                .or_insert_with(fresh),
        )
    }
}

#[async_trait]
impl Network for Endpoint {
    /// `address` is a server's name.
    async fn connect(&self, address: &str) -> Result<Connected, ConnectError> {
        let refused = || ConnectError::Connect(io::ErrorKind::ConnectionRefused.into());
        let stretch = self
            .network
            .stretch(&self.name, address, watch::Sender::subscribe);
        let state = *stretch.borrow();
        match state {
            Stretch::Whole => {}
            Stretch::Cut => return Err(refused()),
            // The caller's time-out ends it.
            Stretch::Silent => std::future::pending().await,
        }
        let listener = self.network.inner.listeners.lock().get(address).cloned();
        let listener = listener.ok_or_else(refused)?;
        let (near, near_relay) = duplex(SOCKET_BYTES);
        let (far_relay, far) = duplex(SOCKET_BYTES);
        let incoming = Connected {
            stream: Box::new(far),
            remote: self.name.clone(),
        };
        listener.try_send(incoming).map_err(|_| refused())?;
        tokio::spawn(relay(near_relay, far_relay, stretch));
        Ok(Connected {
            stream: Box::new(near),
            remote: address.to_owned(),
        })
    }

    async fn accept(&self) -> io::Result<Connected> {
        let accepted = self.accepted.lock().await.recv().await;
        accepted.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

async fn relay(
    mut near: DuplexStream,
    mut far: DuplexStream,
    mut stretch: watch::Receiver<Stretch>,
) {
    let closed = tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => true,
        _ = stretch.wait_for(|stretch| *stretch != Stretch::Whole) => false,
    };
    if !closed {
        // Both ends stay open, and hear nothing, until it is decided.
        let _ = stretch
            .wait_for(|stretch| *stretch != Stretch::Silent)
            .await;
    }
}
