//! The links as chitchat sees them: a transport with one socket.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use chitchat::ChitchatMessage;
use chitchat::transport::{Socket, Transport};
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, mpsc};

use super::inbound::Inbound;
use super::links::Links;

/// Opens a socket over the links of a server. The socket opened last is the one that gets messages.
pub(crate) struct LinkTransport {
    pub(crate) links: Arc<Links>,
}

struct LinkSocket {
    links: Arc<Links>,
    inbound: mpsc::Receiver<Inbound>,
    /// It came, and was not handed out yet.
    next: Option<Inbound>,
    /// chitchat is processing the message that was handed out last.
    in_hand: Option<OwnedMutexGuard<()>>,
    /// The message that was handed out last ends a round that this neighbour began, or is a push of its.
    ends_theirs: Option<SocketAddr>,
    /// What that message takes of the room for messages.
    room: Option<OwnedSemaphorePermit>,
}

#[async_trait]
impl Transport for LinkTransport {
    async fn open(&self, _listen_addr: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let inbound = self.links.inbox.open();
        self.links.ids.lock().begin(&self.links.incarnation());
        Ok(Box::new(LinkSocket {
            links: self.links.clone(),
            inbound,
            next: None,
            in_hand: None,
            ends_theirs: None,
            room: None,
        }))
    }
}

#[async_trait]
impl Socket for LinkSocket {
    /// Never waits: this runs inside chitchat's only loop. What cannot be sent is dropped and
    /// counted, for chitchat logs every error. So are the SYNs of chitchat's own ticks: the pacer begins rounds.
    async fn send(&mut self, to: SocketAddr, message: ChitchatMessage) -> anyhow::Result<()> {
        match message {
            ChitchatMessage::Syn { .. } => self.links.note_suppressed(),
            message => self.links.send(to, message),
        }
        Ok(())
    }

    /// Cancel-safe: what was taken from the queue is kept until it is handed out.
    async fn recv(&mut self) -> anyhow::Result<(SocketAddr, ChitchatMessage)> {
        // It asks again when it has processed what it got.
        self.in_hand = None;
        self.room = None;
        if let Some(neighbour) = self.ends_theirs.take() {
            self.links.their_round_ended(neighbour);
        }
        if self.next.is_none() {
            let next = self.inbound.recv().await;
            self.next = Some(next.context("the links have gone away")?);
        }
        // A tick that is due at the same time comes first: chitchat draws which of two it takes, and takes what is ready.
        tokio::task::yield_now().await;
        let in_hand = self.links.message_gate.clone().lock_owned().await;
        let Inbound {
            from,
            message,
            room,
        } = self.next.take().context("it was there")?;
        self.room = room;
        self.in_hand = Some(in_hand);
        // Its ids last: nothing is forgotten between this and the end of its processing.
        let message = self.links.admit(message);
        self.links.set_processing(from);
        self.ends_theirs = matches!(message, ChitchatMessage::Ack { .. }).then_some(from);
        Ok((from, message))
    }
}
