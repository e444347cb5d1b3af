//! `herd watch`: what changes, for people and for programs.

mod backoff;
mod known;
mod line;
mod question;
mod shown;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::time::Duration;

use clap::Args;
use herd_gossip::link::network::LinkStream;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::runtime;
use tokio::time::timeout;

use self::backoff::Backoff;
use self::known::Known;
use self::line::{Line, NoLine};
use self::shown::Shown;
use super::connect::{ConnectArgs, Connected, EXIT_REFUSED, NotConnected};
use super::output::Output;
use super::report;
use super::stop_signals::StopSignals;
use crate::exit_code;
use herd_server::settings::{Environment, duration};

/// Watches clients, and prints a line for each change until it is stopped.
///
/// It comes back by itself when the connection is lost or the server stops, on the next of several servers of --to, and
/// says so. Exit status: 0 if it was stopped, 1 if the server refused the watch, 64 for wrong arguments, 69 if no server
/// could be reached at the start, 74 if its output could not be written.
#[derive(Clone, Debug, Args)]
pub(super) struct WatchArgs {
    #[command(flatten)]
    connect: ConnectArgs,
    #[command(flatten)]
    subject: SubjectArgs,
    /// Take a server as lost that says nothing for this time once the watch has begun; longer than its `watch_alive`
    #[arg(long, value_name = "DURATION", default_value = "45s", value_parser = duration)]
    silence_max: Duration,
    /// Print each change as a line of JSON
    #[arg(long)]
    json: bool,
}

/// For how long a server may be silent before the watch has begun: it may go through all clients for others first, and
/// says nothing meanwhile.
const BEGINNING_MAX: Duration = Duration::from_secs(300);

/// What is watched: one of these.
#[derive(Clone, Debug, Args)]
pub(super) struct SubjectArgs {
    /// This client
    #[arg(value_name = "ID", group = "subject", required_unless_present_any = ["prefix", "all", "near", "around", "within"])]
    client: Option<OsString>,
    /// All clients whose ids begin so
    #[arg(long, value_name = "BEGINNING", group = "subject")]
    prefix: Option<OsString>,
    /// All clients
    #[arg(long, group = "subject")]
    all: bool,
    /// Clients around this location, such as +34.07-118.44
    #[arg(
        long,
        value_name = "LOCATION",
        group = "subject",
        allow_hyphen_values = true,
        requires = "radius"
    )]
    near: Option<OsString>,
    /// Clients around this client, wherever it goes
    #[arg(long, value_name = "ID", group = "subject", requires = "radius")]
    around: Option<OsString>,
    /// Clients between a southwestern and a northeastern corner
    #[arg(long, value_names = ["SOUTHWEST", "NORTHEAST"], num_args = 2, group = "subject", allow_hyphen_values = true)]
    within: Option<Vec<OsString>>,
    /// How far, in km, up to 20100
    #[arg(long, value_name = "KM")]
    radius: Option<String>,
    /// How much farther a client has to go to have left, in km
    #[arg(long, value_name = "KM", requires = "radius")]
    margin: Option<String>,
}

/// Why a watch over one connection is over.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("the server refuses the watch: the token does not allow it, or too many watch")]
    Refused,
    #[error("the server ended the watch: {0}")]
    Ended(String),
    #[error(transparent)]
    Line(#[from] NoLine),
    #[error("the server said nothing for {}", humantime::format_duration(*.0))]
    Silent(Duration),
    #[error("cannot print: {0}")]
    Output(io::Error),
}

/// Runs `herd watch` and returns its exit status.
pub(super) fn run(args: WatchArgs) -> u8 {
    let line = match question::line(&args.subject) {
        Ok(line) => line,
        Err(invalid) => return failed(exit_code::USAGE, &invalid.to_string()),
    };
    let running = runtime::Builder::new_current_thread().enable_all().build();
    let status = running.and_then(|runtime| {
        runtime.block_on(async {
            let mut signals = StopSignals::install()?;
            tokio::select! {
                status = watch(&args, &line) => Ok(status),
                _ = signals.next() => Ok(exit_code::OK),
            }
        })
    });
    status.unwrap_or_else(|error| failed(exit_code::INTERNAL, &format!("cannot start: {error}")))
}

/// Watches over one connection after the other.
async fn watch(args: &WatchArgs, line: &[u8]) -> u8 {
    let environment = Environment::of_process();
    let (servers, token) = match args.connect.servers_and_token(&environment) {
        Ok(named) => named,
        Err(NotConnected { status, message }) => return failed(status, &message),
    };
    let mut known = Known::new(args.subject.is_area());
    let mut backoff = Backoff::default();
    let mut was_live = false;
    for (attempt, server) in servers.iter().cycle().enumerate() {
        match args.connect.connect_to(server, token.as_ref()).await {
            Err(NotConnected { status, message }) => {
                let is_last = attempt + 1 >= servers.len();
                if !was_live && (is_last || status != exit_code::UNAVAILABLE) {
                    return failed(status, &message);
                }
                report::complain_of("herd watch", message);
            }
            Ok(Connected { to, stream }) => {
                known.begin();
                let lost = follow(args, stream, line, (&to, &mut known)).await;
                if known.is_live() {
                    was_live = true;
                    backoff = Backoff::default();
                }
                match lost {
                    Lost::Output(error) => return report::cannot_print(&error),
                    Lost::Refused if !was_live => {
                        return failed(EXIT_REFUSED, &Lost::Refused.to_string());
                    }
                    lost => report::complain_of("herd watch", format_args!("{to}: {lost}")),
                }
            }
        }
        let wait = backoff.next(rand::random());
        report::complain_of(
            "herd watch",
            format_args!("trying again in {} ms", wait.as_millis()),
        );
        tokio::time::sleep(wait).await;
    }
    exit_code::USAGE
}

/// Watches over one connection until it is over.
async fn follow(
    args: &WatchArgs,
    stream: Box<dyn LinkStream>,
    line: &[u8],
    (server, known): (&str, &mut Known),
) -> Lost {
    let mut stream = BufReader::new(stream);
    let asking = async {
        stream.write_all(&[line, b"\n"].concat()).await?;
        stream.flush().await
    };
    if let Err(error) = asking.await {
        return Lost::Line(error.into());
    }
    let mut out = Output::stdout();
    loop {
        // Lines that came together go out together.
        if stream.buffer().is_empty()
            && let Err(error) = out.flush()
        {
            return Lost::Output(error);
        }
        let silence_max = if known.is_live() {
            args.silence_max
        } else {
            args.silence_max.max(BEGINNING_MAX)
        };
        let said = match timeout(silence_max, line::read(&mut stream)).await {
            Ok(Ok(said)) => said,
            Ok(Err(error)) => return error.into(),
            Err(_) => return Lost::Silent(silence_max),
        };
        match said {
            Line::Refused => return Lost::Refused,
            Line::End(reason) => return Lost::Ended(reason),
            Line::Alive => {}
            said => {
                for change in known.take(said) {
                    let shown = Shown { change, server };
                    let text = if args.json {
                        shown.json()
                    } else {
                        shown.text()
                    };
                    if let Err(error) = writeln!(out, "{text}") {
                        return Lost::Output(error);
                    }
                }
            }
        }
    }
}

fn failed(code: u8, message: &str) -> u8 {
    report::complain_of("herd watch", message);
    code
}
