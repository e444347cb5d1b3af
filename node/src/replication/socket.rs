//! The links as chitchat sees them: a transport with one socket.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use chitchat::ChitchatMessage;
use chitchat::transport::{Socket, Transport};
use tokio::sync::mpsc;

use super::links::{Inbound, Links};
use super::timing::INBOUND_MESSAGES_MAX;

/// Opens a socket over the links of a server. The socket opened last is the one that gets messages.
pub(super) struct LinkTransport {
    pub(super) links: Arc<Links>,
}

struct LinkSocket {
    links: Arc<Links>,
    inbound: mpsc::Receiver<Inbound>,
    /// The message that was handed out last ends a round that this neighbour began, or is a push of its.
    ends_theirs: Option<SocketAddr>,
}

#[async_trait]
impl Transport for LinkTransport {
    async fn open(&self, _listen_addr: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let (sender, inbound) = mpsc::channel(INBOUND_MESSAGES_MAX);
        self.links.set_inbound(Some(sender));
        Ok(Box::new(LinkSocket {
            links: self.links.clone(),
            inbound,
            ends_theirs: None,
        }))
    }
}

#[async_trait]
impl Socket for LinkSocket {
    /// Never waits: this runs inside chitchat's only loop. What cannot be sent is dropped and
    /// counted, for chitchat logs every error.
    async fn send(&mut self, to: SocketAddr, message: ChitchatMessage) -> anyhow::Result<()> {
        self.links.send(to, message);
        Ok(())
    }

    /// Cancel-safe, as the queue is.
    async fn recv(&mut self) -> anyhow::Result<Inbound> {
        // It asks again when it has processed what it got.
        if let Some(neighbour) = self.ends_theirs.take() {
            self.links.their_round_ended(neighbour);
        }
        let (from, message) = self
            .inbound
            .recv()
            .await
            .context("the links have gone away")?;
        self.links.set_processing(from);
        self.ends_theirs = matches!(message, ChitchatMessage::Ack { .. }).then_some(from);
        Ok((from, message))
    }
}
