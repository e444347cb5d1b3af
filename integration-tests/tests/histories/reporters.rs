//! Clients: each a task with one connection at a time, over which it sends the commands of its steps.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use herd_integration_tests::history::{
    Call, ClientCommand, ClientReply, ServerIndex, ServerRun, Step, StepCommand,
};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{sleep_until, timeout};

use crate::books::Books;

/// A client that gets no reply for this long gives up, and its connection too.
const REPLY_WAIT: Duration = Duration::from_secs(8);

/// And so does one that is not connected.
const CONNECT_WAIT: Duration = Duration::from_secs(2);

/// The clients' knowledge of a herd.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) ids: Arc<Vec<Vec<u8>>>,
    /// The second of the wall clock in which the history began.
    pub(crate) began_s: i64,
}

/// A connection, and which process has the other end.
#[derive(Debug)]
pub(crate) struct ReporterConnection {
    process: ServerRun,
    number: u64,
    sent: u64,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

/// Does these steps until they are done or the run is over.
pub(crate) async fn report(books: Arc<Books>, directory: Directory, steps: Vec<Step>) {
    let mut connection: Option<ReporterConnection> = None;
    for step in steps {
        sleep_until(books.at(step.at)).await;
        if books.is_over() {
            return;
        }
        if connection
            .as_ref()
            .is_none_or(|connection| connection.process.server != step.server)
        {
            connection = ReporterConnection::open(&books, &directory, step.server).await;
        }
        // A server that is down is tried again with the next step.
        let Some(open) = &mut connection else {
            continue;
        };
        let commands = step
            .commands
            .iter()
            .map(|command| directory.command(command));
        if !open.ask(&books, commands.collect()).await {
            connection = None;
        }
    }
}

impl Directory {
    fn command(&self, command: &StepCommand) -> ClientCommand {
        match command {
            StepCommand::Report {
                client,
                location,
                time,
            } => ClientCommand::Report {
                client: self.ids[*client].clone(),
                location: location.clone(),
                time: time.text(self.began_s),
            },
            StepCommand::Question { client } => self.question(*client),
        }
    }

    /// Where this client is.
    pub(crate) fn question(&self, client: usize) -> ClientCommand {
        ClientCommand::Question {
            client: self.ids[client].clone(),
        }
    }
}

impl ReporterConnection {
    /// Connects to a server if it is up.
    pub(crate) async fn open(
        books: &Books,
        directory: &Directory,
        server: ServerIndex,
    ) -> Option<ReporterConnection> {
        let number = books.process(server);
        let connecting = TcpStream::connect(directory.addresses[server]);
        let stream = timeout(CONNECT_WAIT, connecting).await.ok()?.ok()?;
        // A process that began meanwhile may be the one.
        if books.process(server) != number {
            return None;
        }
        stream.set_nodelay(true).ok()?;
        let (reader, writer) = stream.into_split();
        Some(ReporterConnection {
            process: ServerRun { server, number },
            number: books.next_connection(),
            sent: 0,
            reader: BufReader::new(reader),
            writer,
        })
    }

    /// Sends commands at once, and notes the replies; `false` if the connection is of no more use.
    pub(crate) async fn ask(&mut self, books: &Books, commands: Vec<ClientCommand>) -> bool {
        let mut bytes = Vec::new();
        for command in &commands {
            bytes.extend_from_slice(&command.line());
            bytes.push(b'\n');
        }
        let invoked = books.now();
        let written = timeout(REPLY_WAIT, self.writer.write_all(&bytes)).await;
        let mut is_usable = matches!(written, Ok(Ok(())));
        let mut calls = Vec::with_capacity(commands.len());
        for command in commands {
            let mut reply = ClientReply::Unknown;
            if is_usable {
                match timeout(REPLY_WAIT, read_reply(&mut self.reader, &command)).await {
                    Ok(Some(read)) => reply = read,
                    _ => is_usable = false,
                }
            }
            calls.push(Call {
                process: self.process,
                connection: self.number,
                sequence: self.sent,
                command,
                invoked,
                completed: books.now(),
                reply,
            });
            self.sent += 1;
        }
        books.wrote(calls);
        is_usable
    }
}

async fn read_reply(
    reader: &mut BufReader<OwnedReadHalf>,
    command: &ClientCommand,
) -> Option<ClientReply> {
    let first = read_line(reader).await?;
    if first.starts_with(b"?") {
        return Some(ClientReply::Refused(first));
    }
    if matches!(command, ClientCommand::Question { .. }) {
        while !read_line(reader).await?.is_empty() {}
    }
    Some(ClientReply::At(first))
}

async fn read_line(reader: &mut BufReader<OwnedReadHalf>) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).await.ok()?;
    (line.pop() == Some(b'\n')).then_some(line)
}
