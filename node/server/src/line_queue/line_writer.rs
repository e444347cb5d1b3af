//! Writes whole lines, and ends a line that was cut off before it writes the next.

use std::io::{self, Write};

/// A sink of lines.
pub(crate) struct LineWriter<W> {
    pub(crate) out: W,
    /// Whether the last line in it lacks its end.
    torn: bool,
}

/// A sink that did not take everything.
#[derive(Debug)]
pub(crate) struct CutOff {
    /// Lines that are not whole in the sink.
    pub(crate) lines: u64,
    /// Bytes that it took.
    pub(crate) written_bytes: u64,
    /// The error of the system.
    pub(crate) error: io::Error,
}

impl<W: Write> LineWriter<W> {
    /// Writes to `out`, whose last line lacks its end if it is `torn`.
    pub(crate) fn new(out: W, torn: bool) -> Self {
        LineWriter { out, torn }
    }

    /// Writes lines, each with its LF.
    ///
    /// # Errors
    /// As soon as the sink fails. The bytes that it took stay in it.
    pub(crate) fn write_lines(&mut self, lines: &[u8]) -> Result<(), CutOff> {
        if self.torn {
            self.out.write_all(b"\n").map_err(|error| CutOff {
                lines: line_count(lines),
                written_bytes: 0,
                error,
            })?;
            self.torn = false;
        }
        let mut rest = lines;
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(0) => return Err(self.cut_off(lines, rest, io::ErrorKind::WriteZero.into())),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.cut_off(lines, rest, error)),
            }
        }
        Ok(())
    }

    fn cut_off(&mut self, lines: &[u8], rest: &[u8], error: io::Error) -> CutOff {
        let written = lines.get(..lines.len() - rest.len()).unwrap_or_default();
        self.torn = written.last().is_some_and(|&byte| byte != b'\n');
        CutOff {
            lines: line_count(rest),
            written_bytes: written.len() as u64,
            error,
        }
    }
}

/// How many lines end in these bytes.
pub(crate) fn line_count(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}
