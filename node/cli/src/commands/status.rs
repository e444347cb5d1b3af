//! `herd status`: asks servers for their status, compares the answers and reports troubles.

pub(super) mod ask;
mod own;
pub(super) mod targets;

use std::io::{self, Write};

use serde::Serialize;
use tokio::runtime;

use self::ask::ask_all;
use self::targets::{StatusTarget, TargetOptions};
use super::output::Output;
use super::report::{cannot_print, complain};
use crate::exit_code;
use herd_server::access::Token;
use herd_server::settings::Environment;
use herd_server::status::comparison::{StatusAnswer, compare};
use herd_server::status::table;

/// All servers that were asked answered, and nothing is wrong.
const EXIT_WELL: u8 = exit_code::OK;
/// Something is wrong, which the last lines say.
const EXIT_TROUBLE: u8 = 1;
/// No server answered.
const EXIT_UNREACHABLE: u8 = exit_code::UNAVAILABLE;

/// The version of the output of `--json`.
const JSON_VERSION: u32 = 1;

/// Options of `herd status`.
#[derive(Debug, clap::Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    targets: TargetOptions,
    /// Print the answers of the servers and the troubles as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Json<'a> {
    version: u32,
    troubles: &'a [String],
    servers: &'a [StatusAnswer],
}

pub(super) fn run(args: &StatusArgs) -> u8 {
    let environment = Environment::of_process();
    let (targets, token) = match args.targets.chosen(&environment) {
        Ok(chosen) => chosen,
        Err(mistake) => {
            complain(mistake);
            return exit_code::USAGE;
        }
    };
    match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(status(&targets, token.as_ref(), args, &environment)),
        Err(error) => {
            complain(format_args!("cannot start: {error}"));
            exit_code::INTERNAL
        }
    }
}

async fn status(
    targets: &[StatusTarget],
    token: Option<&Token>,
    args: &StatusArgs,
    environment: &Environment,
) -> u8 {
    let mut answers = ask_all(targets, token, &args.targets.tls).await;
    if !args.targets.are_named()
        && let Some(status) = own::ask(environment).await
    {
        answers = own::put_first(status, answers);
    }
    let comparison = compare(&answers);
    let text = if args.json {
        let json = Json {
            version: JSON_VERSION,
            troubles: &comparison.troubles,
            servers: &answers,
        };
        serde_json::to_string_pretty(&json).map(|json| json + "\n")
    } else {
        Ok(table(&comparison, &[], None))
    };
    let written = text
        .map_err(io::Error::other)
        .and_then(|text| Output::stdout().write_all(text.as_bytes()));
    if let Err(error) = written {
        return cannot_print(&error);
    }
    if answers.iter().all(|answer| answer.status.is_none()) {
        EXIT_UNREACHABLE
    } else if comparison.troubles.is_empty() {
        EXIT_WELL
    } else {
        EXIT_TROUBLE
    }
}
