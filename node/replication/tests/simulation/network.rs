//! A network in memory, of connections that carry frames as [`super::fate`] decides, and of stretches
//! that can be cut in either direction.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use herd_gossip::link::network::{ConnectError, Connected, Network};
use parking_lot::Mutex as SyncMutex;
use tokio::io::duplex;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::fate::{Fates, Weather};
use super::pump::{Direction, carry};
use super::trace::Trace;

const SOCKET_BYTES: usize = 64 * 1024;
const BACKLOG: usize = 16;

/// One direction of a stretch between two servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Way {
    #[default]
    Open,
    /// Nothing arrives, and nobody is told. What was sent arrives when it opens again, if the
    /// connection still stands.
    Silent,
    /// Connections end, and none are made.
    Off,
}

/// All servers' ends, and what lies between them.
#[derive(Clone)]
pub(super) struct SimNetwork {
    inner: Arc<Inner>,
}

struct Inner {
    seed: u64,
    trace: Trace,
    weather: watch::Sender<Weather>,
    hosts: SyncMutex<BTreeMap<String, Host>>,
    ways: SyncMutex<BTreeMap<(String, String), watch::Sender<Way>>>,
    connections: SyncMutex<u64>,
}

/// What the network knows of the process that runs on a server.
#[derive(Clone)]
struct Host {
    listener: mpsc::Sender<Connected>,
    /// Its machine has no power: it does not even say that its connections have ended.
    dark: CancellationToken,
}

/// One process's end of the network.
pub(super) struct Endpoint {
    name: String,
    network: SimNetwork,
    accepted: Mutex<mpsc::Receiver<Connected>>,
    dark: CancellationToken,
}

impl SimNetwork {
    pub(super) fn new(seed: u64) -> Self {
        SimNetwork::traced(seed, Trace::default())
    }

    /// The same, whose frames are traced.
    pub(super) fn traced(seed: u64, trace: Trace) -> Self {
        SimNetwork {
            inner: Arc::new(Inner {
                seed,
                trace,
                weather: watch::Sender::new(Weather::FINE),
                hosts: SyncMutex::default(),
                ways: SyncMutex::default(),
                connections: SyncMutex::new(0),
            }),
        }
    }

    /// The end of a process that starts on this server. Its machine loses power with `dark`.
    pub(super) fn endpoint(&self, name: &str, dark: CancellationToken) -> Endpoint {
        let (listener, accepted) = mpsc::channel(BACKLOG);
        let host = Host {
            listener,
            dark: dark.clone(),
        };
        self.inner.hosts.lock().insert(name.to_owned(), host);
        Endpoint {
            name: name.to_owned(),
            network: self.clone(),
            accepted: Mutex::new(accepted),
            dark,
        }
    }

    pub(super) fn set_weather(&self, weather: Weather) {
        self.inner.weather.send_replace(weather);
    }

    pub(super) fn set(&self, from: &str, to: &str, way: Way) {
        self.way(from, to, |sender| {
            sender.send_replace(way);
        });
    }

    pub(super) fn open_all(&self) {
        for way in self.inner.ways.lock().values() {
            way.send_replace(Way::Open);
        }
    }

    fn way<T>(&self, from: &str, to: &str, with: impl FnOnce(&watch::Sender<Way>) -> T) -> T {
        let mut ways = self.inner.ways.lock();
        with(ways.entry((from.to_owned(), to.to_owned())).or_default())
    }

    /// What becomes of the frames of a new connection: the same for the same number of connections before it.
    fn fates(&self) -> [Fates; 2] {
        let mut connections = self.inner.connections.lock();
        *connections += 1;
        let seed = self.inner.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        [0, 1].map(|direction| Fates::new(seed.wrapping_add(2 * *connections + direction)))
    }
}

#[async_trait]
impl Network for Endpoint {
    /// `address` is a server's name.
    async fn connect(&self, address: &str) -> Result<Connected, ConnectError> {
        let refused = || ConnectError::Connect(io::ErrorKind::ConnectionRefused.into());
        let network = &self.network;
        let there = network.way(&self.name, address, watch::Sender::subscribe);
        let back = network.way(address, &self.name, watch::Sender::subscribe);
        let [mut out_fates, in_fates] = network.fates();
        let delay = out_fates.delay(&network.inner.weather.borrow());
        sleep(delay).await;
        for way in [&there, &back] {
            let way = *way.borrow();
            match way {
                Way::Open => {}
                Way::Off => return Err(refused()),
                // The caller's time-out ends it.
                Way::Silent => std::future::pending().await,
            }
        }
        let host = network.inner.hosts.lock().get(address).cloned();
        let host = host.ok_or_else(refused)?;
        let (near, near_relay) = duplex(SOCKET_BYTES);
        let (far_relay, far) = duplex(SOCKET_BYTES);
        let incoming = Connected {
            stream: Box::new(far),
            remote: self.name.clone(),
        };
        host.listener.try_send(incoming).map_err(|_| refused())?;
        let weather = network.inner.weather.subscribe();
        let out = Direction {
            way: there,
            weather: weather.clone(),
            fates: out_fates,
            dark: self.dark.clone(),
            receiver_dark: host.dark.clone(),
            name: format!("{}>{address}", self.name),
            trace: network.inner.trace.clone(),
        };
        let back = Direction {
            way: back,
            weather,
            fates: in_fates,
            dark: host.dark,
            receiver_dark: self.dark.clone(),
            name: format!("{address}>{}", self.name),
            trace: network.inner.trace.clone(),
        };
        tokio::spawn(carry(near_relay, far_relay, out, back));
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
