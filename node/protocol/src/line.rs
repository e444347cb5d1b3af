//! From bytes to lines, however the bytes are cut into reads.

use memchr::memchr;

use super::foreign::Tail;
use super::read_buffer::ReadBuffer;

/// The limit that a server sets unless it is told another, in bytes before the LF.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// How much of a line beyond the limit is kept for its error reply, in bytes.
pub const OVERSIZED_COPY_BYTES: usize = 1_024;

/// One line, borrowed from the reader's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A line without its LF and without a CR just before that LF.
    Text(&'a [u8]),
    /// The first bytes of a line that has more bytes before its LF than the limit. It is returned once, when the limit
    /// is crossed; the rest up to the LF is discarded.
    Oversized(&'a [u8]),
}

/// Cuts a stream of bytes into lines, the same lines for any pieces.
///
/// Bytes are read straight into the reader's buffer ([`ReadBuffer::room`], then [`ReadBuffer::filled`]) and lines are
/// borrowed from it, so a line that arrives whole is never copied. Each byte is searched for an LF once. Between reads
/// at most the limit is stored, in a buffer that grows to no more than one byte above the limit, or one read's room (64
/// KiB) where that is more. It is given back when nothing is stored and reads bring little.
///
/// The limit counts the bytes before the LF, a CR among them: with a limit of 5, `12345` LF is a
/// line, and `12345` CR LF is an oversized one.
#[derive(Debug)]
pub struct LineReader {
    limit_bytes: usize,
    buffer: ReadBuffer,
    /// So many bytes from the start of the next line on no LF was found.
    searched: usize,
    /// Whether the rest of an oversized line is still to come.
    discarding: bool,
    /// The end of an oversized line, if it is looked at.
    tail: Option<Tail>,
    /// An oversized line was a request of HTTP.
    stopped: bool,
}

impl LineReader {
    /// A reader of lines with at most `limit_bytes` before their LF.
    #[must_use]
    pub fn new(limit_bytes: usize) -> Self {
        LineReader {
            limit_bytes,
            buffer: ReadBuffer::new(limit_bytes),
            searched: 0,
            discarding: false,
            tail: None,
            stopped: false,
        }
    }

    /// The same reader, which gives no more lines after an oversized one that is a request of HTTP: see
    /// [`LineReader::is_stopped`].
    #[must_use]
    pub fn stopping_at_http(mut self) -> Self {
        self.tail = Some(Tail::default());
        self
    }

    /// Whether an oversized line has ended that was a request of HTTP, after which there are no more lines.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Where the next bytes are read to. Take all lines out before, or the stored bytes grow beyond the limit.
    pub fn buffer(&mut self) -> &mut ReadBuffer {
        &mut self.buffer
    }

    /// Adds bytes that were read elsewhere.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.push(bytes);
    }

    /// The bytes that come next and have been read: lines, the last of which may not be whole.
    #[must_use]
    pub fn ahead(&self) -> &[u8] {
        self.buffer.stored()
    }

    /// The next line, or `None` until more bytes come.
    pub fn next_line(&mut self) -> Option<Line<'_>> {
        if self.discarding {
            let rest = self.buffer.stored();
            let lf = memchr(b'\n', rest);
            if let Some(tail) = &mut self.tail {
                tail.push(&rest[..lf.unwrap_or(rest.len())]);
            }
            match lf {
                Some(lf) => {
                    self.discarding = false;
                    self.buffer.take(lf + 1);
                    self.oversized_ended();
                }
                None => {
                    self.buffer.take(usize::MAX);
                    return None;
                }
            }
        }
        if self.stopped {
            return None;
        }
        let stored = self.buffer.stored();
        if let Some(lf) = memchr(b'\n', &stored[self.searched..]) {
            let lf = std::mem::take(&mut self.searched) + lf;
            if lf > self.limit_bytes {
                self.oversized(lf);
                self.oversized_ended();
            }
            let bytes = self.buffer.take(lf + 1);
            return Some(line(&bytes[..lf], true, self.limit_bytes));
        }
        let bytes = stored.len();
        if bytes > self.limit_bytes {
            self.discarding = true;
            self.searched = 0;
            self.oversized(bytes);
            let bytes = self.buffer.take(bytes);
            return Some(line(bytes, false, self.limit_bytes));
        }
        self.searched = bytes;
        None
    }

    /// Whether the reader holds the beginning of a line without its end. Take all lines out before.
    #[must_use]
    pub fn is_inside_line(&self) -> bool {
        !self.stopped && (self.discarding || !self.buffer.stored().is_empty())
    }

    /// The last line when the stream ended without an LF. Take all other lines out before.
    pub fn finish(&mut self) -> Option<Line<'_>> {
        self.searched = 0;
        let bytes = self.buffer.take(usize::MAX);
        if std::mem::take(&mut self.discarding) || self.stopped || bytes.is_empty() {
            return None;
        }
        Some(line(bytes, false, self.limit_bytes))
    }

    /// The next `bytes` belong to a line that is too long.
    fn oversized(&mut self, bytes: usize) {
        if let Some(tail) = &mut self.tail {
            tail.push(&self.buffer.stored()[..bytes]);
        }
    }

    fn oversized_ended(&mut self) {
        if let Some(tail) = &mut self.tail {
            self.stopped |= std::mem::take(tail).ends_in_http();
        }
    }
}

fn line(bytes: &[u8], before_lf: bool, limit_bytes: usize) -> Line<'_> {
    if bytes.len() > limit_bytes {
        // Not more than the limit, so that the copy is the same however the bytes were cut.
        let copy_bytes = OVERSIZED_COPY_BYTES.min(limit_bytes);
        return Line::Oversized(&bytes[..copy_bytes]);
    }
    match bytes.split_last() {
        Some((b'\r', text)) if before_lf => Line::Text(text),
        _ => Line::Text(bytes),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::read_buffer::{READ_BYTES_MAX, READ_BYTES_MIN};
    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq)]
    enum OwnedLine {
        Text(Vec<u8>),
        Oversized(Vec<u8>),
    }

    fn seen(line: Line<'_>) -> OwnedLine {
        match line {
            Line::Text(text) => OwnedLine::Text(text.to_vec()),
            Line::Oversized(copy) => OwnedLine::Oversized(copy.to_vec()),
        }
    }

    /// All lines of `pieces`, and the most bytes that were stored between two of them.
    fn lines<'a>(
        limit: usize,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> (Vec<OwnedLine>, usize) {
        let mut reader = LineReader::new(limit);
        let mut all = Vec::new();
        let mut stored_max = 0;
        for piece in pieces {
            reader.push(piece);
            while let Some(line) = reader.next_line() {
                all.push(seen(line));
            }
            stored_max = stored_max.max(reader.ahead().len());
        }
        all.extend(reader.finish().map(seen));
        assert_eq!(reader.finish(), None);
        (all, stored_max)
    }

    fn text(bytes: &[u8]) -> OwnedLine {
        OwnedLine::Text(bytes.to_vec())
    }

    /// The rule, written as plainly as it can be: for the whole input at once.
    fn expected(limit: usize, input: &[u8]) -> Vec<OwnedLine> {
        let mut pieces: Vec<&[u8]> = input.split(|&b| b == b'\n').collect();
        let last = pieces.pop().unwrap_or_default();
        let oversized =
            |line: &[u8]| OwnedLine::Oversized(line[..limit.min(OVERSIZED_COPY_BYTES)].to_vec());
        let mut all: Vec<OwnedLine> = pieces
            .into_iter()
            .map(|line| match line {
                line if line.len() > limit => oversized(line),
                [line @ .., b'\r'] => text(line),
                line => text(line),
            })
            .collect();
        match last {
            [] => {}
            line if line.len() > limit => all.push(oversized(line)),
            line => all.push(text(line)),
        }
        all
    }

    #[test]
    fn a_line_ends_at_lf_and_loses_one_cr() {
        let (all, _) = lines(100, [&b"a b\r\n\n\r\nx\r\r\ny\rz\n"[..]]);
        let expected = [&b"a b"[..], b"", b"", b"x\r", b"y\rz"].map(text);
        assert_eq!(all, expected);
    }

    #[test]
    fn the_last_line_needs_no_lf_and_keeps_its_cr() {
        assert_eq!(lines(100, [&b"a\nb"[..]]).0, [text(b"a"), text(b"b")]);
        assert_eq!(lines(100, [&b"a\r"[..]]).0, [text(b"a\r")]);
        assert_eq!(lines(100, [&b""[..]]).0, []);
        assert_eq!(lines(100, [&b"a\n"[..]]).0, [text(b"a")]);
    }

    #[test]
    fn the_limit_counts_the_bytes_before_the_lf() {
        assert_eq!(
            lines(5, [&b"12345\nx\n"[..]]).0,
            [text(b"12345"), text(b"x")]
        );
        let oversized = OwnedLine::Oversized(b"12345".to_vec());
        assert_eq!(
            lines(5, [&b"12345\r\nx\n"[..]]).0,
            [oversized.clone(), text(b"x")]
        );
        assert_eq!(
            lines(5, [&b"123456\nx\n"[..]]).0,
            [oversized.clone(), text(b"x")]
        );
        assert_eq!(lines(5, [&b"123456"[..]]).0, [oversized]);
    }

    #[test]
    fn an_oversized_line_is_reported_at_the_limit() {
        let mut reader = LineReader::new(LINE_BYTES_MAX);
        reader.push(&vec![b'a'; LINE_BYTES_MAX]);
        assert_eq!(reader.next_line(), None);
        reader.push(b"b");
        assert_eq!(
            reader.next_line(),
            Some(Line::Oversized(&[b'a'; OVERSIZED_COPY_BYTES]))
        );
        for _ in 0..1_000 {
            reader.push(&[b'c'; 10_000]);
            assert_eq!(reader.next_line(), None);
        }
        assert!(reader.buffer.capacity() <= LINE_BYTES_MAX + 1);
        reader.push(b"\nIAMAT\n");
        assert_eq!(reader.next_line(), Some(Line::Text(b"IAMAT")));
        assert_eq!(reader.next_line(), None);
    }

    #[test]
    fn half_a_line_takes_no_more_than_the_limit() {
        for piece in [1_usize, 100, 4_096, 60_000] {
            let mut reader = LineReader::new(LINE_BYTES_MAX);
            for piece in vec![b'a'; 60_000].chunks(piece) {
                reader.push(piece);
                assert_eq!(reader.next_line(), None);
                assert!(reader.buffer.capacity() <= LINE_BYTES_MAX + 1, "{piece:?}");
            }
        }
    }

    #[test]
    fn the_room_of_many_bytes_is_given_back_when_few_come() {
        let mut reader = LineReader::new(LINE_BYTES_MAX);
        let take_all = |reader: &mut LineReader| while reader.next_line().is_some() {};
        reader.push(&b"0123456789012345678901234567890\n".repeat(10_000));
        take_all(&mut reader);
        assert_eq!(reader.buffer().room().len(), READ_BYTES_MAX);
        for _ in 0..2 {
            reader.buffer().room();
            reader.push(b"a\n");
            take_all(&mut reader);
        }
        assert_eq!(reader.buffer().room().len(), READ_BYTES_MIN);
        assert_eq!(reader.buffer.capacity(), READ_BYTES_MIN);
    }

    #[test]
    fn reads_grow_for_a_busy_connection_and_a_long_line_is_let_go() {
        let mut reader = LineReader::new(1024 * 1024);
        assert_eq!(reader.buffer().room().len(), READ_BYTES_MIN);
        reader.push(&vec![b'a'; 1024 * 1024]);
        assert_eq!(reader.next_line(), None);
        reader.push(b"\n");
        assert!(reader.next_line().is_some());
        assert_eq!(reader.next_line(), None);
        assert_eq!(reader.buffer().room().len(), READ_BYTES_MAX);
    }

    #[test]
    fn an_oversized_request_of_http_is_the_last_line() {
        let request = [b"GET /", &[b'x'; 50][..], b" HTTP/1.1\r\n"].concat();
        let input = [&b"a\n"[..], &request, b"IAMAT\n"].concat();
        for piece_bytes in [1, 7, input.len()] {
            let mut reader = LineReader::new(20).stopping_at_http();
            let mut all = Vec::new();
            for piece in input.chunks(piece_bytes) {
                reader.push(piece);
                while let Some(line) = reader.next_line() {
                    all.push(seen(line));
                }
            }
            assert!(reader.is_stopped() && !reader.is_inside_line());
            assert_eq!(reader.finish(), None);
            assert_eq!(
                all,
                [text(b"a"), OwnedLine::Oversized(request[..20].to_vec())]
            );
        }
        let (all, _) = lines(20, [&input[..]]);
        assert_eq!(all.last(), Some(&text(b"IAMAT")), "unless it is told to");
    }

    fn input() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            3 => Just(b'\n'),
            2 => Just(b'\r'),
            1 => Just(b' '),
            10 => any::<u8>(),
        ];
        prop::collection::vec(byte, 0..300)
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_lines(
            input in input(),
            limit in 0_usize..60,
            cuts in prop::collection::vec(0_usize..300, 0..20),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
            cuts.extend([0, input.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| &input[pair[0]..pair[1]]);
            let (split, stored_max) = lines(limit, pieces);
            prop_assert_eq!(&split, &expected(limit, &input));
            prop_assert!(stored_max <= limit);
            let (single, _) = lines(limit, input.chunks(1));
            prop_assert_eq!(&single, &split);
        }
    }
}
