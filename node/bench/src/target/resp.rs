//! Replies of Redis in its protocol RESP2, <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

use super::NotAReply;

/// How deep arrays may lie in each other. `GEOPOS` needs two.
const DEPTH_MAX: usize = 4;

/// The longest line that announces a value, in bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// An error.
    Error,
    /// Nothing: a missing string or array.
    Nil,
    /// A status.
    Status,
    /// A number.
    Integer,
    /// A string.
    Bulk,
    /// An array in which at least one value is nil or an error.
    ArrayWithGaps,
    /// Any other array.
    Array,
}

/// Reads the value at the start of `input`: its kind and its length in bytes. `None` if it is not complete yet.
pub(super) fn read_value(input: &[u8]) -> Result<Option<(Value, usize)>, NotAReply> {
    read_nested(input, DEPTH_MAX)
}

fn read_nested(input: &[u8], depth: usize) -> Result<Option<(Value, usize)>, NotAReply> {
    let Some((line, line_bytes)) = read_line(input)? else {
        return Ok(None);
    };
    let (&kind, text) = line.split_first().ok_or(NotAReply)?;
    let value = match kind {
        b'+' => Value::Status,
        b'-' => Value::Error,
        b':' => Value::Integer,
        b'$' => return read_bulk(input, text, line_bytes),
        b'*' => return read_array(input, text, line_bytes, depth),
        _ => return Err(NotAReply),
    };
    Ok(Some((value, line_bytes)))
}

/// The line at the start of `input` without its end, and how many bytes it takes with it.
fn read_line(input: &[u8]) -> Result<Option<(&[u8], usize)>, NotAReply> {
    let Some(end) = memchr::memchr(b'\n', input) else {
        let is_too_long = input.len() > LINE_BYTES_MAX;
        return if is_too_long {
            Err(NotAReply)
        } else {
            Ok(None)
        };
    };
    let line = input.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    Ok(Some((line.ok_or(NotAReply)?, end + 1)))
}

fn read_bulk(
    input: &[u8],
    length: &[u8],
    line_bytes: usize,
) -> Result<Option<(Value, usize)>, NotAReply> {
    let Some(length) = read_length(length)? else {
        return Ok(Some((Value::Nil, line_bytes)));
    };
    let end = line_bytes.checked_add(length).ok_or(NotAReply)?;
    let whole = end.checked_add(2).ok_or(NotAReply)?;
    match input.get(end..whole) {
        None => Ok(None),
        Some(b"\r\n") => Ok(Some((Value::Bulk, whole))),
        Some(_) => Err(NotAReply),
    }
}

fn read_array(
    input: &[u8],
    length: &[u8],
    line_bytes: usize,
    depth: usize,
) -> Result<Option<(Value, usize)>, NotAReply> {
    let Some(length) = read_length(length)? else {
        return Ok(Some((Value::Nil, line_bytes)));
    };
    let depth = depth.checked_sub(1).ok_or(NotAReply)?;
    let (mut at, mut array) = (line_bytes, Value::Array);
    for _ in 0..length {
        let Some((value, bytes)) = read_nested(input.get(at..).unwrap_or_default(), depth)? else {
            return Ok(None);
        };
        if matches!(value, Value::Nil | Value::Error | Value::ArrayWithGaps) {
            array = Value::ArrayWithGaps;
        }
        at += bytes;
    }
    Ok(Some((array, at)))
}

/// A length; `None` for -1, which stands for nothing.
fn read_length(text: &[u8]) -> Result<Option<usize>, NotAReply> {
    if text == b"-1" {
        return Ok(None);
    }
    let text = std::str::from_utf8(text).map_err(|_| NotAReply)?;
    text.parse().map(Some).map_err(|_| NotAReply)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<(Value, usize)>, NotAReply> {
        let whole = read_value(text.as_bytes())?;
        if let Some((_, bytes)) = whole {
            for cut in 0..bytes {
                assert_eq!(
                    read_value(&text.as_bytes()[..cut]),
                    Ok(None),
                    "cut at {cut}"
                );
            }
        }
        Ok(whole)
    }

    #[test]
    fn values_are_recognised_when_whole() {
        for (text, value) in [
            ("+OK\r\n", Value::Status),
            ("-ERR no\r\n", Value::Error),
            (":12\r\n", Value::Integer),
            ("$-1\r\n", Value::Nil),
            ("*-1\r\n", Value::Nil),
            ("$0\r\n\r\n", Value::Bulk),
            ("$5\r\na\r\nbc\r\n", Value::Bulk),
            ("*0\r\n", Value::Array),
            ("*1\r\n*2\r\n$3\r\n1.5\r\n$3\r\n2.5\r\n", Value::Array),
            ("*1\r\n*-1\r\n", Value::ArrayWithGaps),
            ("*2\r\n:1\r\n-ERR\r\n", Value::ArrayWithGaps),
        ] {
            let more = format!("{text}+");
            assert_eq!(read(&more), Ok(Some((value, text.len()))), "{text:?}");
        }
    }

    #[test]
    fn other_lines_are_not_replies() {
        for text in [
            "AT Hill\r\n",
            "+OK\n",
            "\r\n",
            "$x\r\n",
            "$-2\r\n",
            "$1\r\nabc",
            "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
            "$18446744073709551615\r\n",
        ] {
            assert_eq!(read(text), Err(NotAReply), "{text:?}");
        }
        assert_eq!(read(&"+".repeat(LINE_BYTES_MAX + 1)), Err(NotAReply));
    }
}
