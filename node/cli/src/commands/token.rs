//! `herd token`: makes tokens for clients.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::report;
use crate::exit_code;
use herd_files::own_file;
use herd_server::access::{Grant, Token, grant_line};

/// A token is its user's alone.
const FILE_MODE: u32 = 0o600;

/// `herd token ...`.
#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Make a token, and print the line that lets it in
    ///
    /// The token goes into a file of its own, which is for the client: `herd send --token-file` takes it. The line,
    /// which holds only a hash of it, goes into the file that the servers' `--tokens` names.
    ///
    /// For example: herd token new van7 --out van7.token --report van7 --ask 'depot-*' >> tokens
    New(NewArgs),
}

#[derive(Debug, Args)]
struct NewArgs {
    /// A name for it, which the line begins with
    name: String,
    /// New file for the token
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// An id that it may report, or with a `*` at the end the beginning of ids; may be given again
    #[arg(long, value_name = "ID")]
    report: Vec<String>,
    /// An id that it may ask about, likewise
    #[arg(long, value_name = "ID")]
    ask: Vec<String>,
    /// An id that it may forget, likewise
    #[arg(long, value_name = "ID")]
    forget: Vec<String>,
    /// Let it see the pages and data of HTTP
    #[arg(long)]
    http: bool,
}

pub(super) fn run(args: &TokenArgs) -> u8 {
    let TokenCommand::New(args) = &args.command;
    let grant = match grant(args) {
        Ok(grant) => grant,
        Err(reason) => {
            report::complain(reason);
            return exit_code::USAGE;
        }
    };
    let token = Token::random();
    if let Err(error) = write(&args.out, &token) {
        let path = args.out.display();
        report::complain(format_args!("cannot make the file {path}: {error}"));
        return exit_code::IO;
    }
    match writeln!(io::stdout(), "{}", grant_line(&grant, &token.hash())) {
        Ok(()) => exit_code::OK,
        Err(error) => report::cannot_print(&error),
    }
}

fn grant(args: &NewArgs) -> Result<Grant, String> {
    let mut grant = Grant::new(&args.name)?;
    for (patterns, texts) in [
        (&mut grant.report, &args.report),
        (&mut grant.ask, &args.ask),
        (&mut grant.forget, &args.forget),
    ] {
        for text in texts {
            patterns
                .add(text)
                .map_err(|error| format!("`{text}`: {error}"))?;
        }
    }
    grant.http = args.http;
    Ok(grant)
}

fn write(path: &Path, token: &Token) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)?;
    writeln!(file, "{}", token.reveal())?;
    file.sync_all()?;
    own_file::sync_name(path)
}
