//! The bounded queue between those who log and the thread that writes.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// The most memory that lines which wait for the disk may take, in bytes.
pub const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Lines are gathered in chunks of this size, in bytes.
const CHUNK_BYTES: usize = 256 * 1024;

/// How many empty chunks are kept for reuse.
const SPARE_CHUNKS_MAX: usize = 4;

/// How long a chunk that is not full waits for more: the longest that a line stays unwritten when
/// the disk keeps up.
const GATHER_TIME: Duration = Duration::from_millis(200);

/// Whole lines for the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chunk {
    /// How many lines were lost just before these.
    pub(super) lost_before: u64,
    /// Lines, each with its LF.
    pub(super) bytes: Vec<u8>,
}

/// What [`Queue::take`] gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Something to write; give it back with [`Queue::written`].
    Chunk(Chunk),
    /// The queue was closed and is empty.
    Closed,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<Chunk>,
    spare: Vec<Vec<u8>>,
    /// Memory of `chunks` and of the chunk that is being written.
    held_bytes: usize,
    /// Lines lost since the last chunk was begun.
    lost: u64,
    closed: bool,
    told_after_close: bool,
}

/// A queue of bytes with a budget. Pushing never waits for the other side to write.
pub(super) struct Queue {
    bytes_max: usize,
    state: Mutex<State>,
    changed: Condvar,
}

impl Queue {
    pub(super) fn new(bytes_max: usize) -> Self {
        Queue {
            bytes_max,
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
        }
    }

    /// Adds whole lines. If there is no room, or the queue is closed, they are lost and the next
    /// chunk says so; then this is false.
    pub(super) fn push(&self, bytes: &[u8], lines: u64) -> bool {
        let mut state = self.state.lock();
        if state.closed {
            state.lost += lines;
            return false;
        }
        let lost = state.lost;
        if let Some(last) = state.chunks.back_mut()
            && lost == 0
            && last.bytes.capacity() - last.bytes.len() >= bytes.len()
        {
            last.bytes.extend_from_slice(bytes);
            return true;
        }
        let wanted = bytes.len().max(CHUNK_BYTES);
        if state.held_bytes + wanted > self.bytes_max {
            state.lost += lines;
            return false;
        }
        let mut chunk = match state.spare.pop() {
            Some(spare) if wanted == CHUNK_BYTES => spare,
            _ => Vec::with_capacity(wanted),
        };
        chunk.extend_from_slice(bytes);
        state.held_bytes += chunk.capacity();
        let lost_before = std::mem::take(&mut state.lost);
        state.chunks.push_back(Chunk {
            lost_before,
            bytes: chunk,
        });
        drop(state);
        self.changed.notify_one();
        true
    }

    /// Waits for the next chunk: until one is full, or has waited for [`GATHER_TIME`].
    pub(super) fn take(&self) -> Taken {
        let mut state = self.state.lock();
        loop {
            while state.chunks.is_empty() && state.lost == 0 && !state.closed {
                self.changed.wait(&mut state);
            }
            if state.chunks.len() <= 1 && !state.closed {
                self.changed.wait_for(&mut state, GATHER_TIME);
            }
            if let Some(chunk) = state.chunks.pop_front() {
                return Taken::Chunk(chunk);
            }
            // Once closed, tell the last losses once: the disk may be what fails.
            if state.lost > 0 && !state.told_after_close {
                state.told_after_close = state.closed;
                return Taken::Chunk(Chunk {
                    lost_before: std::mem::take(&mut state.lost),
                    bytes: Vec::new(),
                });
            }
            if state.closed {
                return Taken::Closed;
            }
        }
    }

    /// Gives a chunk's memory back, and says how many lines the disk did not take.
    pub(super) fn written(&self, mut bytes: Vec<u8>, lost: u64) {
        let mut state = self.state.lock();
        state.lost += lost;
        state.held_bytes = state.held_bytes.saturating_sub(bytes.capacity());
        if bytes.capacity() == CHUNK_BYTES && state.spare.len() < SPARE_CHUNKS_MAX {
            bytes.clear();
            state.spare.push(bytes);
        }
    }

    /// Takes no more; what is in it can still be taken out.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(taken: Taken) -> Chunk {
        match taken {
            Taken::Chunk(chunk) => chunk,
            Taken::Closed => panic!("closed"),
        }
    }

    #[test]
    fn batches_are_gathered_in_order() {
        let queue = Queue::new(QUEUE_BYTES_MAX);
        assert!(queue.push(b"a\n", 1));
        assert!(queue.push(b"b\nc\n", 2));
        let taken = chunk(queue.take());
        assert_eq!(taken.bytes, b"a\nb\nc\n");
        assert_eq!(taken.lost_before, 0);
        queue.written(taken.bytes, 0);
        queue.close();
        assert_eq!(queue.take(), Taken::Closed);
    }

    #[test]
    fn a_full_queue_drops_and_the_next_chunk_says_how_many() {
        let queue = Queue::new(2 * CHUNK_BYTES);
        let batch = vec![b'x'; CHUNK_BYTES];
        assert!(queue.push(&batch, 1));
        assert!(queue.push(&batch, 1));
        assert!(!queue.push(b"lost\nlost\n", 2));
        assert!(!queue.push(b"lost\n", 1));
        let first = chunk(queue.take());
        assert_eq!(first.lost_before, 0);
        // What is being written still counts.
        assert!(!queue.push(b"lost\n", 1));
        queue.written(first.bytes, 0);
        assert!(queue.push(b"kept\n", 1));
        assert_eq!(chunk(queue.take()).bytes.len(), CHUNK_BYTES);
        let taken = chunk(queue.take());
        assert_eq!((taken.lost_before, &taken.bytes[..]), (4, &b"kept\n"[..]));
    }

    #[test]
    fn losses_are_told_even_if_nothing_follows() {
        let queue = Queue::new(0);
        assert!(!queue.push(b"lost\n", 1));
        assert_eq!(chunk(queue.take()).lost_before, 1);
        queue.written(Vec::new(), 1);
        queue.close();
        assert!(!queue.push(b"late\n", 1));
        assert_eq!(chunk(queue.take()).lost_before, 2);
        queue.written(Vec::new(), 2);
        assert_eq!(queue.take(), Taken::Closed);
    }
}
