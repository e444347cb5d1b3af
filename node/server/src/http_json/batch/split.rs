//! The reports in a body: lines of NDJSON, or the elements of an array.

use std::ops::Range;

use memchr::memchr;

/// The longest report, in bytes: an ID with every byte escaped, and all else.
pub(super) const REPORT_BYTES_MAX: usize = 64 * 1024;

/// Finds the reports in a body that comes in pieces. It keeps what was not taken, and that is one report at most.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    buffer: Vec<u8>,
    /// What was taken.
    taken: usize,
    /// What was looked at.
    looked: usize,
    place: Place,
}

/// Where in the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Before the first byte that is no blank.
    #[default]
    Start,
    /// In lines.
    Lines,
    /// Before or in an element of the array, at this depth of brackets.
    Element(Nesting),
    /// Behind the array.
    End,
}

/// Where in an element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Nesting {
    depth: usize,
    in_text: bool,
    is_escaped: bool,
    /// No element was before this one.
    is_first: bool,
}

/// Why a body cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SplitFault {
    /// A report is too long.
    #[error("a report is longer than {REPORT_BYTES_MAX} bytes")]
    TooLong,
    /// The array has no end.
    #[error("the array has no end")]
    NoEnd,
    /// Something follows the array.
    #[error("something follows the array")]
    Behind,
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

impl Splitter {
    /// Takes the next piece of the body.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.buffer.drain(..self.taken);
        self.looked -= self.taken;
        self.taken = 0;
        self.buffer.extend_from_slice(piece);
    }

    /// The bytes of a report that was found.
    pub(super) fn bytes(&self, report: Range<usize>) -> &[u8] {
        self.buffer.get(report).unwrap_or_default()
    }

    /// Whether the body is an array, as far as it is known.
    pub(super) fn is_array(&self) -> bool {
        matches!(self.place, Place::Element(_) | Place::End)
    }

    /// The next whole report; a blank line is none.
    ///
    /// # Errors
    /// The body cannot be read on.
    pub(super) fn next_report(&mut self) -> Result<Option<Range<usize>>, SplitFault> {
        loop {
            let found = match self.place {
                Place::Start => {
                    let Some(first) = self.skip_blanks() else {
                        return Ok(None);
                    };
                    self.place = Place::Lines;
                    if first == b'[' {
                        self.taken += 1;
                        self.looked = self.taken;
                        let is_first = true;
                        self.place = Place::Element(Nesting {
                            is_first,
                            ..Nesting::default()
                        });
                    }
                    continue;
                }
                Place::Lines => self.next_line(),
                Place::Element(nesting) => self.next_element(nesting),
                Place::End => match self.skip_blanks() {
                    Some(_) => return Err(SplitFault::Behind),
                    None => return Ok(None),
                },
            };
            match found {
                Some(report) if report.len() > REPORT_BYTES_MAX => return Err(SplitFault::TooLong),
                Some(report) if self.is_nothing(&report) => {}
                Some(report) => return Ok(Some(report)),
                None if self.place == Place::End => {}
                None if self.buffer.len() - self.taken > REPORT_BYTES_MAX => {
                    return Err(SplitFault::TooLong);
                }
                None => return Ok(None),
            }
        }
    }

    /// The last report, of a body that has ended.
    ///
    /// # Errors
    /// An array was not whole.
    pub(super) fn finish(&mut self) -> Result<Option<Range<usize>>, SplitFault> {
        if let Some(report) = self.next_report()? {
            return Ok(Some(report));
        }
        let rest = self.taken..self.buffer.len();
        self.taken = rest.end;
        self.looked = rest.end;
        match self.place {
            Place::Start | Place::End => Ok(None),
            Place::Element(_) => Err(SplitFault::NoEnd),
            Place::Lines => Ok(Some(rest).filter(|rest| !self.is_nothing(rest))),
        }
    }

    /// A line of blanks. In an array each element is something, if only a mistake.
    fn is_nothing(&self, report: &Range<usize>) -> bool {
        let is_line = self.place == Place::Lines;
        is_line && self.buffer[report.clone()].iter().copied().all(is_blank)
    }

    fn skip_blanks(&mut self) -> Option<u8> {
        let rest = &self.buffer[self.taken..];
        let blanks = rest.iter().position(|&byte| !is_blank(byte));
        self.taken += blanks.unwrap_or(rest.len());
        self.looked = self.taken;
        self.buffer.get(self.taken).copied()
    }

    fn next_line(&mut self) -> Option<Range<usize>> {
        match memchr(b'\n', &self.buffer[self.looked..]) {
            Some(at) => {
                let end = self.looked + at;
                let line = self.taken..end;
                self.taken = end + 1;
                self.looked = self.taken;
                Some(line)
            }
            None => {
                self.looked = self.buffer.len();
                None
            }
        }
    }

    /// The next element, with the blanks around it. The end of the array is none.
    fn next_element(&mut self, mut nesting: Nesting) -> Option<Range<usize>> {
        while let Some(&byte) = self.buffer.get(self.looked) {
            if nesting.is_escaped {
                nesting.is_escaped = false;
            } else if nesting.in_text {
                match byte {
                    b'\\' => nesting.is_escaped = true,
                    b'"' => nesting.in_text = false,
                    _ => {}
                }
            } else if nesting.depth == 0 && matches!(byte, b',' | b']') {
                return self.end_element(byte == b']', nesting.is_first);
            } else {
                match byte {
                    b'"' => nesting.in_text = true,
                    b'{' | b'[' => nesting.depth += 1,
                    b'}' | b']' => nesting.depth = nesting.depth.saturating_sub(1),
                    _ => {}
                }
            }
            self.looked += 1;
        }
        self.place = Place::Element(nesting);
        None
    }

    fn end_element(&mut self, is_last: bool, is_first: bool) -> Option<Range<usize>> {
        let element = self.taken..self.looked;
        self.looked += 1;
        self.taken = self.looked;
        self.place = match is_last {
            true => Place::End,
            false => Place::Element(Nesting::default()),
        };
        let is_empty = self.buffer[element.clone()].iter().copied().all(is_blank);
        // `[]` has none.
        (!(is_last && is_first && is_empty)).then_some(element)
    }
}

/// Splits a body that comes in pieces of this length, and says how many reports it has; for the fuzz target.
#[must_use]
pub fn split_for_fuzzing(body: &[u8], piece: usize) -> (usize, bool) {
    let mut splitter = Splitter::default();
    let mut reports = 0;
    let mut run = || {
        for piece in body.chunks(piece.max(1)) {
            splitter.push(piece);
            while splitter.next_report()?.is_some() {
                reports += 1;
            }
        }
        while splitter.finish()?.is_some() {
            reports += 1;
        }
        Ok::<_, SplitFault>(())
    };
    let is_whole = run().is_ok();
    (reports, is_whole)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The reports of a body that comes in pieces of this length.
    fn split(body: &[u8], piece: usize) -> Result<Vec<String>, SplitFault> {
        let mut splitter = Splitter::default();
        let mut reports = Vec::new();
        let mut note = |splitter: &Splitter, report| {
            let text = String::from_utf8_lossy(splitter.bytes(report))
                .trim()
                .to_owned();
            reports.push(text);
        };
        for piece in body.chunks(piece) {
            splitter.push(piece);
            while let Some(report) = splitter.next_report()? {
                note(&splitter, report);
            }
        }
        while let Some(report) = splitter.finish()? {
            note(&splitter, report);
        }
        Ok(reports)
    }

    #[test]
    fn lines_and_elements_are_reports() {
        for (body, reports) in [
            ("", &[][..]),
            (" \r\n\n", &[]),
            ("[]", &[]),
            (" [ \n ] \n", &[]),
            ("{}\n{\"a\":1}\r\n\n{}", &["{}", "{\"a\":1}", "{}"]),
            ("{}\n{}\n", &["{}", "{}"]),
            ("[{}]", &["{}"]),
            (
                "[ {\"a\":\"],[\\\"\"} , {\"b\":[1,2]} ]\n",
                &["{\"a\":\"],[\\\"\"}", "{\"b\":[1,2]}"],
            ),
            ("[1,,2]", &["1", "", "2"]),
            ("[{},]", &["{}", ""]),
            ("[}]", &["}"]),
            ("x", &["x"]),
        ] {
            for piece in [1, 2, 3, 100] {
                assert_eq!(
                    split(body.as_bytes(), piece).as_deref(),
                    Ok(reports
                        .iter()
                        .map(|&text| text.to_owned())
                        .collect::<Vec<_>>()
                        .as_slice()),
                    "{body} by {piece}"
                );
            }
        }
    }

    #[test]
    fn a_body_that_is_no_whole_array_is_refused() {
        for piece in [1, 100] {
            assert_eq!(split(b"[{}", piece), Err(SplitFault::NoEnd));
            assert_eq!(split(b"[{},{}\n", piece), Err(SplitFault::NoEnd));
            assert_eq!(split(b"[{}] x", piece), Err(SplitFault::Behind));
        }
        for begin in [&b"["[..], b""] {
            let long = [begin, &vec![b'x'; REPORT_BYTES_MAX + 2]].concat();
            for piece in [1_000, 1 << 20] {
                assert_eq!(split(&long, piece), Err(SplitFault::TooLong));
            }
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(body in "[\\[\\]{},\"\\\\\\n a1]{0,40}", piece in 1..9_usize) {
            prop_assert_eq!(split(body.as_bytes(), piece), split(body.as_bytes(), 100));
        }

        #[test]
        fn elements_of_any_array_are_found(
            values in prop::collection::vec("\"([a-z,\\]\\[{}]|\\\\\"|\\\\\\\\){0,8}\"|[0-9]{1,3}|\\{\"a\":\\[1,\\{\\}\\]\\}", 0..6),
            piece in 1..9_usize,
        ) {
            let body = format!("[{}]", values.join(" , "));
            prop_assert_eq!(split(body.as_bytes(), piece), Ok(values));
        }
    }
}
