//! Bytes that others chose, on their way to a terminal: control bytes in them must not steer it.

use std::io::{self, IsTerminal as _, Write};

/// Makes text of bytes: control characters, but for line ends and tabs, and what is no UTF-8 become `\xNN`.
#[derive(Debug, Default)]
pub(super) struct TerminalText {
    /// The start of a character whose rest has not come yet.
    begun: Vec<u8>,
}

impl TerminalText {
    /// What to show of these bytes, which follow those before.
    pub(super) fn of(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let mut shown = Vec::with_capacity(all.len());
        let mut chunks = all.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            for character in chunk.valid().chars() {
                let bytes = &mut [0; 4];
                let bytes = character.encode_utf8(bytes).as_bytes();
                if character.is_control() && character != '\n' && character != '\t' {
                    escape(&mut shown, bytes);
                } else {
                    shown.extend_from_slice(bytes);
                }
            }
            let invalid = chunk.invalid();
            let may_go_on =
                std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if chunks.peek().is_none() && may_go_on {
                self.begun = invalid.to_vec();
            } else {
                escape(&mut shown, invalid);
            }
        }
        shown
    }
}

fn escape(shown: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        // Writing to memory does not fail.
        let _ = write!(shown, "\\x{byte:02x}");
    }
}

/// Standard output: byte for byte, but to a terminal as [`TerminalText`].
pub(super) struct Output<W> {
    out: W,
    shown: Option<TerminalText>,
}

impl Output<io::StdoutLock<'static>> {
    /// The standard output of this process.
    pub(super) fn stdout() -> Self {
        let stdout = io::stdout();
        let shown = stdout.is_terminal().then(TerminalText::default);
        Output {
            out: stdout.lock(),
            shown,
        }
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.shown {
            None => self.out.write(bytes),
            Some(shown) => {
                self.out.write_all(&shown.of(bytes))?;
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_terminal_sees_text_and_files_see_bytes() {
        let line = b"AT Hill \x1b]0;owned\x07\x9b2J caf\xc3\xa9 \xc2\x9b\xff\t.\n";
        let written = |shown: Option<TerminalText>| {
            let mut output = Output {
                out: Vec::new(),
                shown,
            };
            output.write_all(line).unwrap();
            output.out
        };
        assert_eq!(written(None), line);
        let expected = "AT Hill \\x1b]0;owned\\x07\\x9b2J café \\xc2\\x9b\\xff\t.\n";
        assert_eq!(written(Some(TerminalText::default())), expected.as_bytes());
    }

    proptest! {
        #[test]
        fn nothing_steers_a_terminal_wherever_it_is_split(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..8), 0..20),
        ) {
            let mut text = TerminalText::default();
            let mut shown: Vec<u8> = pieces.iter().flat_map(|piece| text.of(piece)).collect();
            shown.extend(text.of(b"\n"));
            let whole = TerminalText::default().of(&[pieces.concat(), b"\n".to_vec()].concat());
            prop_assert_eq!(&shown, &whole);
            let shown = String::from_utf8(shown).unwrap();
            prop_assert!(!shown.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
        }
    }
}
