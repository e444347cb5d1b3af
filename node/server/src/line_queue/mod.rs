//! Lines on their way to a file that may be slow, full or stuck: a queue with a bound in bytes, and writing that knows
//! where a line was cut off. Each log has a thread of its own that takes from its queue; only that thread waits.

mod line_writer;
mod queue;

pub(crate) use line_writer::{CutOff, LineWriter, line_count};
#[cfg(test)]
pub(crate) use queue::LOSSES_WAIT;
pub(crate) use queue::{Chunk, Queue, QueueBounds, Taken};
