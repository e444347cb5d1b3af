//! Bytes received and not understood yet.

/// How much is read at once, to begin with.
const INPUT_BYTES_MIN: usize = 64 * 1024;

/// The longest reply, in bytes.
pub(super) const INPUT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A buffer that grows until the longest reply fits.
#[derive(Debug)]
pub(super) struct Input {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    pub(super) fn new() -> Self {
        Input {
            bytes: vec![0; INPUT_BYTES_MIN],
            start: 0,
            end: 0,
        }
    }

    /// The bytes that were received and not consumed.
    pub(super) fn received(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Where to receive more; empty if the longest reply would not fit.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.end == self.bytes.len() {
                let grown = (2 * self.bytes.len()).min(INPUT_BYTES_MAX);
                self.bytes.resize(grown, 0);
            }
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// Says how much of the room was filled.
    pub(super) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// Takes bytes away at the start.
    pub(super) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Receives all of `bytes`, in as many pieces as the room asks for.
    fn receive(input: &mut Input, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = input.room();
            let (now, later) = bytes.split_at(bytes.len().min(room.len()));
            room[..now.len()].copy_from_slice(now);
            input.filled(now.len());
            bytes = later;
        }
    }

    #[test]
    fn unread_bytes_stay_in_order() {
        let mut input = Input::new();
        let mut expected = Vec::new();
        for number in 0..200_u32 {
            let piece = number.to_be_bytes().repeat(251);
            receive(&mut input, &piece);
            expected.extend_from_slice(&piece);
            input.consume(503);
            expected.drain(..503);
            assert_eq!(input.received(), expected);
        }
        assert!(expected.len() > INPUT_BYTES_MIN);
        input.consume(expected.len() - 1);
        receive(&mut input, b"end");
        assert_eq!(&input.received()[1..], b"end");
        input.clear();
        assert!(input.received().is_empty());
    }

    #[test]
    fn it_grows_to_its_bound() {
        let mut input = Input::new();
        loop {
            let room = input.room().len();
            if room == 0 {
                break;
            }
            input.filled(room);
        }
        assert_eq!(input.received().len(), INPUT_BYTES_MAX);
    }
}
