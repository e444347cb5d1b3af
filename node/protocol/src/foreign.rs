//! Lines of other protocols. A web page can make a browser send HTTP or TLS to any port, with lines
//! of the page's choice behind or within it.

use herd_crdt::is_blank;

use super::command::Fields;

/// The last field of the first line of a request.
const HTTP_VERSIONS: [&[u8]; 2] = [b"HTTP/1.1", b"HTTP/1.0"];

/// The connection preface of HTTP/2 (RFC 9113, 3.4), up to its first LF.
const HTTP_2_PREFACE: [&[u8]; 3] = [b"PRI", b"*", b"HTTP/2.0"];

/// A record of TLS with a handshake message in it (RFC 8446, 5.1): its type, and the first byte of
/// its version.
const TLS_HANDSHAKE: &[u8] = &[0x16, 0x03];

/// The bytes of an oversized line that decide whether it is a request of HTTP: a blank and the
/// version.
const TAIL_BYTES: usize = 1 + HTTP_VERSIONS[0].len();

/// Another protocol, which is spoken to the port of this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// HTTP, 1 or 2.
    Http,
    /// TLS, where nothing is encrypted.
    Tls,
}

impl Foreign {
    /// The protocol that an invalid line belongs to, if it belongs to one of these. TLS begins with
    /// the first line of a connection.
    #[must_use]
    pub fn of(invalid_line: &[u8], is_first: bool) -> Option<Self> {
        if is_first && invalid_line.starts_with(TLS_HANDSHAKE) {
            return Some(Foreign::Tls);
        }
        let is_http = ends_in_http(invalid_line) || Fields::new(invalid_line).eq(HTTP_2_PREFACE);
        is_http.then_some(Foreign::Http)
    }
}

/// Whether the last field is a version of HTTP.
fn ends_in_http(line: &[u8]) -> bool {
    let line = without_trailing_blanks(line);
    HTTP_VERSIONS.iter().any(|version| {
        let before = line.strip_suffix(*version);
        before.is_some_and(|before| before.last().is_none_or(|&byte| is_blank(byte)))
    })
}

fn without_trailing_blanks(line: &[u8]) -> &[u8] {
    let last = line.iter().rposition(|&byte| !is_blank(byte));
    &line[..last.map_or(0, |at| at + 1)]
}

/// The end of a line that is not stored: its last bytes without the blanks behind them.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    /// Blanks came after these bytes.
    is_blank_after: bool,
}

impl Tail {
    /// Takes in the next piece of the line.
    pub(super) fn push(&mut self, piece: &[u8]) {
        let text = without_trailing_blanks(piece);
        if !text.is_empty() {
            if self.is_blank_after {
                self.bytes.push(b' ');
            }
            self.bytes
                .extend_from_slice(&text[text.len().saturating_sub(TAIL_BYTES)..]);
            let surplus = self.bytes.len().saturating_sub(TAIL_BYTES);
            self.bytes.drain(..surplus);
            self.is_blank_after = false;
        }
        self.is_blank_after |= text.len() < piece.len();
    }

    /// Whether the line is a request of HTTP, now that it has ended.
    pub(super) fn ends_in_http(&self) -> bool {
        ends_in_http(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_and_the_preface_are_http() {
        for line in [
            "GET / HTTP/1.1",
            "POST /x HTTP/1.0",
            "POST / HTTP/1.1\r",
            " \tOPTIONS\x0b*\x0cHTTP/1.1 \t ",
            "HTTP/1.1",
            "IAMAT kiwi +1+1 HTTP/1.1",
            "PRI * HTTP/2.0",
            " PRI  * HTTP/2.0\r",
        ] {
            let found = Foreign::of(line.as_bytes(), false);
            assert_eq!(found, Some(Foreign::Http), "{line}");
        }
    }

    #[test]
    fn lines_that_only_look_foreign_are_not() {
        for line in [
            "",
            " ",
            "GET /",
            "GET / HTTP/1.1 x",
            "GET / HTTP/1.11",
            "GET /HTTP/1.1",
            "GET / http/1.1",
            "GET / HTTP/2.0",
            "PRI * HTTP/2.0 x",
            "HTTP/1.1 200 OK",
            "GET /\u{a0}HTTP/1.1",
        ] {
            assert_eq!(Foreign::of(line.as_bytes(), false), None, "{line}");
        }
    }

    #[test]
    fn tls_begins_a_connection() {
        let hello = b"\x16\x03\x01\x02\x00\x01";
        assert_eq!(Foreign::of(hello, true), Some(Foreign::Tls));
        assert_eq!(Foreign::of(hello, false), None);
        assert_eq!(Foreign::of(b"\x16 \x03", true), None);
    }

    proptest! {
        #[test]
        fn a_tail_is_judged_like_its_whole_line(
            line in "[ \tx]{0,12}(HTTP/1.1|HTTP/1.0|HTTP/1.)?[ \t\r]{0,12}x?",
            cuts in prop::collection::vec(0_usize..40, 0..6),
        ) {
            let line = format!("{}{line}", "long ".repeat(3));
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(line.len())).collect();
            cuts.extend([0, line.len()]);
            cuts.sort_unstable();
            let mut tail = Tail::default();
            for pair in cuts.windows(2) {
                tail.push(&line.as_bytes()[pair[0]..pair[1]]);
                prop_assert!(tail.bytes.len() <= TAIL_BYTES);
            }
            prop_assert_eq!(tail.ends_in_http(), ends_in_http(line.as_bytes()));
        }
    }
}
