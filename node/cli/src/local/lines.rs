//! Bytes as they come to whole lines.

/// The longest line that is shown as one, in bytes.
pub(super) const LINE_BYTES_MAX: usize = 16 * 1024;

/// Collects bytes until a line is whole.
#[derive(Debug, Default)]
pub(super) struct LineCollector {
    begun: Vec<u8>,
}

impl LineCollector {
    /// Takes bytes in and gives each line that is whole now, without its line end. A line that is
    /// too long is given in pieces.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut give: impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            let room = LINE_BYTES_MAX - self.begun.len();
            let within = bytes.get(..room).unwrap_or(bytes);
            let (taken, whole) = match memchr::memchr(b'\n', within) {
                Some(end) => (end, true),
                None => (within.len(), within.len() == room),
            };
            let (piece, rest) = bytes.split_at(taken);
            self.begun.extend_from_slice(piece);
            bytes = rest;
            if whole {
                bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
                give(&self.begun);
                self.begun.clear();
            }
        }
    }

    /// Gives the last line, if it had no line end.
    pub(super) fn finish(self, give: impl FnOnce(&[u8])) {
        if !self.begun.is_empty() {
            give(&self.begun);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines_of(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut given = Vec::new();
        let mut lines = LineCollector::default();
        for chunk in chunks {
            lines.push(chunk, |line| given.push(line.to_vec()));
        }
        lines.finish(|line| given.push(line.to_vec()));
        given
    }

    #[test]
    fn long_lines_come_in_pieces() {
        let long = vec![b'x'; LINE_BYTES_MAX + 10];
        let lengths: Vec<usize> = lines_of(&[&long, b"\nend"]).iter().map(Vec::len).collect();
        assert_eq!(lengths, [LINE_BYTES_MAX, 10, 3]);
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_the_split(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200),
            cut in 0..200usize,
        ) {
            let mut expected: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
            if expected.last().is_some_and(|last| last.is_empty()) {
                expected.pop();
            }
            let (start, end) = text.split_at(cut.min(text.len()));
            prop_assert_eq!(lines_of(&[start, end]), expected);
        }
    }
}
