//! Real chitchats, whose messages go where a test says.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use chitchat::transport::{Socket, Transport};
use chitchat::{
    ChitchatConfig, ChitchatHandle, ChitchatId, ChitchatMessage, Deserializable as _,
    FailureDetectorConfig, Serializable as _, spawn_chitchat,
};
use herd_gossip::guard::{Fault, Guard, LeftOut, MessageKind, Standpoint};
use herd_topology::Incarnation;
use herd_topology::gossip_address;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::forge::CLUSTER;

type Message = (SocketAddr, ChitchatMessage);

const QUEUE: usize = 16;
/// It answers at once.
const SILENCE_MAX: Duration = Duration::from_secs(30);

struct Pipes {
    inbound: Mutex<Option<mpsc::Receiver<Message>>>,
    outbound: mpsc::Sender<Message>,
}

struct Pipe {
    inbound: mpsc::Receiver<Message>,
    outbound: mpsc::Sender<Message>,
}

#[async_trait]
impl Transport for Pipes {
    async fn open(&self, _: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let inbound = self.inbound.lock().take().unwrap();
        let outbound = self.outbound.clone();
        Ok(Box::new(Pipe { inbound, outbound }))
    }
}

#[async_trait]
impl Socket for Pipe {
    async fn send(&mut self, to: SocketAddr, message: ChitchatMessage) -> anyhow::Result<()> {
        // A chitchat speaks by itself now and then; nobody listens then.
        let _ = self.outbound.try_send((to, message));
        Ok(())
    }

    async fn recv(&mut self) -> anyhow::Result<Message> {
        match self.inbound.recv().await {
            Some(message) => Ok(message),
            None => std::future::pending().await,
        }
    }
}

/// One chitchat, with the guard in front of it.
pub(crate) struct Node {
    pub(crate) handle: ChitchatHandle,
    pub(crate) guard: Guard,
    pub(crate) me: Incarnation,
    inbound: mpsc::Sender<Message>,
    outbound: mpsc::Receiver<Message>,
}

impl Node {
    pub(crate) async fn start(me: Incarnation, servers: &[&str]) -> Node {
        let address = gossip_address(&me.server);
        let (to_node, inbound) = mpsc::channel(QUEUE);
        let (outbound, from_node) = mpsc::channel(QUEUE);
        let config = ChitchatConfig {
            chitchat_id: ChitchatId::new(me.server.clone(), me.generation, address),
            cluster_id: CLUSTER.to_owned(),
            // It says nothing by itself.
            gossip_interval: Duration::from_secs(1_000_000),
            listen_addr: address,
            seed_nodes: Vec::new(),
            failure_detector_config: FailureDetectorConfig::default(),
            marked_for_deletion_grace_period: Duration::from_secs(3_600),
            catchup_callback: None,
            extra_liveness_predicate: None,
        };
        let pipes = Pipes {
            inbound: Mutex::new(Some(inbound)),
            outbound,
        };
        let handle = spawn_chitchat(config, Vec::new(), &pipes).await.unwrap();
        let servers: Vec<_> = servers.iter().map(|&name| name.into()).collect();
        Node {
            handle,
            guard: Guard::new(&servers),
            me,
            inbound: to_node,
            outbound: from_node,
        }
    }

    pub(crate) async fn set(&self, key: &str, value: &str) {
        self.handle
            .with_chitchat(|chitchat| chitchat.self_node_state().set(key, value))
            .await;
    }

    async fn own_version(&self) -> u64 {
        self.handle
            .with_chitchat(|chitchat| chitchat.self_node_state().max_version())
            .await
    }

    /// What it holds of an incarnation: the version, and keys with values and versions.
    pub(crate) async fn held(&self, of: &Incarnation) -> (u64, Vec<(String, String, u64)>) {
        let address = gossip_address(&of.server);
        let id = ChitchatId::new(of.server.clone(), of.generation, address);
        self.handle
            .with_chitchat(|chitchat| {
                let Some(state) = chitchat.node_state(&id) else {
                    return (0, Vec::new());
                };
                let held = state.key_values_including_deleted();
                let held =
                    held.map(|(key, value)| (key.to_owned(), value.value.clone(), value.version));
                (state.max_version(), held.collect())
            })
            .await
    }

    /// What the guard makes of bytes, as chitchat reads it.
    async fn checked(&self, bytes: &[u8]) -> Result<ChitchatMessage, Fault> {
        let standpoint = Standpoint {
            cluster: CLUSTER,
            own: &self.me,
            own_version: self.own_version().await,
            generation_max: u64::MAX >> 1,
        };
        let checked = self.guard.check(bytes, &standpoint)?;
        let message = ChitchatMessage::deserialize(&mut checked.bytes.as_slice());
        Ok(message.expect("chitchat reads what the guard lets through"))
    }

    async fn hand_in(&self, from: &str, message: ChitchatMessage) {
        let sent = self.inbound.send((gossip_address(from), message));
        sent.await.unwrap();
    }

    /// Takes bytes from a neighbour as a server does, and says whether the guard let them through.
    pub(crate) async fn take(&self, from: &str, bytes: &[u8]) -> Result<(), Fault> {
        let message = self.checked(bytes).await?;
        self.hand_in(from, message).await;
        Ok(())
    }

    /// Takes what a chitchat said: it means the same behind the guard, but for a delta that unpacks to more than the
    /// bound, of which the rest comes later.
    async fn take_whole(&self, from: &str, bytes: &[u8]) -> Result<(), Fault> {
        let counts = self.guard.counts();
        let cut = counts.left_out(LeftOut::Size);
        let message = self.checked(bytes).await?;
        if counts.left_out(LeftOut::Size) == cut {
            let said = ChitchatMessage::deserialize(&mut &*bytes).unwrap();
            assert_eq!(meaning(&message), meaning(&said));
        }
        assert_eq!(counts.left_out(LeftOut::Own), 0);
        self.hand_in(from, message).await;
        Ok(())
    }

    /// The next message of this kind that this chitchat sends there, as it goes over a link. It may begin a round by
    /// itself at its first tick, which comes when it likes, and speaks of that in between.
    pub(crate) async fn said(&mut self, kind: MessageKind, to: &Incarnation) -> Vec<u8> {
        let to = gossip_address(&to.server);
        loop {
            let said = tokio::time::timeout(SILENCE_MAX, self.outbound.recv()).await;
            let (address, message) = said.expect("it says something").unwrap();
            if address == to && kind_of(&message) == Some(kind) {
                return message.serialize_to_vec();
            }
        }
    }

    /// Waits until it has processed all that it was given. If that ended it, this fails.
    pub(crate) async fn settle(&mut self) {
        while self.outbound.try_recv().is_ok() {}
        self.handle.gossip(gossip_address("nobody")).unwrap();
        let ended = self.handle.termination_watcher();
        loop {
            tokio::select! {
                ended = self.handle.termination_watcher() => panic!("chitchat has ended: {ended:?}"),
                said = self.outbound.recv() => {
                    if said.unwrap().0 == gossip_address("nobody") {
                        break;
                    }
                }
            }
        }
        drop(ended);
    }

    /// A whole round, which this node begins. Each message passes, and what the guard makes of it means the same.
    pub(crate) async fn round(&mut self, other: &mut Node) -> Result<(), Fault> {
        self.settle().await;
        self.handle
            .gossip(gossip_address(&other.me.server))
            .unwrap();
        let (me, them) = (self.me.clone(), other.me.clone());
        let syn = self.said(MessageKind::Syn, &them).await;
        other.take_whole(&me.server, &syn).await?;
        let syn_ack = other.said(MessageKind::SynAck, &me).await;
        self.take_whole(&them.server, &syn_ack).await?;
        let ack = self.said(MessageKind::Ack, &them).await;
        other.take_whole(&me.server, &ack).await?;
        other.settle().await;
        Ok(())
    }
}

fn kind_of(message: &ChitchatMessage) -> Option<MessageKind> {
    match message {
        ChitchatMessage::Syn { .. } => Some(MessageKind::Syn),
        ChitchatMessage::SynAck { .. } => Some(MessageKind::SynAck),
        ChitchatMessage::Ack { .. } => Some(MessageKind::Ack),
        ChitchatMessage::BadCluster => None,
    }
}

/// All that a message says. The length of a delta is that of its blocks, which the guard makes anew.
pub(crate) fn meaning(message: &ChitchatMessage) -> String {
    let text = format!("{message:?}");
    let Some((before, after)) = text.rsplit_once("serialized_len: ") else {
        return text;
    };
    let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
    [before, after].concat()
}
