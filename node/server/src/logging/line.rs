//! The last touch to a line: bounded, on one line, and with the number of those that were left out before it.

use std::borrow::Cow;

use super::LogFormat;
use herd_text::printable::units;

/// The longest line, in bytes, with its LF. `herd local` shows lines up to that length as one.
pub const LINE_BYTES_MAX: usize = 16 * 1024;

/// Room for the mark behind a line that was cut.
const TAIL_BYTES: usize = 64;

/// The form of the lines of this process.
#[derive(Clone, Debug)]
pub(super) struct LineShape {
    pub(super) format: LogFormat,
    /// Whether lines hold colours.
    pub(super) ansi: bool,
    pub(super) server: String,
}

impl LineShape {
    /// A line as it goes out. `left_out` lines like it were left out before it.
    pub(super) fn finish<'a>(&self, line: &'a [u8], left_out: u64) -> Cow<'a, [u8]> {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let is_plain = self.format == LogFormat::Json || is_plain(text);
        if is_plain && left_out == 0 && line.len() <= LINE_BYTES_MAX && line.ends_with(b"\n") {
            return Cow::Borrowed(line);
        }
        let mut out = match self.format {
            LogFormat::Text => self.text(text),
            LogFormat::Json if text.len() + TAIL_BYTES > LINE_BYTES_MAX => {
                let message = format!("a line of {} bytes is too long to be shown", text.len());
                self.own_line("WARN", "", &message).into_bytes()
            }
            LogFormat::Json => text.to_vec(),
        };
        if out.last() == Some(&b'\n') {
            out.pop();
        }
        if left_out > 0 {
            let tail = match self.format {
                LogFormat::Text => format!(" left_out={left_out}"),
                LogFormat::Json => {
                    out.pop();
                    format!(",\"left_out\":{left_out}}}")
                }
            };
            out.extend_from_slice(tail.as_bytes());
        }
        out.push(b'\n');
        Cow::Owned(out)
    }

    /// A line of the log about itself, in the form of the others. `time` is RFC 3339, or empty.
    pub(super) fn own_line(&self, level: &str, time: &str, message: &str) -> String {
        match self.format {
            LogFormat::Text => format!("{time} {level:>5} herd_server::logging: {message}\n"),
            LogFormat::Json => {
                let value = serde_json::json!({
                    "server": self.server,
                    "timestamp": time,
                    "level": level,
                    "message": message,
                    "target": "herd_server::logging",
                });
                format!("{value}\n")
            }
        }
    }

    /// The text, shown as [`herd_text::printable`] says but for tabs and colours, and cut if it is too long.
    fn text(&self, text: &[u8]) -> Vec<u8> {
        let room = LINE_BYTES_MAX - TAIL_BYTES;
        let mut out = Vec::with_capacity(text.len().min(room) + TAIL_BYTES);
        let mut piece = Vec::new();
        let mut units = units(text);
        let mut at = 0;
        while let Some(unit) = units.next() {
            piece.clear();
            let rest = text.get(at..).unwrap_or_default();
            if let Some(colour) = self.colour(rest) {
                piece.extend_from_slice(colour);
                // All of it is ASCII, and its first character is taken.
                units.by_ref().take(colour.len() - 1).for_each(drop);
                at += colour.len();
            } else {
                at += unit.bytes().len();
                match unit.bytes() {
                    b"\t" => piece.push(b'\t'),
                    _ => unit.push_to(&mut piece),
                }
            }
            if out.len() + piece.len() > room {
                out.extend_from_slice(b"... (cut)");
                break;
            }
            out.extend_from_slice(&piece);
        }
        out
    }

    /// The colour that `text` begins with, if lines hold colours: ESC, `[`, numbers, `m`. Nothing else passes: fields
    /// of events are escaped already, so all that there is of these is the log's own.
    fn colour<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        let numbers = text.strip_prefix(b"\x1b[").filter(|_| self.ansi)?;
        let is_number = |byte: &u8| byte.is_ascii_digit() || *byte == b';';
        let end = numbers.iter().position(|byte| !is_number(byte))?;
        let is_colour = numbers.get(end) == Some(&b'm');
        text.get(..b"\x1b[".len() + end + 1).filter(|_| is_colour)
    }
}

/// Whether a text is ASCII that stands for itself, as almost every line is.
fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(format: LogFormat) -> LineShape {
        LineShape {
            format,
            ansi: false,
            server: "Hill".to_owned(),
        }
    }

    #[test]
    fn a_line_stays_one_line_and_does_nothing_to_a_terminal() {
        let shape = shape(LogFormat::Text);
        let finished = |line: &[u8]| String::from_utf8(shape.finish(line, 0).into_owned()).unwrap();
        assert_eq!(finished(b"a\tplain line\n"), "a\tplain line\n");
        assert_eq!(finished(b"a\x1b[2Jb\nc\n"), "a\\x1b[2Jb\\x0ac\n");
        assert_eq!(
            finished(b"\x1b[31ma\xff\xc2\x9b \xc3\xa9\n"),
            "\\x1b[31ma\\xff\\xc2\\x9b é\n"
        );
        let coloured = LineShape {
            ansi: true,
            ..shape.clone()
        };
        let finished = |line: &str| coloured.finish(line.as_bytes(), 0).into_owned();
        let line = "\x1b[2mx é\x1b[0m \x1b[1;31my\x1b[m\n";
        assert_eq!(finished(line), line.as_bytes());
        let line = "\x1b[2J\x1b]0;x\x07\x1b[31\x1b[1\u{9b}m\u{202e}\x1b\n";
        let escaped = r"\x1b[2J\x1b]0;x\x07\x1b[31\x1b[1\xc2\x9bm\xe2\x80\xae\x1b";
        assert_eq!(finished(line), format!("{escaped}\n").as_bytes());
    }

    #[test]
    fn a_line_tells_how_many_were_left_out() {
        let text = shape(LogFormat::Text).finish(b"x\n", 3).into_owned();
        assert_eq!(text, b"x left_out=3\n");
        let json = shape(LogFormat::Json)
            .finish(b"{\"a\":1}\n", 3)
            .into_owned();
        assert_eq!(json, b"{\"a\":1,\"left_out\":3}\n");
    }

    #[test]
    fn a_long_line_is_cut_and_json_stays_json() {
        let long = [vec![b'x'; 2 * LINE_BYTES_MAX], vec![b'\n']].concat();
        let text = shape(LogFormat::Text).finish(&long, u64::MAX).into_owned();
        assert!(
            text.len() <= LINE_BYTES_MAX && text.ends_with(b"\n"),
            "{}",
            text.len()
        );
        let json = [b"{\"a\":\"", &long[..long.len() - 1], b"\"}\n"].concat();
        let json = shape(LogFormat::Json).finish(&json, 2).into_owned();
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(
            (&value["server"], &value["left_out"]),
            (&"Hill".into(), &2.into())
        );
    }
}
