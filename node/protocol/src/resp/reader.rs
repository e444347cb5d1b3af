//! From bytes to requests, however the bytes are cut into reads.

use memchr::memchr;

use crate::read_buffer::ReadBuffer;

/// The fewest bytes of an argument: `$0`, CR, LF, CR, LF.
const ARGUMENT_BYTES_MIN: usize = 6;

/// The longest header that can be one: a type, a sign, and more digits than a length has.
const HEADER_BYTES_MAX: usize = 24;

/// An array is told from an inline command by this.
const ARRAY: u8 = b'*';

const BULK: u8 = b'$';

/// A request of a client: an array of bulk strings, or an inline command.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The command and its operands; none in an empty request, which gets no reply.
    pub arguments: Arguments<'a>,
    /// The line of an inline command, without its end.
    pub inline: Option<&'a [u8]>,
    /// The bytes that the request took.
    pub bytes: usize,
}

/// The arguments of a request.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a> {
    bytes: &'a [u8],
    places: &'a [(u32, u32)],
}

impl<'a> Arguments<'a> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let &(start, end) = self.places.get(index)?;
        self.bytes.get(start as usize..end as usize)
    }

    /// Those from this one on.
    #[must_use]
    pub fn from(&self, index: usize) -> Self {
        Arguments {
            bytes: self.bytes,
            places: self.places.get(index..).unwrap_or_default(),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        let places = self.places.iter();
        places.filter_map(move |&(start, end)| bytes.get(start as usize..end as usize))
    }
}

/// Why nothing that follows can be understood: the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolFault {
    /// The number of arguments is none.
    #[error("Protocol error: invalid multibulk length")]
    ArrayLength,
    /// The length of an argument is none.
    #[error("Protocol error: invalid bulk length")]
    BulkLength,
    /// An argument is no bulk string.
    #[error("Protocol error: expected '$', got '{}'", .0.escape_ascii())]
    NotBulk(u8),
    /// An argument does not end where its length says.
    #[error("Protocol error: a bulk string does not end in CR LF")]
    BulkEnd,
    /// The command has more bytes than the limit.
    #[error("Protocol error: the command is longer than {0} bytes, the server's line_bytes_max")]
    TooLong(usize),
    /// An inline command has quotes.
    #[error("Protocol error: inline commands with quotes are not understood, send an array")]
    Quotes,
}

/// Cuts a stream of bytes into requests, the same requests for any pieces.
///
/// Bytes are read straight into the reader's buffer, and arguments are borrowed from it. Each byte is looked at once,
/// whatever the pieces. At most the limit is stored between reads.
#[derive(Debug)]
pub struct CommandReader {
    limit_bytes: usize,
    buffer: ReadBuffer,
    /// So many bytes of the next request are understood.
    at: usize,
    /// The arguments of an array that are still to come; `None` before its header is there.
    awaited: Option<usize>,
    /// The length of the argument that comes next, once its header is there.
    bulk_bytes: Option<usize>,
    /// Where the arguments are that are there, from the start of the request.
    places: Vec<(u32, u32)>,
    has_failed: bool,
}

impl CommandReader {
    /// A reader of requests of at most `limit_bytes`, headers included.
    #[must_use]
    pub fn new(limit_bytes: usize) -> Self {
        // Places are of 32 bits.
        let limit_bytes = limit_bytes.min(u32::MAX as usize / 2);
        CommandReader {
            limit_bytes,
            buffer: ReadBuffer::new(limit_bytes),
            at: 0,
            awaited: None,
            bulk_bytes: None,
            places: Vec::new(),
            has_failed: false,
        }
    }

    /// The bytes that were read. Take all requests before more are added.
    pub fn buffer_mut(&mut self) -> &mut ReadBuffer {
        &mut self.buffer
    }

    /// Adds bytes that were read elsewhere.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.push(bytes);
    }

    /// Whether there is the beginning of a request without its end. Take all requests before.
    #[must_use]
    pub fn is_inside_request(&self) -> bool {
        !self.has_failed && !self.buffer.stored().is_empty()
    }

    /// The bytes that were read, from the start of the next request on.
    #[must_use]
    pub fn ahead(&self) -> &[u8] {
        self.buffer.stored()
    }

    /// The next request, or `None` until more bytes come. One without arguments is a request too, so that it counts.
    ///
    /// # Errors
    /// See [`ProtocolFault`]. There are no more requests then.
    pub fn next_request(&mut self) -> Result<Option<Request<'_>>, ProtocolFault> {
        if self.has_failed {
            return Ok(None);
        }
        let Some(&first) = self.buffer.stored().first() else {
            return Ok(None);
        };
        let found = if first == ARRAY {
            self.array()
        } else {
            self.inline()
        };
        match found {
            Err(fault) => {
                self.has_failed = true;
                Err(fault)
            }
            Ok(false) => Ok(None),
            Ok(true) => Ok(Some(self.taken(first == ARRAY))),
        }
    }

    fn taken(&mut self, is_array: bool) -> Request<'_> {
        let bytes = self.begin_next();
        let request = self.buffer.take(bytes);
        Request {
            arguments: Arguments {
                bytes: request,
                places: &self.places,
            },
            inline: (!is_array).then(|| without_line_end(request)),
            bytes,
        }
    }

    /// The next request begins. Returns the bytes of the one before.
    fn begin_next(&mut self) -> usize {
        self.awaited = None;
        self.bulk_bytes = None;
        std::mem::take(&mut self.at)
    }

    /// Goes on with an array; says whether it is whole.
    fn array(&mut self) -> Result<bool, ProtocolFault> {
        let stored = seen(&self.buffer, self.limit_bytes);
        let mut awaited = match self.awaited {
            Some(awaited) => awaited,
            None => {
                let header = header(stored, ProtocolFault::ArrayLength)?;
                let Some((count, bytes)) = header else {
                    return self.unless_too_long();
                };
                self.places.clear();
                self.at = bytes;
                // None or fewer is an empty request.
                let count = usize::try_from(count).unwrap_or(0);
                if count > self.limit_bytes / ARGUMENT_BYTES_MIN {
                    return Err(ProtocolFault::TooLong(self.limit_bytes));
                }
                count
            }
        };
        while awaited > 0 {
            let bulk_bytes = match self.bulk_bytes {
                Some(bytes) => bytes,
                None => {
                    let rest = &stored[self.at..];
                    match rest.first() {
                        None => break,
                        Some(&BULK) => {}
                        Some(&other) => return Err(ProtocolFault::NotBulk(other)),
                    }
                    let Some((length, bytes)) = header(rest, ProtocolFault::BulkLength)? else {
                        break;
                    };
                    self.at += bytes;
                    let length = usize::try_from(length);
                    let length = length.map_err(|_| ProtocolFault::BulkLength)?;
                    if (self.at + 2).saturating_add(length) > self.limit_bytes {
                        return Err(ProtocolFault::TooLong(self.limit_bytes));
                    }
                    self.bulk_bytes = Some(length);
                    length
                }
            };
            let end = self.at + bulk_bytes;
            match stored.get(end..end + 2) {
                None => break,
                Some(b"\r\n") => {}
                Some(_) => return Err(ProtocolFault::BulkEnd),
            }
            // Both are below the limit, which fits.
            self.places.push((self.at as u32, end as u32));
            self.at = end + 2;
            self.bulk_bytes = None;
            awaited -= 1;
        }
        self.awaited = Some(awaited);
        if awaited > 0 {
            return self.unless_too_long();
        }
        Ok(true)
    }

    /// A request is not whole yet.
    fn unless_too_long(&self) -> Result<bool, ProtocolFault> {
        if self.buffer.stored().len() > self.limit_bytes {
            return Err(ProtocolFault::TooLong(self.limit_bytes));
        }
        Ok(false)
    }

    /// Goes on with an inline command; says whether it is whole.
    fn inline(&mut self) -> Result<bool, ProtocolFault> {
        let stored = seen(&self.buffer, self.limit_bytes);
        let Some(lf) = memchr(b'\n', &stored[self.at..]) else {
            self.at = stored.len();
            return self.unless_too_long();
        };
        let lf = self.at + lf;
        let line = &stored[..lf];
        self.at = lf + 1;
        self.places.clear();
        if line.iter().any(|byte| matches!(byte, b'"' | b'\'')) {
            return Err(ProtocolFault::Quotes);
        }
        let mut from = None;
        for (at, byte) in line.iter().chain(b" ").enumerate() {
            match (from, byte.is_ascii_whitespace()) {
                (None, false) => from = Some(at),
                (Some(start), true) => {
                    self.places.push((start as u32, at as u32));
                    from = None;
                }
                _ => {}
            }
        }
        Ok(true)
    }
}

/// The bytes that the next request may have, and one more: so it is judged alike however it is cut.
fn seen(buffer: &ReadBuffer, limit_bytes: usize) -> &[u8] {
    let stored = buffer.stored();
    &stored[..stored.len().min(limit_bytes + 1)]
}

/// Reads a type, a number and CR LF: the number, and how many bytes they take. `None` until all of it is there.
fn header(bytes: &[u8], malformed: ProtocolFault) -> Result<Option<(i64, usize)>, ProtocolFault> {
    let mut number: i64 = 0;
    let mut digits = 0;
    let mut at = 1;
    let is_negative = bytes.get(1) == Some(&b'-');
    at += usize::from(is_negative);
    loop {
        match bytes.get(at) {
            None => return Ok(None),
            Some(digit @ b'0'..=b'9') if at < HEADER_BYTES_MAX => {
                number = number
                    .checked_mul(10)
                    .and_then(|number| number.checked_add(i64::from(digit - b'0')))
                    .ok_or(malformed)?;
                digits += 1;
                at += 1;
            }
            Some(b'\r') if digits > 0 => break,
            Some(_) => return Err(malformed),
        }
    }
    match bytes.get(at + 1) {
        None => Ok(None),
        Some(b'\n') => Ok(Some((if is_negative { -number } else { number }, at + 2))),
        Some(_) => Err(malformed),
    }
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Seen = Result<Vec<Vec<u8>>, ProtocolFault>;

    /// All requests of `pieces`, and the most bytes that were stored between two of them.
    fn requests<'a>(
        limit: usize,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> (Vec<Seen>, usize) {
        let mut reader = CommandReader::new(limit);
        let mut all = Vec::new();
        let mut stored_max = 0;
        for piece in pieces {
            reader.push(piece);
            loop {
                match reader.next_request() {
                    Ok(Some(request)) => {
                        let arguments = request.arguments.iter().map(<[u8]>::to_vec);
                        all.push(Ok(arguments.collect()));
                    }
                    Ok(None) => break,
                    Err(fault) => all.push(Err(fault)),
                }
            }
            if !reader.has_failed {
                stored_max = stored_max.max(reader.buffer.stored().len());
            }
        }
        (all, stored_max)
    }

    fn of(text: &str) -> Vec<Seen> {
        requests(1_000, [text.as_bytes()]).0
    }

    fn request(arguments: &[&str]) -> Seen {
        Ok(arguments
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect())
    }

    #[test]
    fn arrays_and_inline_commands_are_requests() {
        let found = of("*2\r\n$4\r\nECHO\r\n$5\r\na\r\nb \r\nPING\r\n ping  x\ty \n");
        assert_eq!(
            found,
            [
                request(&["ECHO", "a\r\nb "]),
                request(&["PING"]),
                request(&["ping", "x", "y"]),
            ]
        );
        assert_eq!(of("*1\r\n$0\r\n\r\n"), [request(&[""])]);
    }

    #[test]
    fn requests_without_arguments_are_requests_too() {
        let mut expected = vec![request(&[]); 5];
        expected.push(request(&["PING"]));
        assert_eq!(of("*0\r\n*-1\r\n\r\n  \r\n\nPING\r\n"), expected);
    }

    #[test]
    fn what_is_no_request_ends_the_connection() {
        for (text, fault) in [
            ("*x\r\n", ProtocolFault::ArrayLength),
            ("*\r\n", ProtocolFault::ArrayLength),
            ("*1\rx", ProtocolFault::ArrayLength),
            ("*99999999999999999999\r\n", ProtocolFault::ArrayLength),
            ("*1\r\n:1\r\n", ProtocolFault::NotBulk(b':')),
            ("*1\r\n$-1\r\n", ProtocolFault::BulkLength),
            ("*1\r\n$x\r\n", ProtocolFault::BulkLength),
            ("*1\r\n$1\r\nabc", ProtocolFault::BulkEnd),
            ("*1\r\n$1000\r\n", ProtocolFault::TooLong(1_000)),
            ("*500\r\n", ProtocolFault::TooLong(1_000)),
            ("ping \"a b\"\r\n", ProtocolFault::Quotes),
        ] {
            let found = of(&format!("PING\r\n{text}PING\r\nPING\r\n"));
            assert_eq!(found, [request(&["PING"]), Err(fault)], "{text}");
        }
        let long = "x".repeat(1_001);
        assert_eq!(of(&long), [Err(ProtocolFault::TooLong(1_000))]);
        assert_eq!(
            of(&format!("{long}\n")),
            [Err(ProtocolFault::TooLong(1_000))]
        );
    }

    #[test]
    fn an_inline_command_keeps_its_line() {
        let mut reader = CommandReader::new(100);
        reader.push(b"POST / HTTP/1.1\r\n");
        let request = reader.next_request().unwrap().unwrap();
        assert_eq!(request.inline, Some(&b"POST / HTTP/1.1"[..]));
    }

    #[test]
    fn the_limit_counts_all_bytes_of_a_command() {
        let command = b"*1\r\n$10\r\n0123456789\r\n";
        let whole = |limit| requests(limit, [&command[..]]).0[0].is_ok();
        assert!(whole(command.len()) && !whole(command.len() - 1));
    }

    fn input() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            4 => prop::collection::vec("[a-z\r\n$*]{0,8}", 1..4).prop_map(|arguments| {
                let mut text = format!("*{}\r\n", arguments.len());
                for argument in arguments {
                    text += &format!("${}\r\n{argument}\r\n", argument.len());
                }
                text.into_bytes()
            }),
            2 => "[a-z ]{0,9}\r?\n".prop_map(String::into_bytes),
            1 => "[*$][-0-9]{0,3}\r\n".prop_map(String::into_bytes),
            1 => prop::collection::vec(any::<u8>(), 0..6),
        ];
        prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_requests(
            input in input(),
            limit in 0_usize..60,
            cuts in prop::collection::vec(0_usize..200, 0..20),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
            cuts.extend([0, input.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| &input[pair[0]..pair[1]]);
            let (split, stored_max) = requests(limit, pieces);
            let (whole, _) = requests(limit, [&input[..]]);
            prop_assert_eq!(&split, &whole);
            prop_assert!(stored_max <= limit);
            let (single, _) = requests(limit, input.chunks(1));
            prop_assert_eq!(&single, &whole);
        }
    }
}
