//! One thing that a client asked for, and the reply.

use std::time::Duration;

use super::{ServerIndex, show};

/// One run of a server's program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerRun {
    /// Which server.
    pub server: ServerIndex,
    /// Its processes are numbered from 1.
    pub number: u32,
}

/// The command of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCommand {
    /// IAMAT.
    Report {
        /// The reported client.
        client: Vec<u8>,
        /// The second operand.
        location: String,
        /// The third operand.
        time: String,
    },
    /// WHATSAT with radius and bound 0.
    Question {
        /// The client that the question is about.
        client: Vec<u8>,
    },
}

/// The reply. Lines are without their LF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientReply {
    /// A line that begins with `AT `.
    At(Vec<u8>),
    /// A line that begins with `?`.
    Refused(Vec<u8>),
    /// None within the client's patience, or the connection was lost before: the command was executed or not, or
    /// still will be.
    Unknown,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The server that was asked.
    pub process: ServerRun,
    /// Over which connection; numbers are not used again.
    pub connection: u64,
    /// The how manieth command of the connection it is.
    pub sequence: u64,
    /// The command.
    pub command: ClientCommand,
    /// Just before it was sent.
    pub invoked: Duration,
    /// Just after the reply was read; when the client gave up, if there was none.
    pub completed: Duration,
    /// The reply.
    pub reply: ClientReply,
}

impl ClientCommand {
    /// Whom it is about.
    pub fn client(&self) -> &[u8] {
        match self {
            ClientCommand::Report { client, .. } | ClientCommand::Question { client } => client,
        }
    }

    /// As it is sent, without its LF.
    pub fn line(&self) -> Vec<u8> {
        let words: [&[u8]; 4] = match self {
            ClientCommand::Report {
                client,
                location,
                time,
            } => [b"IAMAT", client, location.as_bytes(), time.as_bytes()],
            ClientCommand::Question { client } => [b"WHATSAT", client, b"0", b"0"],
        };
        words.join(&b' ')
    }
}

impl Call {
    /// Whether the server had done this before it began the other: a reply was there before the other was sent, or
    /// both came over one connection.
    pub fn precedes(&self, other: &Call) -> bool {
        if self.connection == other.connection {
            self.sequence < other.sequence
        } else {
            self.reply != ClientReply::Unknown && self.completed < other.invoked
        }
    }

    /// For people.
    pub fn show(&self, names: &[String]) -> String {
        let reply = match &self.reply {
            ClientReply::At(line) | ClientReply::Refused(line) => show(line),
            ClientReply::Unknown => "no reply".to_owned(),
        };
        format!(
            "{:>9.3}..{:.3} s  {}#{} connection {}.{}: {} -> {reply}",
            self.invoked.as_secs_f64(),
            self.completed.as_secs_f64(),
            names.get(self.process.server).map_or("?", String::as_str),
            self.process.number,
            self.connection,
            self.sequence,
            show(&self.command.line()),
        )
    }
}
