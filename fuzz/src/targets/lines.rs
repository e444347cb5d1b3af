//! Bytes to lines: the same lines, however the bytes are cut.

use herd_protocol::{Line, LineReader};

#[derive(Debug, PartialEq, Eq)]
enum ReadLine {
    Text(Vec<u8>),
    Oversized(Vec<u8>),
}

impl From<Line<'_>> for ReadLine {
    fn from(line: Line<'_>) -> Self {
        match line {
            Line::Text(text) => ReadLine::Text(text.to_vec()),
            Line::Oversized(start) => ReadLine::Oversized(start.to_vec()),
        }
    }
}

/// The first byte is the limit, the second the length of the pieces.
pub(super) fn run(bytes: &[u8]) {
    let [limit, piece, stream @ ..] = bytes else {
        return;
    };
    let limit = usize::from(*limit);
    let piece_bytes = usize::from(*piece).max(1);
    let all = |reader: fn(usize) -> LineReader, piece_bytes| {
        lines(reader(limit), stream.chunks(piece_bytes))
    };
    let single = all(LineReader::new, 1);
    assert_eq!(all(LineReader::new, piece_bytes), single);
    let stopping = |limit| LineReader::new(limit).stopping_at_http();
    let stopped = all(stopping, 1);
    assert_eq!(all(stopping, piece_bytes), stopped);
    assert!(single.starts_with(&stopped));
    for line in &single {
        match line {
            ReadLine::Text(text) => assert!(text.len() <= limit && !text.contains(&b'\n')),
            ReadLine::Oversized(start) => assert!(start.len() <= limit),
        }
    }
}

fn lines<'a>(mut reader: LineReader, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<ReadLine> {
    let mut lines = Vec::new();
    for piece in pieces {
        reader.push(piece);
        while let Some(line) = reader.next_line() {
            lines.push(ReadLine::from(line));
        }
    }
    if let Some(line) = reader.finish() {
        lines.push(ReadLine::from(line));
    }
    assert!(!reader.is_inside_line());
    lines
}
