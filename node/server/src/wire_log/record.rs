//! The text of a record.

use std::io::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use herd_text::printable::push_escape;

/// Appends a time as RFC 3339 in UTC with microseconds. Times before 1970 are written as its start.
pub(super) fn write_time(out: &mut Vec<u8>, now_ns: i64) {
    let since = Duration::from_nanos(u64::try_from(now_ns).unwrap_or(0));
    // An i64 of nanoseconds ends in the year 2262, and writing to memory does not fail.
    let _ = write!(
        out,
        "{}",
        humantime::format_rfc3339_micros(UNIX_EPOCH + since)
    );
}

/// Appends `text` so that it stays one line and can be read back: printable ASCII as it is, a
/// backslash as `\\`, any other byte as `\xNN`.
pub(super) fn write_escaped(out: &mut Vec<u8>, text: &[u8]) {
    // Without a branch per byte this is checked many bytes at a time; almost every line is plain.
    let special = text
        .iter()
        .fold(false, |special, &byte| special | needs_escape(byte));
    if !special {
        out.extend_from_slice(text);
        return;
    }
    for &byte in text {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            byte if needs_escape(byte) => push_escape(out, byte),
            byte => out.push(byte),
        }
    }
}

const fn needs_escape(byte: u8) -> bool {
    byte < b' ' || byte > b'~' || byte == b'\\'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &[u8]) -> String {
        let mut out = Vec::new();
        write_escaped(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    fn unescaped(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            if byte != b'\\' {
                bytes.push(byte);
            } else if let Some(after) = rest.strip_prefix(b"\\") {
                bytes.push(b'\\');
                rest = after;
            } else {
                let digits = std::str::from_utf8(&rest[1..3]).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &rest[3..];
            }
        }
        bytes
    }

    #[test]
    fn times_are_utc_with_microseconds() {
        let time = |ns| {
            let mut out = Vec::new();
            write_time(&mut out, ns);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            time(1_520_023_934_918_963_997),
            "2018-03-02T20:52:14.918963Z"
        );
        assert_eq!(time(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(time(i64::MIN), "1970-01-01T00:00:00.000000Z");
        assert_eq!(time(i64::MAX), "2262-04-11T23:47:16.854775Z");
    }

    #[test]
    fn only_bytes_that_break_a_line_are_escaped() {
        assert_eq!(escaped(br#"{"name": "caf'"}"#), r#"{"name": "caf'"}"#);
        assert_eq!(escaped(b"a\tb\r\xff\\\x7f"), r"a\x09b\x0d\xff\\\x7f");
    }

    proptest! {
        #[test]
        fn escapes_read_back(text in prop::collection::vec(any::<u8>(), 0..100)) {
            let line = escaped(&text);
            prop_assert!(line.bytes().all(|b| (b' '..=b'~').contains(&b)));
            prop_assert_eq!(unescaped(&line), text);
        }
    }
}
