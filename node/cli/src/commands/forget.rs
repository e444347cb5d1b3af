//! `herd forget`: makes a herd forget clients, for people.

mod ids;
mod question;
mod replies;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::runtime;
use tokio::time::timeout;

use self::ids::ClientIds;
use self::replies::{NoReply, Reply};
use super::connect::{ConnectArgs, Connected, EXIT_REFUSED, NotConnected};
use super::output::Output;
use super::report;
use crate::exit_code;
use herd_gossip::link::network::LinkStream;
use herd_server::settings::Environment;

/// How long the server may take for a reply: longer than it waits for its store.
const REPLY_MAX: Duration = Duration::from_secs(60);

/// How many refused clients are told one by one.
const REFUSED_TOLD_MAX: u64 = 10;

/// Makes a herd forget clients: their locations, on every server, for good.
///
/// Prints the GONE line of each. Asks before it does, unless --yes is given.
///
/// Exit status: 0 if all are forgotten, 1 if the server refused some or you said no, 64 for wrong arguments, 69 if the
/// server could not be reached, 74 if the connection was lost before all replies were there.
#[derive(Clone, Debug, Args)]
pub(super) struct ForgetArgs {
    #[command(flatten)]
    connect: ConnectArgs,
    /// The clients' ids
    #[arg(value_name = "ID", required_unless_present = "ids")]
    clients: Vec<OsString>,
    /// File with more ids, one in each line; `-` is standard input
    #[arg(long, value_name = "FILE")]
    ids: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Runs `herd forget` and returns its exit status.
pub(super) fn run(args: &ForgetArgs) -> u8 {
    let clients = match ClientIds::gather(&args.clients, args.ids.as_deref()) {
        Ok(clients) => clients,
        Err(error) => return failed(exit_code::USAGE, &error.to_string()),
    };
    if clients.is_empty() {
        return failed(exit_code::USAGE, "the file holds no id");
    }
    if !args.yes {
        if !io::stdin().is_terminal() {
            let message = "standard input is no terminal on which to ask; give --yes to go ahead";
            return failed(exit_code::USAGE, message);
        }
        match question::is_answered_yes(&clients) {
            Ok(true) => {}
            Ok(false) => return failed(EXIT_REFUSED, "nothing was forgotten"),
            Err(error) => return failed(exit_code::IO, &format!("cannot ask: {error}")),
        }
    }
    match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(status(args, &clients)),
        Err(error) => failed(exit_code::INTERNAL, &format!("cannot start: {error}")),
    }
}

async fn status(args: &ForgetArgs, clients: &ClientIds) -> u8 {
    let Connected { stream, .. } = match args.connect.connect(&Environment::of_process()).await {
        Ok(connected) => connected,
        Err(NotConnected { status, message }) => return failed(status, &message),
    };
    let mut told = Told::default();
    let lost = forget(stream, clients, &mut told).await.err();
    if told.refused > 0 {
        report::complain_of("herd forget", told.advice());
    }
    match lost {
        None if told.refused > 0 => EXIT_REFUSED,
        None => exit_code::OK,
        Some(NoReply::Output(error)) => report::cannot_print(&error),
        Some(error) => {
            let left = clients.len() as u64 - told.gone - told.refused;
            let message = format!(
                "{error}; {} clients are forgotten, {left} perhaps not: run the command again, it does no harm",
                told.gone
            );
            failed(exit_code::IO, &message)
        }
    }
}

/// What the server said so far.
#[derive(Debug, Default)]
struct Told {
    gone: u64,
    refused: u64,
}

impl Told {
    fn advice(&self) -> String {
        format!(
            "the server refused {} of the clients. The token may not cover them with `forget=`, a server of the herd may \
             be of a release that cannot forget, or the server could not make it safe in time or has just started: its log \
             says which",
            self.refused
        )
    }
}

/// Sends the commands and prints the replies.
async fn forget(
    stream: Box<dyn LinkStream>,
    clients: &ClientIds,
    told: &mut Told,
) -> Result<(), NoReply> {
    let mut stream = BufReader::new(stream);
    for some in clients.batches() {
        let mut lines = Vec::new();
        for client in some {
            lines.extend([b"FORGET ", &client[..], b"\n"].concat());
        }
        stream.write_all(&lines).await?;
        stream.flush().await?;
        for client in some {
            let reply = timeout(REPLY_MAX, replies::read(&mut stream, client)).await;
            match reply.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? {
                Reply::Gone(line) => {
                    told.gone += 1;
                    let mut output = Output::stdout();
                    let written = output.write_all(&line).and_then(|()| output.flush());
                    written.map_err(NoReply::Output)?;
                }
                Reply::Refused => {
                    told.refused += 1;
                    if told.refused <= REFUSED_TOLD_MAX {
                        let client = client.escape_ascii();
                        report::complain_of("herd forget", format_args!("refused: {client}"));
                    }
                }
            }
        }
    }
    Ok(())
}

fn failed(code: u8, message: &str) -> u8 {
    report::complain_of("herd forget", message);
    code
}
