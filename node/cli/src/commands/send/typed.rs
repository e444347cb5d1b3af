//! Lines as people type them: with `now` for the time, and unquoted on the command line. Pure.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use memchr::memchr;
use memchr::memmem;

use herd_crdt::ReportTime;
use herd_protocol::Fields;

/// The words of commands.
pub(super) const COMMAND_WORDS: [&str; 7] = [
    "IAMAT", "WHATSAT", "NEARBY", "WITHIN", "WATCH", "UNWATCH", "FORGET",
];

/// The word for the present in the place of a time.
const NOW: &[u8] = b"now";

/// The longest line that waits for its end, in bytes. The server refuses a longer one anyway.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// The lines of arguments: each is one, but a command word and the single words behind it are one line together.
pub(super) fn lines_of(arguments: &[OsString]) -> Vec<Vec<u8>> {
    let is_word = |argument: &OsString| Fields::new(argument.as_bytes()).count() == 1;
    let begins = arguments.first().is_some_and(|first| {
        COMMAND_WORDS
            .iter()
            .any(|word| first.as_bytes().eq_ignore_ascii_case(word.as_bytes()))
    });
    if begins && arguments.iter().all(is_word) {
        let words = arguments.iter().map(|word| word.as_bytes().trim_ascii());
        let words: Vec<&[u8]> = words.collect();
        return vec![words.join(&b' ')];
    }
    arguments
        .iter()
        .map(|line| line.as_bytes().to_vec())
        .collect()
}

/// The arguments of the program, with a blank before each word of `herd send` that begins like a location in the south:
/// `-34.06+118.4` would be taken for flags. Blanks before a line mean nothing.
pub(in crate::commands) fn with_southern_locations(
    arguments: impl IntoIterator<Item = OsString>,
) -> impl Iterator<Item = OsString> {
    let mut is_send = false;
    arguments
        .into_iter()
        .enumerate()
        .map(move |(place, argument)| {
            is_send |= place == 1 && argument == "send";
            let is_southern = match argument.as_bytes() {
                [b'-', next, ..] => next.is_ascii_digit() || *next == b'.',
                _ => false,
            };
            if !is_send || !is_southern {
                return argument;
            }
            let mut spaced = OsString::from(" ");
            spaced.push(argument);
            spaced
        })
}

/// Whether an argument is the address of a server, and so no line.
pub(super) fn is_port(argument: &OsString) -> bool {
    let digits = argument
        .as_bytes()
        .strip_prefix(b":")
        .unwrap_or(argument.as_bytes());
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// An IAMAT whose time is `now`, with the time `now_ns`, in ns since the POSIX epoch; every other line as it is.
pub(super) fn with_time(line: &[u8], now_ns: impl FnOnce() -> i64) -> Cow<'_, [u8]> {
    let mut fields = Fields::new(line);
    let [word, client, location, time, rest] = std::array::from_fn(|_| fields.next());
    match (word, client, location, time, rest) {
        (Some(b"IAMAT"), Some(client), Some(location), Some(NOW), None) => {
            let time = ReportTime::of_ns(now_ns()).to_text();
            Cow::Owned([&b"IAMAT"[..], client, location, time.as_bytes()].join(&b' '))
        }
        _ => Cow::Borrowed(line),
    }
}

/// Replaces `now` in a stream of lines that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct TimeFiller {
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
}

impl TimeFiller {
    /// The lines that are whole with this piece.
    pub(super) fn push(&mut self, piece: Vec<u8>, now_ns: impl Fn() -> i64) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.begun);
        if text.is_empty() {
            text = piece;
        } else {
            text.extend_from_slice(&piece);
        }
        let whole = memchr::memrchr(b'\n', &text).map_or(0, |lf| lf + 1);
        if text.len() - whole > LINE_BYTES_MAX {
            return text;
        }
        self.begun = text.split_off(whole);
        // Most streams have no such word in them.
        if memmem::find(&text, NOW).is_none() {
            return text;
        }
        let mut filled = Vec::with_capacity(text.len());
        let mut rest = &text[..];
        while let Some(lf) = memchr(b'\n', rest) {
            filled.extend_from_slice(&with_time(&rest[..lf], &now_ns));
            filled.push(b'\n');
            rest = &rest[lf + 1..];
        }
        filled
    }

    /// What is left at the end.
    pub(super) fn finish(self, now_ns: impl Fn() -> i64) -> Vec<u8> {
        with_time(&self.begun, &now_ns).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> i64 {
        1_520_023_934_918_963_997
    }

    #[test]
    fn unquoted_words_are_one_line_if_they_are_a_command() {
        let lines = |arguments: &[&str]| {
            let arguments: Vec<OsString> = arguments.iter().map(Into::into).collect();
            let lines = lines_of(&arguments);
            lines
                .into_iter()
                .map(|line| String::from_utf8(line).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(lines(&["IAMAT", "k", "+1-1", "now"]), ["IAMAT k +1-1 now"]);
        assert_eq!(lines(&["whatsat", "k", "1", "1"]), ["whatsat k 1 1"]);
        assert_eq!(
            lines(&["IAMAT k +1+1 1", "WHATSAT k 1 1"]),
            ["IAMAT k +1+1 1", "WHATSAT k 1 1"]
        );
        assert_eq!(
            lines(&["UNWATCH", "WHATSAT k 1 1"]),
            ["UNWATCH", "WHATSAT k 1 1"]
        );
        assert_eq!(lines(&["hello", "you"]), ["hello", "you"]);
    }

    #[test]
    fn locations_in_the_south_are_no_flags() {
        let arguments = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(Into::into).collect();
            with_southern_locations(words).collect::<Vec<_>>()
        };
        let spaced = arguments(&[
            "herd",
            "send",
            "IAMAT",
            "k",
            "-34.06+118.4",
            "now",
            "--to=a:1",
        ]);
        assert_eq!(spaced[4], " -34.06+118.4");
        assert_eq!(spaced[6], "--to=a:1");
        assert_eq!(lines_of(&spaced[2..6]), [b"IAMAT k -34.06+118.4 now"]);
        assert_eq!(arguments(&["herd", "near", "-34+118"])[2], "-34+118");
    }

    #[test]
    fn now_is_the_time_of_a_report_and_of_nothing_else() {
        let filled =
            |line: &str| String::from_utf8(with_time(line.as_bytes(), now).into_owned()).unwrap();
        assert_eq!(
            filled("IAMAT k +1+1 now"),
            "IAMAT k +1+1 1520023934.918963997"
        );
        for line in [
            "IAMAT now +1+1 1",
            "WHATSAT k +1+1 now",
            "IAMAT k +1+1 now now",
            "now",
            "",
        ] {
            assert_eq!(filled(line), line);
        }
    }

    #[test]
    fn streams_are_filled_whatever_their_pieces() {
        let text = "IAMAT k +1+1 now\n\nIAMAT nowhere +1+1 1\nIAMAT l +1+1 now";
        let expected = text
            .replace(" now", " 1520023934.918963997")
            .replace(" 1520023934.918963997here", " nowhere");
        for size in 1..text.len() {
            let mut filler = TimeFiller::default();
            let mut filled = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                filled.extend(filler.push(piece.to_vec(), now));
            }
            filled.extend(filler.finish(now));
            assert_eq!(String::from_utf8(filled).unwrap(), expected, "{size}");
        }
        let long = vec![b'x'; 2 * LINE_BYTES_MAX];
        assert_eq!(TimeFiller::default().push(long.clone(), now), long);
    }
}
