//! A network in memory, under the test's own time, whose links can be cut and joined again, and on which frames can be
//! read and changed.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use herd_gossip::link::network::{ConnectError, Connected, Network};
use parking_lot::Mutex as SyncMutex;
use tokio::io::{
    AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf, copy_bidirectional,
    duplex, split,
};
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
    tap: SyncMutex<Option<Arc<dyn Tap>>>,
}

/// Looks at the frames that cross the network, or changes them.
pub(super) trait Tap: Send + Sync {
    /// The frames that arrive at `to` when `from` sends this one. A frame begins with its kind.
    fn pass(&self, from: &str, to: &str, frame: Vec<u8>) -> Vec<Vec<u8>>;
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

    /// Passes all frames of connections made from now on through `tap`.
    pub(super) fn set_tap(&self, tap: Arc<dyn Tap>) {
        *self.inner.tap.lock() = Some(tap);
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
        let tap = self.network.inner.tap.lock().clone();
        let (near_name, far_name) = (self.name.clone(), address.to_owned());
        tokio::spawn(async move {
            let passing: Passing = match tap {
                Some(tap) => Box::pin(tapped(near_relay, far_relay, tap, near_name, far_name)),
                None => Box::pin(whole(near_relay, far_relay)),
            };
            relay(passing, stretch).await;
        });
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

/// Bytes that pass between two ends, until one of them has closed.
type Passing = Pin<Box<dyn Future<Output = ()> + Send>>;

async fn relay(mut passing: Passing, mut stretch: watch::Receiver<Stretch>) {
    let closed = tokio::select! {
        () = &mut passing => true,
        _ = stretch.wait_for(|stretch| *stretch != Stretch::Whole) => false,
    };
    if !closed {
        // Both ends stay open, and hear nothing, until it is decided.
        let _ = stretch
            .wait_for(|stretch| *stretch != Stretch::Silent)
            .await;
    }
}

async fn whole(mut near: DuplexStream, mut far: DuplexStream) {
    let _ = copy_bidirectional(&mut near, &mut far).await;
}

async fn tapped(
    near: DuplexStream,
    far: DuplexStream,
    tap: Arc<dyn Tap>,
    near_name: String,
    far_name: String,
) {
    let ((near_read, near_write), (far_read, far_write)) = (split(near), split(far));
    tokio::join!(
        pass_frames(near_read, far_write, |frame| tap
            .pass(&near_name, &far_name, frame)),
        pass_frames(far_read, near_write, |frame| tap
            .pass(&far_name, &near_name, frame)),
    );
}

/// Ends when either side has closed, and closes the other one for writing then.
async fn pass_frames(
    mut from: ReadHalf<DuplexStream>,
    mut to: WriteHalf<DuplexStream>,
    mut pass: impl FnMut(Vec<u8>) -> Vec<Vec<u8>>,
) {
    while let Ok(length) = from.read_u32().await {
        let mut frame = vec![0; length as usize];
        if from.read_exact(&mut frame).await.is_err() {
            break;
        }
        for frame in pass(frame) {
            let length = u32::try_from(frame.len()).unwrap();
            if to.write_u32(length).await.is_err() || to.write_all(&frame).await.is_err() {
                return;
            }
        }
    }
    let _ = to.shutdown().await;
}
