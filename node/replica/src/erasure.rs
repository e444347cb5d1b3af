//! What the eraser of forgotten clients asks the publisher.

use std::sync::Arc;

use herd_crdt::SlotId;

/// Says of a record in one of this server's slots, by the slot and the hash of the record's client, whether it is dead and
/// holds a location that has to go.
pub type IsErased = dyn Fn(SlotId, u64) -> bool + Send + Sync;

/// What the publisher is asked. Each answer is [`crate::publishing::Effect::LookedThrough`].
pub enum Question {
    /// To write the slots anew that hold such records. The answer is their number.
    Begin(Arc<IsErased>),
    /// How many of them are left.
    Left,
}
