//! Text that somebody else chose, made fit to be shown to a person.
//!
//! Client ids, replies of servers, names in files and messages of peers are bytes that a stranger may have chosen.
//! Shown as they are, they could steer a terminal, begin a line of their own, or turn the direction of the text around
//! them. Everything that a person reads goes through here: output to a terminal, messages, tables, the log, labels of
//! the live page.
//!
//! There is one form of escape, `\xNN` for each byte, as in patterns of the tokens file and in the wire log. A
//! backslash stands for itself, so shown text is for reading and not for reading back.

use std::fmt;
use std::str::Utf8Chunk;

/// Whether a character stands for itself: no control, no end of a line, none of the characters that show nothing,
/// nothing that turns the direction of writing. Blanks other than the space are shown as they are.
#[must_use]
pub fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_control();
    }
    !character.is_control()
        && !matches!(
            character,
            // Letters without a shape, the blank of Braille, and selectors of variations.
            '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{2800}' | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}'
                // The soft hyphen, and marks, embeddings, overrides and isolates of direction.
                | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                // Ends of lines and paragraphs.
                | '\u{2028}' | '\u{2029}'
                // Byte order marks, annotations, tags.
                | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// Appends the escape of one byte.
pub fn push_escape(out: &mut Vec<u8>, byte: u8) {
    let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble & 0xf)];
    out.extend_from_slice(&[b'\\', b'x', digit(byte >> 4), digit(byte)]);
}

/// A part of a text that is shown whole or not at all: one character, or one byte that is no UTF-8. It is displayed as
/// itself if it is printable, and else as the escapes of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit<'a> {
    /// A character.
    Character(&'a str),
    /// A byte that is no UTF-8.
    Byte(u8),
}

impl<'a> Unit<'a> {
    fn of_chunk(chunk: Utf8Chunk<'a>) -> impl Iterator<Item = Unit<'a>> {
        let valid = chunk.valid();
        let characters = valid.char_indices().map(move |(at, character)| {
            let bytes = at..at + character.len_utf8();
            Unit::Character(valid.get(bytes).unwrap_or_default())
        });
        characters.chain(chunk.invalid().iter().copied().map(Unit::Byte))
    }

    /// Whether it stands for itself.
    fn is_printable(self) -> bool {
        match self {
            Unit::Character(character) => character.chars().all(is_printable),
            Unit::Byte(_) => false,
        }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Unit::Character(character) => character.as_bytes(),
            Unit::Byte(byte) => std::slice::from_ref(byte),
        }
    }

    /// Appends it in the form in which it is shown.
    pub fn push_to(self, out: &mut Vec<u8>) {
        if self.is_printable() {
            out.extend_from_slice(self.bytes());
        } else {
            self.bytes().iter().for_each(|&byte| push_escape(out, byte));
        }
    }
}

impl fmt::Display for Unit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unit::Character(character) if self.is_printable() => f.write_str(character),
            _ => self
                .bytes()
                .iter()
                .try_for_each(|byte| write!(f, "\\x{byte:02x}")),
        }
    }
}

/// The units of a text.
pub fn units(text: &[u8]) -> impl Iterator<Item = Unit<'_>> {
    text.utf8_chunks().flat_map(Unit::of_chunk)
}

/// Text on one line: ends of lines and tabs are escaped too.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        units(self.0).try_for_each(|unit| unit.fmt(f))
    }
}

/// A writer that escapes as [`Printable`] does. Each piece ends with a whole character, as strings do.
pub struct PrintableWriter<'a>(pub &'a mut dyn fmt::Write);

impl fmt::Write for PrintableWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.chars().all(is_printable) {
            return self.0.write_str(text);
        }
        write!(self.0, "{}", Printable(text.as_bytes()))
    }
}

/// Text of many lines, which comes in pieces: ends of lines and tabs stand for themselves.
#[derive(Debug, Default)]
pub struct PrintableStream {
    /// The start of a character whose rest has not come yet.
    begun: Vec<u8>,
}

impl PrintableStream {
    /// How these bytes, which follow those before, are shown.
    pub fn of(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let whole = all.len() - begun_bytes(&all);
        self.begun = all.split_off(whole);
        let mut shown = Vec::with_capacity(all.len());
        for unit in units(&all) {
            match unit {
                Unit::Character("\n" | "\t") => shown.extend_from_slice(unit.bytes()),
                _ => unit.push_to(&mut shown),
            }
        }
        shown
    }
}

/// How many bytes at the end begin a character whose rest may come yet.
fn begun_bytes(text: &[u8]) -> usize {
    let mut last = None;
    for chunk in text.utf8_chunks() {
        last = Some(chunk.invalid());
    }
    let begins = |invalid: &&[u8]| {
        std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none())
    };
    last.filter(begins).map_or(0, <[u8]>::len)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn shown(text: impl AsRef<[u8]>) -> String {
        Printable(text.as_ref()).to_string()
    }

    #[test]
    fn text_stands_for_itself() {
        for text in [
            "kiwi.cs.ucla.edu",
            "a b\\c \"d\" <e>",
            "Zürich",
            "北京\u{3000}1",
            "עברית",
            "caf\u{e9} \u{ab}\u{a0}x",
        ] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn whatever_steers_a_terminal_is_escaped() {
        for (text, escaped) in [
            ("\0\u{7}\u{8}\r\n\t\u{7f}", r"\x00\x07\x08\x0d\x0a\x09\x7f"),
            ("\u{1b}[2J\u{1b}]0;owned\u{7}", r"\x1b[2J\x1b]0;owned\x07"),
            // C1 controls: CSI, OSC, string terminator.
            ("\u{9b}2J\u{9d}0;x\u{9c}", r"\xc2\x9b2J\xc2\x9d0;x\xc2\x9c"),
            // An override and an isolate of direction, a mark, a zero width space, a tag.
            (
                "a\u{202e}b\u{2066}c\u{200f}d\u{200b}e\u{e0041}",
                r"a\xe2\x80\xaeb\xe2\x81\xa6c\xe2\x80\x8fd\xe2\x80\x8be\xf3\xa0\x81\x81",
            ),
            (
                "a\u{2028}b\u{2029}\u{85}",
                r"a\xe2\x80\xa8b\xe2\x80\xa9\xc2\x85",
            ),
            ("\u{feff}x\u{fff9}", r"\xef\xbb\xbfx\xef\xbf\xb9"),
        ] {
            assert_eq!(shown(text), escaped);
        }
    }

    #[test]
    fn bytes_that_are_no_utf8_are_escaped() {
        assert_eq!(shown(b"\x9b2J \xff caf\xc3"), r"\x9b2J \xff caf\xc3");
        // A surrogate, and an overlong escape.
        assert_eq!(shown(b"\xed\xa0\x80 \xc0\x9b"), r"\xed\xa0\x80 \xc0\x9b");
    }

    /// Characters that are special somewhere, beside any others.
    fn any_text() -> impl Strategy<Value = Vec<u8>> {
        let special =
            prop::sample::select(vec!['\u{1b}', '\u{9b}', '\u{202e}', '\u{7f}', '\r', 'é']);
        let character =
            prop_oneof![any::<char>(), special].prop_map(|c| c.to_string().into_bytes());
        let piece = prop_oneof![character, prop::collection::vec(any::<u8>(), 0..4)];
        prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn nothing_else_is_left_in_shown_text(text in any_text()) {
            let shown = shown(&text);
            prop_assert!(shown.chars().all(is_printable), "{shown:?}");
            prop_assert_eq!(&self::shown(&shown), &shown);
            let mut pushed = Vec::new();
            units(&text).for_each(|unit| unit.push_to(&mut pushed));
            prop_assert_eq!(pushed, shown.into_bytes());
        }

        #[test]
        fn a_writer_shows_the_same(pieces in prop::collection::vec(any::<String>(), 0..8)) {
            let mut out = String::new();
            for piece in &pieces {
                PrintableWriter(&mut out).write_str(piece).unwrap();
            }
            prop_assert_eq!(out, shown(pieces.concat()));
        }

        #[test]
        fn a_stream_shows_the_same_wherever_it_is_split(
            text in any_text(),
            cuts in prop::collection::vec(0_usize..100, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut stream = PrintableStream::default();
            let pieces = cuts.windows(2).flat_map(|pair| stream.of(&text[pair[0]..pair[1]]));
            let mut split: Vec<u8> = pieces.collect();
            split.extend(stream.of(b"\n"));
            let whole = PrintableStream::default().of(&[&text[..], b"\n"].concat());
            prop_assert_eq!(&split, &whole);
            let split = String::from_utf8(split).unwrap();
            prop_assert!(split.chars().all(|c| is_printable(c) || c == '\n' || c == '\t'));
        }
    }
}
