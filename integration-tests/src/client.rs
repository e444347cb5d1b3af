//! A client of the text protocol.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::patience::within;

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An AT line, without its LF.
    At(String),
    /// An AT line without its LF, and the JSON behind it without the two LFs at its end.
    Places(String, String),
    /// An error, without its LF.
    Invalid(String),
}

/// One connection to a server.
#[derive(Debug)]
pub struct Client {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// As the system says.
    pub async fn try_connect(address: SocketAddr) -> io::Result<Client> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        Ok(Client {
            reader: BufReader::new(reader),
            writer,
        })
    }

    /// Connects to a server.
    pub async fn connect(address: SocketAddr) -> Client {
        match within("a connection", Client::try_connect(address)).await {
            Ok(client) => client,
            Err(error) => panic!("cannot connect to {address}: {error}"),
        }
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) {
        if let Err(error) = within("bytes are taken", self.writer.write_all(bytes)).await {
            panic!("the server does not take {}: {error}", show(bytes));
        }
    }

    /// Ends this side of the connection.
    pub async fn half_close(&mut self) {
        if let Err(error) = self.writer.shutdown().await {
            panic!("cannot half-close: {error}");
        }
    }

    /// Reads one line, without its LF.
    pub async fn line(&mut self) -> Vec<u8> {
        match within("a line of a reply", read_line(&mut self.reader)).await {
            Ok(line) => line,
            Err(error) => panic!("no line of a reply: {error}"),
        }
    }

    /// The bytes of a single read, at most 64 KiB.
    pub async fn read_once(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 64 * 1024];
        match within("a read", self.reader.read(&mut bytes)).await {
            Ok(length) => bytes.truncate(length),
            Err(error) => panic!("cannot read: {error}"),
        }
        bytes
    }

    /// Everything up to the server's end of the connection.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Err(error) = within("the end", self.reader.read_to_end(&mut bytes)).await {
            panic!("no end after {}: {error}", show(&bytes));
        }
        bytes
    }

    /// Reports a location; returns the AT line.
    pub async fn report(&mut self, id: &str, location: &str, time: &str) -> String {
        self.send(format!("IAMAT {id} {location} {time}\n").as_bytes())
            .await;
        match read_reply(&mut self.reader, false).await {
            Reply::At(at) => at,
            other => panic!("the report of {id} was answered by {other:?}"),
        }
    }

    /// Reports a location to a server that may go away; returns the AT line.
    ///
    /// # Errors
    /// If no reply came: then the report was taken in or it was not.
    pub async fn try_report(&mut self, id: &str, location: &str, time: &str) -> io::Result<String> {
        let command = format!("IAMAT {id} {location} {time}\n");
        let asking = async {
            self.writer.write_all(command.as_bytes()).await?;
            read_text(&mut self.reader).await
        };
        within("a reply or the end", asking).await
    }

    /// Reports all of `ids` at one location and time, without waiting for one reply before the next
    /// report; returns the AT lines.
    pub async fn report_all(&mut self, ids: &[String], location: &str, time: &str) -> Vec<String> {
        let commands: String = ids
            .iter()
            .map(|id| format!("IAMAT {id} {location} {time}\n"))
            .collect();
        let replies = self.pipeline(commands.as_bytes(), ids.len(), false).await;
        let at = |reply| match reply {
            Reply::At(at) => at,
            other => panic!("a report was answered by {other:?}"),
        };
        replies.into_iter().map(at).collect()
    }

    /// Asks for the location of a client and the places near it.
    pub async fn whatsat(&mut self, id: &str, radius_km: &str, bound: &str) -> Reply {
        self.send(format!("WHATSAT {id} {radius_km} {bound}\n").as_bytes())
            .await;
        read_reply(&mut self.reader, true).await
    }

    /// The AT line of a client, if the server knows it.
    pub async fn find(&mut self, id: &str) -> Option<String> {
        at_of(self.whatsat(id, "0", "0").await)
    }

    /// The AT lines of all of `ids`.
    pub async fn find_all(&mut self, ids: &[String]) -> Vec<Option<String>> {
        let commands: String = ids.iter().map(|id| format!("WHATSAT {id} 0 0\n")).collect();
        let replies = self.pipeline(commands.as_bytes(), ids.len(), true).await;
        replies.into_iter().map(at_of).collect()
    }

    /// Writes and reads at the same time, for a server stops reading when too many replies wait.
    async fn pipeline(&mut self, commands: &[u8], replies: usize, places: bool) -> Vec<Reply> {
        let Client { reader, writer } = self;
        let reading = async {
            let mut read = Vec::with_capacity(replies);
            for _ in 0..replies {
                read.push(read_reply(reader, places).await);
            }
            read
        };
        let (written, read) = tokio::join!(writer.write_all(commands), reading);
        if let Err(error) = written {
            panic!("the server does not take the commands: {error}");
        }
        read
    }
}

fn at_of(reply: Reply) -> Option<String> {
    match reply {
        Reply::At(at) | Reply::Places(at, _) => Some(at),
        Reply::Invalid(_) => None,
    }
}

/// Reads one reply; `places` if an AT line is followed by JSON.
async fn read_reply(reader: &mut BufReader<OwnedReadHalf>, places: bool) -> Reply {
    let reading = async {
        let first = read_text(reader).await?;
        if first.starts_with('?') {
            return Ok(Reply::Invalid(first));
        }
        if !first.starts_with("AT ") {
            panic!("neither an AT line nor an error: {first:?}");
        }
        if !places {
            return Ok(Reply::At(first));
        }
        let mut json = String::new();
        loop {
            let line = read_text(reader).await?;
            if line.is_empty() {
                return Ok(Reply::Places(first, json));
            }
            if !json.is_empty() {
                json.push('\n');
            }
            json.push_str(&line);
        }
    };
    let read: io::Result<Reply> = within("a reply", reading).await;
    match read {
        Ok(reply) => reply,
        Err(error) => panic!("no reply: {error}"),
    }
}

async fn read_text(reader: &mut BufReader<OwnedReadHalf>) -> io::Result<String> {
    let line = read_line(reader).await?;
    String::from_utf8(line).map_err(io::Error::other)
}

async fn read_line(reader: &mut BufReader<OwnedReadHalf>) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).await?;
    if line.pop() == Some(b'\n') {
        Ok(line)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
