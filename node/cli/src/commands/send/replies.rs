//! Telling where a reply ends, so that replies can be counted.

use std::collections::VecDeque;

use memchr::memchr;

use herd_protocol::{Fields, LINE_BYTES_MAX, Line, LineReader};

/// How much of a refused line is kept for its reason, in bytes.
const REFUSAL_BYTES_MAX: usize = 1024;

/// Refused lines that wait for their reasons; further ones are only counted.
const REFUSALS_MAX: usize = 16;

/// Follows sent commands and received replies, and matches the two. It stores neither lines nor replies, but the lines
/// that were refused just now.
pub(super) struct Exchange {
    sent: LineReader,
    /// For each command that is not answered, whether its reply may have more than one line.
    unanswered: VecDeque<bool>,
    refused: u64,
    /// The reply that a refused line is copied out of, behind its `? `.
    refusal: Option<Vec<u8>>,
    refusals: Vec<Vec<u8>>,
    place: ReplyPosition,
}

/// Where in the replies the next byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReplyPosition {
    /// At the start of a reply.
    Start,
    /// In its first line; the next line belongs to it if this is so.
    FirstLine { more: bool },
    /// At the start of a further line: an empty one ends the reply.
    NextLine,
    /// Within a further line.
    Within,
}

impl Exchange {
    pub(super) fn new() -> Self {
        Exchange {
            sent: LineReader::new(LINE_BYTES_MAX),
            unanswered: VecDeque::new(),
            refused: 0,
            refusal: None,
            refusals: Vec::new(),
            place: ReplyPosition::Start,
        }
    }

    /// Takes note of bytes that are sent.
    pub(super) fn sending(&mut self, bytes: &[u8]) {
        self.sent.push(bytes);
        while let Some(line) = self.sent.next_line() {
            self.unanswered.extend(expected_reply(line));
        }
    }

    /// Takes note that nothing more is sent.
    pub(super) fn sent_all(&mut self) {
        if let Some(line) = self.sent.finish() {
            self.unanswered.extend(expected_reply(line));
        }
    }

    /// How many commands have no whole reply yet.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    /// How many commands were answered with `?`.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes note of bytes that came back.
    pub(super) fn received(&mut self, mut bytes: &[u8]) {
        while let Some((&first, rest)) = bytes.split_first() {
            match self.place {
                ReplyPosition::Start => {
                    if first == b'?' {
                        self.refused += 1;
                        self.refusal = Some(Vec::new());
                    }
                    let several = self.unanswered.front() == Some(&true);
                    self.place = ReplyPosition::FirstLine {
                        more: several && first != b'?',
                    };
                }
                ReplyPosition::NextLine if first == b'\n' => {
                    self.answered();
                    bytes = rest;
                }
                ReplyPosition::NextLine => self.place = ReplyPosition::Within,
                ReplyPosition::FirstLine { more } => match after_line(bytes) {
                    None => {
                        self.copy_refusal(bytes);
                        return;
                    }
                    Some(after) => {
                        self.copy_refusal(&bytes[..bytes.len() - after.len() - 1]);
                        if more {
                            self.place = ReplyPosition::NextLine;
                        } else {
                            self.answered();
                        }
                        bytes = after;
                    }
                },
                ReplyPosition::Within => match after_line(bytes) {
                    None => return,
                    Some(after) => {
                        self.place = ReplyPosition::NextLine;
                        bytes = after;
                    }
                },
            }
        }
    }

    /// The lines that were refused since the last call, the first of them.
    pub(super) fn take_refusals(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.refusals)
    }

    fn copy_refusal(&mut self, bytes: &[u8]) {
        if let Some(refusal) = &mut self.refusal {
            let room = REFUSAL_BYTES_MAX.saturating_sub(refusal.len());
            refusal.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }

    fn answered(&mut self) {
        if let Some(refusal) = self.refusal.take()
            && self.refusals.len() < REFUSALS_MAX
        {
            let line = refusal.strip_prefix(b"?").unwrap_or(&refusal);
            self.refusals.push(line.trim_ascii().to_vec());
        }
        self.unanswered.pop_front();
        self.place = ReplyPosition::Start;
    }
}

/// The part after the next LF.
fn after_line(bytes: &[u8]) -> Option<&[u8]> {
    memchr(b'\n', bytes).and_then(|lf| bytes.get(lf + 1..))
}

/// Whether the reply to a line may have several lines; `None` if there is none.
fn expected_reply(line: Line<'_>) -> Option<bool> {
    match line {
        Line::Oversized(_) => Some(false),
        Line::Text(text) => {
            let word = Fields::new(text).next();
            word.map(|word| matches!(word, b"WHATSAT" | b"NEARBY" | b"WITHIN"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn replies_are_matched_with_commands() {
        let mut exchange = Exchange::new();
        exchange.sending(b"IAMAT k +1+1 1\n\n \nWHATSAT k 1 1\nWHATSAT x 1 1\nhal");
        assert_eq!(exchange.unanswered(), 3);
        exchange.sending(b"lo\nWHATSAT k 1 1");
        exchange.sent_all();
        assert_eq!(exchange.unanswered(), 5);
        for (received, unanswered) in [
            ("AT Hill +1.0 k +1+1 1", 5),
            ("\n", 4),
            ("AT Hill +1.0 k +1+1 1\n", 4),
            ("{\n ? \n", 4),
            ("}\n", 4),
            ("\n", 3),
            ("? WHATSAT x 1 1\n", 2),
            ("? hallo\nAT Hill +1.0 k +1+1 1\n{}\n", 1),
            ("\n", 0),
        ] {
            exchange.received(received.as_bytes());
            assert_eq!(exchange.unanswered(), unanswered, "{received:?}");
        }
        assert_eq!(exchange.refused(), 2);
        assert_eq!(exchange.take_refusals(), [&b"WHATSAT x 1 1"[..], b"hallo"]);
        assert!(exchange.take_refusals().is_empty());
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            kinds in prop::collection::vec(0_u8..7, 0..30),
            piece in 1_usize..40,
        ) {
            let mut exchange = Exchange::new();
            let mut replies = Vec::new();
            let mut refused = 0;
            for kind in &kinds {
                let (sent, reply): (&[u8], &[u8]) = match kind {
                    0 => (b"IAMAT k +1+1 1\n", b"AT Hill +1.0 k +1+1 1\n"),
                    1 => (b"WHATSAT k 1 1\n", b"AT Hill +1.0 k +1+1 1\n{\n\"a\":\n1}\n\n"),
                    2 => (b"WHATSAT x 1 1\n", b"? WHATSAT x 1 1\n"),
                    3 => (b"NEARBY POINT +1+1 1 1\n", b"NEAR 1 more\n0.000000 AT Hill +1.0 k +1+1 1\n\n"),
                    4 => (b"WITHIN +1+1 +2+2 0\n", b"IN 0 complete\n\n"),
                    5 => (b"NEARBY CLIENT x 1 1\n", b"? NEARBY CLIENT x 1 1\n"),
                    _ => (b"\t \n", b""),
                };
                refused += u64::from(matches!(kind, 2 | 5));
                exchange.sending(sent);
                replies.extend_from_slice(reply);
            }
            let commands = kinds.iter().filter(|&&kind| kind < 6).count();
            prop_assert_eq!(exchange.unanswered(), commands);
            for bytes in replies.chunks(piece) {
                exchange.received(bytes);
            }
            prop_assert_eq!(exchange.unanswered(), 0);
            prop_assert_eq!(exchange.refused(), refused);
        }
    }
}
