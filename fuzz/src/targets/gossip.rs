//! Messages of a neighbour to the guard of gossip, and the messages that it lets through to a chitchat. The chitchat
//! reads them, does not end, and still publishes the same.
//!
//! An input is several messages, each behind its length of two bytes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use chitchat::transport::{Socket, Transport};
use chitchat::{
    ChitchatConfig, ChitchatHandle, ChitchatId, ChitchatMessage, Deserializable as _,
    FailureDetectorConfig, spawn_chitchat,
};
use herd_gossip::guard::{Guard, Standpoint};
use herd_topology::Incarnation;
use herd_topology::gossip_address;
use tokio::sync::mpsc;

const CLUSTER: &str = "herd";
const GENERATION: u64 = 7;
const GENERATION_MAX: u64 = 1_000_000;
/// Messages of one input that are looked at.
const MESSAGES_MAX: usize = 16;
/// The same in bytes: no more ids than leave room in a digest, which is not the guard's to see to.
const INPUT_BYTES_MAX: usize = 32 * 1024;

type Message = (SocketAddr, ChitchatMessage);
type Inbound = mpsc::Receiver<Message>;

/// The end of a chitchat that this target is at.
#[derive(Clone)]
struct Pipes {
    inbound: Arc<Mutex<Option<Inbound>>>,
    /// Where it sent its messages to.
    sent: mpsc::Sender<SocketAddr>,
}

struct Pipe {
    inbound: Inbound,
    sent: mpsc::Sender<SocketAddr>,
}

#[async_trait]
impl Transport for Pipes {
    async fn open(&self, _: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let mut inbound = self.inbound.lock().unwrap_or_else(PoisonError::into_inner);
        let inbound = inbound.take().context("it is opened once")?;
        let sent = self.sent.clone();
        Ok(Box::new(Pipe { inbound, sent }))
    }
}

#[async_trait]
impl Socket for Pipe {
    async fn send(&mut self, to: SocketAddr, _: ChitchatMessage) -> anyhow::Result<()> {
        let _ = self.sent.send(to).await;
        Ok(())
    }

    async fn recv(&mut self) -> anyhow::Result<Message> {
        match self.inbound.recv().await {
            Some(message) => Ok(message),
            None => std::future::pending().await,
        }
    }
}

async fn hill(pipes: &Pipes) -> ChitchatHandle {
    let address = gossip_address("Hill");
    let config = ChitchatConfig {
        chitchat_id: ChitchatId::new("Hill".to_owned(), GENERATION, address),
        cluster_id: CLUSTER.to_owned(),
        gossip_interval: Duration::from_secs(1_000_000),
        listen_addr: address,
        seed_nodes: Vec::new(),
        failure_detector_config: FailureDetectorConfig::default(),
        marked_for_deletion_grace_period: Duration::from_secs(3_600),
        catchup_callback: None,
        extra_liveness_predicate: None,
    };
    let published = vec![("slot/00000000".to_owned(), "mine".to_owned())];
    match spawn_chitchat(config, published, pipes).await {
        Ok(handle) => handle,
        Err(error) => panic!("no chitchat: {error}"),
    }
}

/// The messages of an input.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let messages = std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (message, rest) = rest.split_at(length);
        bytes = rest;
        Some(message)
    });
    messages.take(MESSAGES_MAX)
}

/// The messages that the guard lets through.
fn checked(guard: &Guard, bytes: &[u8]) -> Option<ChitchatMessage> {
    let own = Incarnation {
        server: "Hill".into(),
        generation: GENERATION,
    };
    let standpoint = Standpoint {
        cluster: CLUSTER,
        own: &own,
        own_version: 1,
        generation_max: GENERATION_MAX,
    };
    let checked = guard.check(bytes, &standpoint).ok()?;
    match ChitchatMessage::deserialize(&mut checked.bytes.as_slice()) {
        Ok(message) => Some(message),
        Err(error) => panic!("chitchat does not read what the guard lets through: {error}"),
    }
}

async fn take(taken: Vec<ChitchatMessage>) {
    // It answers each, and says something at the end and perhaps by itself.
    let (sent, mut answers) = mpsc::channel(2 * MESSAGES_MAX);
    let (to_hill, inbound) = mpsc::channel(MESSAGES_MAX);
    let inbound = Arc::new(Mutex::new(Some(inbound)));
    let handle = hill(&Pipes { inbound, sent }).await;
    for message in taken {
        if to_hill
            .send((gossip_address("Smith"), message))
            .await
            .is_err()
        {
            panic!("chitchat has ended");
        }
    }
    // It has taken all when its queue has all its room again.
    if to_hill.reserve_many(MESSAGES_MAX).await.is_err() {
        panic!("chitchat has ended");
    }
    let end = gossip_address("nobody");
    if handle.gossip(end).is_err() {
        panic!("chitchat has ended");
    }
    loop {
        match answers.recv().await {
            Some(to) if to == end => break,
            Some(_) => {}
            None => panic!("chitchat has ended"),
        }
    }
    let version = handle.with_chitchat(|chitchat| chitchat.self_node_state().max_version());
    assert_eq!(version.await, 1, "others changed what it publishes");
}

pub(super) fn run(bytes: &[u8]) {
    let guard = Guard::new(&["Hill".into(), "Smith".into(), "Jaquez".into()]);
    let bytes = bytes.get(..INPUT_BYTES_MAX).unwrap_or(bytes);
    let taken: Vec<_> = messages(bytes)
        .filter_map(|message| checked(&guard, message))
        .collect();
    if taken.is_empty() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(take(taken)),
        Err(error) => panic!("no runtime: {error}"),
    }
}
