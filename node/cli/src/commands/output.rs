//! Standard output: bytes for a file or a pipe, text for a terminal.

use std::io::{self, IsTerminal as _, Write};

use herd_text::printable::PrintableStream;

/// Writes byte for byte, but to a terminal as [`PrintableStream`].
pub(super) struct Output<W> {
    out: W,
    shown: Option<PrintableStream>,
}

impl Output<io::StdoutLock<'static>> {
    /// The standard output of this process.
    pub(super) fn stdout() -> Self {
        let stdout = io::stdout();
        let shown = stdout.is_terminal().then(PrintableStream::default);
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
    use super::*;

    #[test]
    fn a_terminal_sees_text_and_files_see_bytes() {
        let line = b"AT Hill \x1b]0;owned\x07\x9b2J caf\xc3\xa9 \xc2\x9b\xff\t.\n";
        let written = |shown: Option<PrintableStream>| {
            let mut output = Output {
                out: Vec::new(),
                shown,
            };
            output.write_all(line).unwrap();
            output.out
        };
        assert_eq!(written(None), line);
        let expected = "AT Hill \\x1b]0;owned\\x07\\x9b2J café \\xc2\\x9b\\xff\t.\n";
        assert_eq!(
            written(Some(PrintableStream::default())),
            expected.as_bytes()
        );
    }
}
