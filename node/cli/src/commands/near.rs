//! `herd near`: which clients are near, for people.

mod answer;
mod question;
mod shown;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::time::Duration;

use clap::Args;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::runtime;
use tokio::time::timeout;

use self::answer::{Answer, NoAnswer};
use self::question::Center;
use self::shown::{Json, Table};
use super::connect::{ConnectArgs, Connected, EXIT_REFUSED, NotConnected};
use super::output::Output;
use super::report;
use crate::exit_code;
use herd_server::settings::Environment;

/// How long the server may take for its answer: longer than it waits for its store.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// Asks a server which clients are near a location or another client, and prints them as a table.
///
/// Exit status: 0 if the server answered, 1 if it refused the question, 64 for wrong arguments, 69 if the server could
/// not be reached, 74 if the connection was lost before the answer was there.
#[derive(Clone, Debug, Args)]
pub(super) struct NearArgs {
    #[command(flatten)]
    connect: ConnectArgs,
    /// Around this location, such as +34.07-118.44
    #[arg(
        value_name = "LOCATION",
        allow_hyphen_values = true,
        required_unless_present = "client",
        conflicts_with = "client"
    )]
    location: Option<OsString>,
    /// Around this client, which is not among them
    #[arg(long, value_name = "ID")]
    client: Option<OsString>,
    /// How far, in km, up to 20100; `*` for the nearest, however far they are
    #[arg(long, value_name = "KM", default_value = "*")]
    radius: String,
    /// How many clients at most, up to 1000
    #[arg(long, value_name = "COUNT", default_value = "20")]
    limit: String,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `herd near` and returns its exit status.
pub(super) fn run(args: NearArgs) -> u8 {
    match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(status(args)),
        Err(error) => failed(exit_code::INTERNAL, &format!("cannot start: {error}")),
    }
}

async fn status(args: NearArgs) -> u8 {
    let center = match (args.location, args.client) {
        (_, Some(client)) => Center::Client(client),
        (Some(location), None) => Center::Location(location),
        (None, None) => return failed(exit_code::USAGE, "neither a location nor --client"),
    };
    let line = match question::line(&center, &args.radius, &args.limit) {
        Ok(line) => line,
        Err(invalid) => return failed(exit_code::USAGE, &invalid.to_string()),
    };
    let Connected { stream, .. } = match args.connect.connect(&Environment::of_process()).await {
        Ok(connected) => connected,
        Err(NotConnected { status, message }) => return failed(status, &message),
    };
    let asking = async {
        let mut stream = BufReader::new(stream);
        stream.write_all(&[&line, &b"\n"[..]].concat()).await?;
        stream.flush().await?;
        answer::read(&mut stream).await
    };
    let answer = timeout(ANSWER_MAX, asking).await;
    match answer.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into())) {
        Ok(answer) => print(&answer, args.json),
        Err(NoAnswer::Refused) => failed(EXIT_REFUSED, &NoAnswer::Refused.to_string()),
        Err(error) => failed(exit_code::IO, &error.to_string()),
    }
}

fn print(answer: &Answer, as_json: bool) -> u8 {
    let text = if as_json {
        serde_json::to_string_pretty(&Json::of(answer)).map_err(io::Error::from)
    } else {
        Ok(Table(answer).to_string())
    };
    match text.and_then(|text| writeln!(Output::stdout(), "{text}")) {
        Ok(()) => exit_code::OK,
        Err(error) => report::cannot_print(&error),
    }
}

fn failed(code: u8, message: &str) -> u8 {
    report::complain_of("herd near", message);
    code
}
