//! Messages on their way to chitchat.

use std::net::SocketAddr;
use std::sync::Arc;

use chitchat::{ChitchatMessage, Deserializable as _};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::guard::{Checked, Fault};
use super::timing::{INBOUND_BYTES_MAX, INBOUND_MESSAGES_MAX};

/// Room is counted in units of this many bytes.
const UNIT_BYTES: usize = 1_024;
/// All room there is.
const UNITS: u32 = (INBOUND_BYTES_MAX / UNIT_BYTES) as u32;

/// A message and the neighbour that it came from.
#[derive(Debug)]
pub struct Inbound {
    /// The neighbour, by its address in gossip.
    pub from: SocketAddr,
    /// The message.
    pub message: ChitchatMessage,
    /// What it takes of the room for messages, until it is processed; nothing for our own.
    pub room: Option<OwnedSemaphorePermit>,
}

/// The way to chitchat, while it runs.
#[derive(Debug)]
pub struct Inbox {
    queue: Mutex<Option<mpsc::Sender<Inbound>>>,
    room: Arc<Semaphore>,
}

impl Default for Inbox {
    fn default() -> Self {
        Inbox {
            queue: Mutex::new(None),
            room: Arc::new(Semaphore::new(UNITS as usize)),
        }
    }
}

impl Inbox {
    /// Opens the way for a new engine, which takes messages from here.
    pub fn open(&self) -> mpsc::Receiver<Inbound> {
        let (sender, receiver) = mpsc::channel(INBOUND_MESSAGES_MAX);
        *self.queue.lock() = Some(sender);
        receiver
    }

    /// Hands in a message of our own, in the name of a neighbour.
    pub async fn hand_in(&self, from: SocketAddr, message: ChitchatMessage) {
        let room = None;
        self.push(Inbound {
            from,
            message,
            room,
        })
        .await;
    }

    /// Hands in a message of a neighbour's, waiting while there is no room. While chitchat does not run the message is
    /// lost, which gossip makes good.
    ///
    /// # Errors
    /// If chitchat cannot read what the guard let through.
    pub async fn hand_in_checked(&self, from: SocketAddr, checked: Checked) -> Result<(), Fault> {
        let units = u32::try_from(checked.cost_bytes.div_ceil(UNIT_BYTES)).unwrap_or(UNITS);
        let room = self.room.clone().acquire_many_owned(units.min(UNITS)).await;
        let message = ChitchatMessage::deserialize(&mut checked.bytes.as_slice())
            .map_err(|_| Fault::NotGossip)?;
        drop(checked);
        // The room is never closed.
        let room = room.ok();
        self.push(Inbound {
            from,
            message,
            room,
        })
        .await;
        Ok(())
    }

    async fn push(&self, inbound: Inbound) {
        let queue = self.queue.lock().clone();
        if let Some(queue) = queue {
            let _ = queue.send(inbound).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use chitchat::Serializable as _;
    use futures_util::FutureExt as _;

    use super::super::guard::MessageKind;
    use super::*;

    fn message(cost_bytes: usize) -> Checked {
        let mut bytes = Vec::new();
        ChitchatMessage::BadCluster.serialize(&mut bytes);
        Checked {
            kind: MessageKind::Ack,
            bytes,
            delta_bytes: None,
            own_heartbeat: None,
            cost_bytes,
        }
    }

    #[tokio::test]
    async fn messages_are_not_taken_while_those_before_leave_no_room() {
        let inbox = Inbox::default();
        let mut queue = inbox.open();
        let from = SocketAddr::from(([127, 0, 0, 1], 1));
        for _ in 0..2 {
            let half = message(INBOUND_BYTES_MAX / 2);
            inbox.hand_in_checked(from, half).await.unwrap();
        }
        let mut third = Box::pin(inbox.hand_in_checked(from, message(1)));
        assert!(third.as_mut().now_or_never().is_none());
        // It is processed when it is dropped.
        drop(queue.recv().await);
        third.await.unwrap();
        // One that takes more than there is waits for all of it, and not for ever.
        let mut fourth = Box::pin(inbox.hand_in_checked(from, message(2 * INBOUND_BYTES_MAX)));
        assert!(fourth.as_mut().now_or_never().is_none());
        for _ in 0..2 {
            drop(queue.recv().await);
        }
        fourth.await.unwrap();
    }
}
