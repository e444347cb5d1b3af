//! From bytes to requests, however the bytes are cut into reads.

use memchr::memchr;

use crate::read_buffer::ReadBuffer;

/// The fewest bytes of an argument: `$0`, CR, LF, CR, LF.
const ARGUMENT_BYTES_MIN: usize = 6;

/// Room for the places of more arguments than this is not kept when nothing is stored.
const PLACES_KEPT: usize = 64;

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

    /// Where the next bytes are read to. Take all requests before.
    pub fn buffer(&mut self) -> &mut ReadBuffer {
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
            if self.places.capacity() > PLACES_KEPT {
                // Grown for one request of many arguments; do not hold that for the life of the connection.
                self.places = Vec::new();
            }
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

    #[cfg(test)]
    fn places_capacity(&self) -> usize {
        self.places.capacity()
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
mod tests;
