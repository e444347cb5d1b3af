//! The lines of one client's connection on their way to the wire log.

use std::net::SocketAddr;

use super::file::WireLog;
use super::record::{write_escaped, write_time};
use crate::access::AUTH_WORD;
use crate::frontend::Protocol;
use herd_protocol::{ACCEPTED_LINE, Fields};

/// Memory that an idle connection keeps for its next batch, in bytes.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// The text in place of a line with a token, valid or not.
const TOKEN: &[u8] = b"AUTH (token)";

/// The text in place of places that are not logged.
const NO_PLACES: &[u8] = b"(places, which their provider does not allow to be stored)";

/// Gathers the lines of a batch and hands them over together: the time is written once a batch, and
/// the shared queue is touched once a batch.
pub struct ConnectionLog {
    log: WireLog,
    peer: String,
    /// Time and peer, as they start each line of this batch.
    prefix: Vec<u8>,
    batch: Vec<u8>,
    lines: u64,
    /// Replies are lines of the text protocol, and not of RESP.
    is_text: bool,
}

impl ConnectionLog {
    /// A log of the connection with `peer`.
    #[must_use]
    pub fn new(log: WireLog, peer: SocketAddr, protocol: Protocol) -> Self {
        ConnectionLog {
            log,
            peer: format!(" {peer} "),
            prefix: Vec::new(),
            batch: Vec::new(),
            lines: 0,
            is_text: protocol == Protocol::Text,
        }
    }

    /// Starts a batch of lines that are handled at `now_ns`.
    pub fn begin(&mut self, now_ns: i64) {
        self.prefix.clear();
        write_time(&mut self.prefix, now_ns);
        self.prefix.extend_from_slice(self.peer.as_bytes());
    }

    /// Logs a line that came in.
    pub fn line_in(&mut self, line: &[u8]) {
        let line = if shows_token(line) { TOKEN } else { line };
        self.write(b"< ", line);
        self.batch.push(b'\n');
    }

    /// Logs the start of a line that came in and was cut.
    pub fn cut_line_in(&mut self, start: &[u8]) {
        let start = if shows_token(start) { TOKEN } else { start };
        self.write(b"< ", start);
        self.batch.extend_from_slice(b"\\...\n");
    }

    /// Logs sent bytes: whole replies, each line with its LF.
    pub fn lines_out(&mut self, lines: &[u8]) {
        if !self.is_text {
            return self.resp_out(lines);
        }
        let keeps_places = self.log.keeps_places();
        let mut from = 0;
        let mut among_places = false;
        for lf in memchr::memchr_iter(b'\n', lines) {
            let line = &lines[from..lf];
            from = lf + 1;
            let is_places = if line.is_empty() {
                among_places
            } else {
                !is_of_herd(line)
            };
            let is_first = is_places && !among_places;
            among_places = is_places;
            let line = match (is_places && !keeps_places, is_first) {
                (false, _) => line,
                (true, true) => NO_PLACES,
                (true, false) => continue,
            };
            match line.strip_prefix(b"? ") {
                Some(copy) if shows_token(copy) => self.write(b"> ? ", TOKEN),
                _ => self.write(b"> ", line),
            }
            self.batch.push(b'\n');
        }
    }

    /// RESP has no places and no tokens in its replies.
    fn resp_out(&mut self, lines: &[u8]) {
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            self.write(b"> ", line.strip_suffix(b"\r").unwrap_or(line));
            self.batch.push(b'\n');
        }
    }

    /// Hands the batch over. Lines that find no room are dropped and counted.
    pub fn hand_over(&mut self) {
        if self.lines == 0 {
            return;
        }
        self.log.push(&self.batch, self.lines);
        self.lines = 0;
        self.batch.clear();
        self.batch.shrink_to(KEPT_BYTES_MAX);
    }

    fn write(&mut self, direction: &[u8], text: &[u8]) {
        self.lines += 1;
        self.batch.extend_from_slice(&self.prefix);
        self.batch.extend_from_slice(direction);
        write_escaped(&mut self.batch, text);
    }
}

/// Whether a line that goes out is not one of places: all others begin with one of these, and no line of JSON does.
fn is_of_herd(line: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 11] = [
        b"AT ", b"? ", b"NEAR ", b"IN ", b"ENTER ", b"LEAVE ", b"CENTRE ", b"GONE ", b"LIVE ",
        b"ALIVE ", b"END ",
    ];
    let is_distance = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let behind_distance = line.iter().position(|byte| !is_distance(byte));
    line == ACCEPTED_LINE
        || BEGINNINGS
            .iter()
            .any(|beginning| line.starts_with(beginning))
        || behind_distance.is_some_and(|at| at > 0 && line[at..].starts_with(b" AT "))
}

/// Whether there may be a token in a line: a client that misspells the word shows its token too.
fn shows_token(line: &[u8]) -> bool {
    let mut fields = Fields::new(line);
    let is_auth = |word: &[u8]| word.eq_ignore_ascii_case(AUTH_WORD);
    fields.next().is_some_and(is_auth) && fields.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_places_are_told_from_all_others() {
        for line in [
            "AT Hill x",
            "? x",
            "OK",
            "NEAR 2 more",
            "IN 0 complete",
            "1204.417000 AT Hill x",
            "ENTER AT Hill x",
            "LEAVE AT Hill x",
            "CENTRE AT Hill x",
            "GONE kiwi",
            "LIVE 0",
            "ALIVE Hill 1.000000000",
            "END slow",
        ] {
            assert!(is_of_herd(line.as_bytes()), "{line}");
        }
        for line in [
            "{",
            "}",
            "  \"AT \": 1",
            "1",
            "12.5,",
            " AT x",
            "null",
            "[",
            "INSIDE",
            "12 A",
        ] {
            assert!(!is_of_herd(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn lines_that_show_a_token_are_known() {
        for line in [&b"AUTH secret"[..], b" \tauth  secret x", b"Auth \xff"] {
            assert!(shows_token(line), "{}", line.escape_ascii());
        }
        for line in [&b"AUTH"[..], b"", b"AUTHsecret", b"IAMAT AUTH +1+1 1"] {
            assert!(!shows_token(line), "{}", line.escape_ascii());
        }
    }
}
