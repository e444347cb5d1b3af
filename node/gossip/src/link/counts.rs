//! What happened on one link, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use chitchat::{ChitchatMessage, Serializable as _};

/// Figures of one link, since the start.
#[derive(Debug, Default)]
pub struct LinkCounts {
    /// Times that the link was made.
    pub connects: AtomicU64,
    /// Messages dropped because the link was down, or too slow for its queue.
    pub messages_dropped: AtomicU64,
    /// Messages that carry a delta, sent and received.
    pub deltas_sent: AtomicU64,
    /// See `deltas_sent`.
    pub deltas_received: AtomicU64,
    /// Times that this server sent news without a round.
    pub pushes: AtomicU64,
    /// Rounds that this server began.
    pub rounds: AtomicU64,
    /// Rounds of these that did not end in time.
    pub rounds_timed_out: AtomicU64,
    /// Frames sent and received.
    pub frames_sent: AtomicU64,
    /// See `frames_sent`.
    pub frames_received: AtomicU64,
    /// Frames received and skipped, since this program does not know their kinds.
    pub frames_skipped: AtomicU64,
    /// Bytes sent and received in frames.
    pub bytes_sent: AtomicU64,
    /// See `bytes_sent`.
    pub bytes_received: AtomicU64,
}

impl LinkCounts {
    /// A frame of this length was sent.
    pub fn note_sent(&self, bytes: usize) {
        self.frames_sent.fetch_add(1, Ordering::Relaxed);
        self.bytes_sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A message of chitchat goes out.
    pub fn note_message_sent(&self, message: &ChitchatMessage) {
        let carried = u64::from(delta_bytes(message).is_some());
        self.deltas_sent.fetch_add(carried, Ordering::Relaxed);
    }

    /// A message of chitchat came in, with a delta or without.
    pub fn note_message_received(&self, has_delta: bool) {
        let carried = u64::from(has_delta);
        self.deltas_received.fetch_add(carried, Ordering::Relaxed);
    }

    /// A frame was skipped that this program does not know.
    pub fn note_skipped(&self) {
        self.frames_skipped.fetch_add(1, Ordering::Relaxed);
    }

    /// A frame of this length was received.
    pub fn note_received(&self, bytes: usize) {
        self.frames_received.fetch_add(1, Ordering::Relaxed);
        self.bytes_received
            .fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// The size of the delta that a message carries: a push and both replies of a round do, even if there is nothing new in it.
pub fn delta_bytes(message: &ChitchatMessage) -> Option<usize> {
    match message {
        ChitchatMessage::SynAck { delta, .. } | ChitchatMessage::Ack { delta } => {
            Some(delta.serialized_len())
        }
        _ => None,
    }
}
