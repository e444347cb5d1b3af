//! Replies as bytes, in either version of RESP.

use std::io::Write as _;

/// The version of RESP that a connection speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RespVersion {
    /// Of all Redis servers.
    #[default]
    Two,
    /// Since Redis 6, after `HELLO 3`.
    Three,
}

impl RespVersion {
    /// Its number.
    #[must_use]
    pub fn number(self) -> i64 {
        match self {
            RespVersion::Two => 2,
            RespVersion::Three => 3,
        }
    }
}

/// Appends values to a reply. An array or a map is its header, and then its values.
pub struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    version: RespVersion,
}

impl<'a> Encoder<'a> {
    /// Appends to `out`.
    pub fn new(out: &'a mut Vec<u8>, version: RespVersion) -> Self {
        Encoder { out, version }
    }

    /// A status, such as `OK`.
    pub fn status(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// An error: a code such as `ERR`, a blank, and what is wrong. Bytes that would end the line are blanks in it.
    pub fn error(&mut self, text: &str) {
        self.line(b'-', text.as_bytes());
    }

    /// A whole number.
    pub fn integer(&mut self, number: i64) {
        // Small ones are most.
        if let Ok(digit @ 0..=9) = u8::try_from(number) {
            self.out
                .extend_from_slice(&[b':', b'0' + digit, b'\r', b'\n']);
        } else {
            self.number(b':', number);
        }
    }

    /// Any bytes.
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.number(b'$', bytes.len() as i64);
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    /// A decimal number, as its text.
    pub fn double(&mut self, text: &[u8]) {
        match self.version {
            RespVersion::Two => self.bulk(text),
            RespVersion::Three => self.line(b',', text),
        }
    }

    /// A text for people.
    pub fn verbatim(&mut self, text: &str) {
        match self.version {
            RespVersion::Two => self.bulk(text.as_bytes()),
            RespVersion::Three => {
                self.number(b'=', text.len() as i64 + 4);
                self.out.extend_from_slice(b"txt:");
                self.out.extend_from_slice(text.as_bytes());
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// Nothing, in place of a value.
    pub fn nil(&mut self) {
        let bytes: &[u8] = match self.version {
            RespVersion::Two => b"$-1\r\n",
            RespVersion::Three => b"_\r\n",
        };
        self.out.extend_from_slice(bytes);
    }

    /// Nothing, in place of an array.
    pub fn nil_array(&mut self) {
        let bytes: &[u8] = match self.version {
            RespVersion::Two => b"*-1\r\n",
            RespVersion::Three => b"_\r\n",
        };
        self.out.extend_from_slice(bytes);
    }

    /// The header of so many values.
    pub fn array(&mut self, values: usize) {
        self.number(b'*', values as i64);
    }

    /// The header of so many values that are flags.
    pub fn set(&mut self, values: usize) {
        match self.version {
            RespVersion::Two => self.array(values),
            RespVersion::Three => self.number(b'~', values as i64),
        }
    }

    /// The header of so many pairs of keys and values.
    pub fn map(&mut self, pairs: usize) {
        match self.version {
            RespVersion::Two => self.array(2 * pairs),
            RespVersion::Three => self.number(b'%', pairs as i64),
        }
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.out.push(kind);
        let bytes = text.iter();
        self.out.extend(bytes.map(|&byte| match byte {
            b'\r' | b'\n' => b' ',
            byte => byte,
        }));
        self.out.extend_from_slice(b"\r\n");
    }

    fn number(&mut self, kind: u8, number: i64) {
        self.out.push(kind);
        // Writing to a vector does not fail.
        let _ = write!(self.out, "{number}\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(version: RespVersion, write: impl Fn(&mut Encoder<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut Encoder::new(&mut out, version));
        String::from_utf8(out).unwrap()
    }

    fn both(write: impl Fn(&mut Encoder<'_>)) -> [String; 2] {
        [RespVersion::Two, RespVersion::Three].map(|version| written(version, &write))
    }

    #[test]
    fn values_are_as_the_versions_have_them() {
        assert_eq!(both(|e| e.status("OK")), ["+OK\r\n", "+OK\r\n"]);
        assert_eq!(both(|e| e.integer(7)), [":7\r\n", ":7\r\n"]);
        assert_eq!(both(|e| e.integer(-12)), [":-12\r\n", ":-12\r\n"]);
        assert_eq!(both(|e| e.bulk(b"a\r\n")), ["$3\r\na\r\n\r\n"; 2]);
        assert_eq!(both(|e| e.double(b"1.5")), ["$3\r\n1.5\r\n", ",1.5\r\n"]);
        assert_eq!(
            both(|e| e.verbatim("x")),
            ["$1\r\nx\r\n", "=5\r\ntxt:x\r\n"]
        );
        assert_eq!(
            both(|e| {
                e.nil();
            }),
            ["$-1\r\n", "_\r\n"]
        );
        assert_eq!(
            both(|e| {
                e.nil_array();
            }),
            ["*-1\r\n", "_\r\n"]
        );
        assert_eq!(both(|e| e.array(2)), ["*2\r\n", "*2\r\n"]);
        assert_eq!(both(|e| e.map(2)), ["*4\r\n", "%2\r\n"]);
        assert_eq!(both(|e| e.set(2)), ["*2\r\n", "~2\r\n"]);
    }

    #[test]
    fn an_error_stays_on_its_line() {
        assert_eq!(both(|e| e.error("ERR a\r\nb")), ["-ERR a  b\r\n"; 2]);
    }
}
