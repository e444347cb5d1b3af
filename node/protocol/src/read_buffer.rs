//! The bytes of a connection that were read and are not taken yet, in a buffer that grows and shrinks with the reads.

/// Room for one read of a connection that sends little, in bytes.
pub const READ_BYTES_MIN: usize = 4 * 1024;

/// Room for one read of a connection that fills its reads, in bytes.
pub(crate) const READ_BYTES_MAX: usize = 64 * 1024;

/// Bytes that were read and not taken yet by the reader of their protocol. A message that arrives whole is never copied.
///
/// The buffer grows to no more than one byte above the limit, or one read's room (64 KiB) where that is more. It is given
/// back when nothing is stored and reads bring little. While nothing comes it may hold no memory at all: see
/// [`ReadBuffer::may_rest`].
#[derive(Debug)]
pub struct ReadBuffer {
    /// The longest message, in bytes.
    limit_bytes: usize,
    bytes: Vec<u8>,
    /// Where the bytes start that are not taken.
    start: usize,
    /// The end of the read bytes.
    end: usize,
    /// How much room the next read gets, in bytes.
    read_bytes: usize,
}

impl ReadBuffer {
    /// An empty buffer for messages of at most `limit_bytes`.
    pub(crate) fn new(limit_bytes: usize) -> Self {
        ReadBuffer {
            limit_bytes,
            bytes: Vec::new(),
            start: 0,
            end: 0,
            read_bytes: READ_BYTES_MIN,
        }
    }

    /// Where to read the next bytes to; never empty. Take all whole messages before, or the stored bytes grow beyond the
    /// limit.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == 0 && self.bytes.len() > self.read_bytes {
            // Grown for one long message, or for reads that brought more; do not hold that for the life of the
            // connection.
            self.bytes.truncate(self.read_bytes);
            self.bytes.shrink_to_fit();
        }
        let bytes_max = (self.limit_bytes + 1).max(self.read_bytes);
        let wanted = if self.end < bytes_max {
            (self.end + self.read_bytes).min(bytes_max)
        } else {
            // Whole messages were not taken.
            self.end + READ_BYTES_MIN
        };
        let is_short = self.bytes.len() - self.end < self.read_bytes / 2;
        if is_short && self.bytes.len() < wanted {
            // Exactly: a vector by itself would reserve as much again.
            self.bytes.reserve_exact(wanted - self.bytes.len());
            self.bytes.resize(wanted, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Says how many bytes were read into [`ReadBuffer::room`].
    pub fn filled(&mut self, read_bytes: usize) {
        let room = self.bytes.len() - self.end;
        self.end += read_bytes.min(room);
        if read_bytes >= room && room >= self.read_bytes / 2 {
            self.read_bytes = (self.read_bytes * 4).min(READ_BYTES_MAX);
        } else if read_bytes < room.min(self.read_bytes) / 16 {
            self.read_bytes = (self.read_bytes / 4).max(READ_BYTES_MIN);
        }
    }

    /// Whether the next read needs no room here: nothing is stored, and reads bring little. Who has many connections reads
    /// at most [`READ_BYTES_MIN`] to a place that they share, and hands these over by [`ReadBuffer::take_in`].
    #[must_use]
    pub fn may_rest(&self) -> bool {
        self.start == self.end && self.read_bytes == READ_BYTES_MIN
    }

    /// Gives its memory back if nothing is stored, since nothing comes. The next read is as the first one.
    pub fn rest(&mut self) {
        if self.start == self.end {
            self.bytes = Vec::new();
            (self.start, self.end) = (0, 0);
            self.read_bytes = READ_BYTES_MIN;
        }
    }

    /// Takes in the bytes of a read to another place. Only while it [may rest](ReadBuffer::may_rest).
    pub fn take_in(&mut self, bytes: &[u8]) {
        debug_assert!(self.may_rest(), "BUG: stored bytes would be lost");
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        (self.start, self.end) = (0, bytes.len());
        if bytes.len() >= READ_BYTES_MIN {
            self.read_bytes = (READ_BYTES_MIN * 4).min(READ_BYTES_MAX);
        }
    }

    /// Adds bytes that were read elsewhere.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.room();
            let len = room.len().min(bytes.len());
            let (now, later) = bytes.split_at(len);
            room[..len].copy_from_slice(now);
            self.filled(len);
            bytes = later;
        }
    }

    /// The bytes that were read and are not taken.
    #[must_use]
    pub fn stored(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Takes the first `bytes` of [`ReadBuffer::stored`], and returns them.
    pub(crate) fn take(&mut self, bytes: usize) -> &[u8] {
        let from = self.start;
        self.start = self.end.min(from.saturating_add(bytes));
        &self.bytes[from..self.start]
    }

    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}
