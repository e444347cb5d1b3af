//! RESP as this test speaks it: requests out, replies as values.

use std::fmt;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No reply takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A reply, its kind told by its first byte.
#[derive(Clone, PartialEq)]
pub(crate) enum Value {
    /// A status, an error, a number, a bulk string, a double, a text: its kind and its bytes.
    Text(char, String),
    /// Nothing, in place of a value or of an array.
    Nil(char),
    /// An array, a set, or a map as keys and values.
    Many(char, Vec<Value>),
    /// The server has ended the connection.
    Ended,
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(kind, text) => write!(f, "{kind}{text}"),
            Value::Nil(kind) => write!(f, "{kind}nil"),
            Value::Many(kind, values) => write!(f, "{kind}{values:?}"),
            Value::Ended => f.write_str("the end"),
        }
    }
}

/// A connection.
pub(crate) struct Speaking {
    reader: BufReader<TcpStream>,
}

impl Speaking {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Speaking {
            reader: BufReader::new(stream),
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).unwrap();
    }

    /// Sends words as a request, and reads the reply.
    pub(crate) fn ask(&mut self, words: &str) -> Value {
        self.send(&request(words));
        self.read()
    }

    /// The same, where the server may have ended the connection.
    pub(crate) fn try_ask(&mut self, words: &str) -> Value {
        match self.reader.get_mut().write_all(&request(words)) {
            Ok(()) => self.read(),
            Err(_) => Value::Ended,
        }
    }

    pub(crate) fn read(&mut self) -> Value {
        let mut line = String::new();
        // A connection that was reset has ended too.
        if !matches!(self.reader.read_line(&mut line), Ok(1..)) {
            return Value::Ended;
        }
        let kind = line.chars().next().unwrap();
        let text = line[1..].trim_end();
        match kind {
            '$' | '=' | '*' | '~' | '%' if text == "-1" => Value::Nil(kind),
            '_' => Value::Nil(kind),
            '$' | '=' => {
                let mut bytes = vec![0; text.parse::<usize>().unwrap() + 2];
                self.reader.read_exact(&mut bytes).unwrap();
                bytes.truncate(bytes.len() - 2);
                Value::Text(kind, String::from_utf8(bytes).unwrap())
            }
            '*' | '~' | '%' => {
                let pairs = if kind == '%' { 2 } else { 1 };
                let count = pairs * text.parse::<usize>().unwrap();
                Value::Many(kind, (0..count).map(|_| self.read()).collect())
            }
            _ => Value::Text(kind, text.to_owned()),
        }
    }
}

/// Words between blanks as a request.
pub(crate) fn request(words: &str) -> Vec<u8> {
    let words: Vec<&str> = words.split(' ').collect();
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        text += &format!("${}\r\n{word}\r\n", word.len());
    }
    text.into_bytes()
}
