//! The bounded queue between the tasks that log and the thread that writes.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// How many empty chunks are kept for reuse.
const SPARE_CHUNKS_MAX: usize = 4;

/// How long losses wait to be told if no line follows. A sink that fails loses the notice as well, and is asked no more
/// often than this.
pub(crate) const LOSSES_WAIT: Duration = Duration::from_millis(200);

/// The limits of a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueBounds {
    /// The most memory that waiting lines may take, in bytes.
    pub(crate) bytes_max: usize,
    /// Lines are gathered in chunks of this size, in bytes.
    pub(crate) chunk_bytes: usize,
    /// How long a chunk that is not full waits for more: the longest that a line stays unwritten when
    /// its sink keeps up.
    pub(crate) gather_time: Duration,
}

/// Whole lines for the sink.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// How many lines were lost just before these.
    pub(crate) lost_before: u64,
    /// Lines, each with its LF.
    pub(crate) bytes: Vec<u8>,
}

/// The result of [`Queue::take`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Something to write; give it back with [`Queue::written`].
    Chunk(Chunk),
    /// The queue was closed and is empty.
    Closed,
}

#[derive(Default)]
struct QueueState {
    chunks: VecDeque<Chunk>,
    spare: Vec<Vec<u8>>,
    /// Memory of `chunks` and of the chunk that is being written.
    held_bytes: usize,
    /// Lines lost since the last chunk was begun.
    lost: u64,
    /// The thread is to come back from waiting, with a chunk or with none.
    woken: bool,
    closed: bool,
    told_after_close: bool,
}

/// A queue of bytes with a budget. Pushing never waits for the other side to write.
pub(crate) struct Queue {
    bounds: QueueBounds,
    state: Mutex<QueueState>,
    changed: Condvar,
}

impl Queue {
    pub(crate) fn new(bounds: QueueBounds) -> Self {
        Queue {
            bounds,
            state: Mutex::new(QueueState::default()),
            changed: Condvar::new(),
        }
    }

    /// Adds whole lines. If there is no room, or the queue is closed, they are lost and the next
    /// chunk says so; then this is false.
    pub(crate) fn push(&self, bytes: &[u8], lines: u64) -> bool {
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
        let chunk_bytes = self.bounds.chunk_bytes;
        let wanted = bytes.len().max(chunk_bytes);
        if state.held_bytes + wanted > self.bounds.bytes_max {
            state.lost += lines;
            return false;
        }
        let mut chunk = match state.spare.pop() {
            Some(spare) if wanted == chunk_bytes => spare,
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

    /// Waits for the next chunk: until one is full, or has waited for the time to gather. Comes back with no lines if
    /// it was woken.
    pub(crate) fn take(&self) -> Taken {
        let mut state = self.state.lock();
        loop {
            while state.chunks.is_empty() && state.lost == 0 && !state.closed && !state.woken {
                self.changed.wait(&mut state);
            }
            let gather_time = if state.chunks.is_empty() {
                self.bounds.gather_time.max(LOSSES_WAIT)
            } else {
                self.bounds.gather_time
            };
            if state.chunks.len() <= 1 && !state.closed && !state.woken && !gather_time.is_zero() {
                self.changed.wait_for(&mut state, gather_time);
            }
            if std::mem::take(&mut state.woken) {
                return Taken::Chunk(state.chunks.pop_front().unwrap_or_default());
            }
            if let Some(chunk) = state.chunks.pop_front() {
                return Taken::Chunk(chunk);
            }
            // After the close, report the last losses once only, because the disk itself may be failing.
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
    pub(crate) fn written(&self, mut bytes: Vec<u8>, lost: u64) {
        let mut state = self.state.lock();
        state.lost += lost;
        state.held_bytes = state.held_bytes.saturating_sub(bytes.capacity());
        if bytes.capacity() == self.bounds.chunk_bytes && state.spare.len() < SPARE_CHUNKS_MAX {
            bytes.clear();
            state.spare.push(bytes);
        }
    }

    /// Makes [`Queue::take`] come back.
    pub(crate) fn wake(&self) {
        self.state.lock().woken = true;
        self.changed.notify_one();
    }

    /// Takes no more lines. The lines in it can still be taken out.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK_BYTES: usize = 1_024;

    fn queue(bytes_max: usize) -> Queue {
        Queue::new(QueueBounds {
            bytes_max,
            chunk_bytes: CHUNK_BYTES,
            gather_time: Duration::from_millis(1),
        })
    }

    fn chunk(taken: Taken) -> Chunk {
        match taken {
            Taken::Chunk(chunk) => chunk,
            Taken::Closed => panic!("closed"),
        }
    }

    #[test]
    fn batches_are_gathered_in_order() {
        let queue = queue(8 * CHUNK_BYTES);
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
        let queue = queue(2 * CHUNK_BYTES);
        let batch = vec![b'x'; CHUNK_BYTES];
        assert!(queue.push(&batch, 1));
        assert!(queue.push(&batch, 1));
        assert!(!queue.push(b"lost\nlost\n", 2));
        assert!(!queue.push(b"lost\n", 1));
        let first = chunk(queue.take());
        assert_eq!(first.lost_before, 0);
        // The chunk that is being written still counts.
        assert!(!queue.push(b"lost\n", 1));
        queue.written(first.bytes, 0);
        assert!(queue.push(b"kept\n", 1));
        assert_eq!(chunk(queue.take()).bytes.len(), CHUNK_BYTES);
        let taken = chunk(queue.take());
        assert_eq!((taken.lost_before, &taken.bytes[..]), (4, &b"kept\n"[..]));
    }

    #[test]
    fn losses_are_reported_without_later_lines() {
        let queue = queue(0);
        assert!(!queue.push(b"lost\n", 1));
        assert_eq!(chunk(queue.take()).lost_before, 1);
        queue.written(Vec::new(), 1);
        queue.close();
        assert!(!queue.push(b"late\n", 1));
        assert_eq!(chunk(queue.take()).lost_before, 2);
        queue.written(Vec::new(), 2);
        assert_eq!(queue.take(), Taken::Closed);
    }

    #[test]
    fn a_taker_can_be_woken() {
        let queue = queue(8 * CHUNK_BYTES);
        queue.wake();
        assert_eq!(queue.take(), Taken::Chunk(Chunk::default()));
        queue.push(b"a\n", 1);
        queue.wake();
        assert_eq!(chunk(queue.take()).bytes, b"a\n");
    }
}
