//! `herd completions` and `herd man`: made from the definitions of the command line, so that they are
//! never behind it.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;

use super::report::{cannot_print, complain};
use crate::exit_code;

/// Options of `herd completions`.
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Options of `herd man`.
#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// Write a page for each command into this folder, which must be there, instead of one of herd
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints the completions of `command`.
pub(super) fn completions(args: &CompletionsArgs, mut command: Command) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "herd", &mut script);
    print(&script)
}

/// Prints the page of `command`, or writes those of all its commands.
pub(super) fn man(args: &ManArgs, command: Command) -> u8 {
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        return match clap_mangen::Man::new(command).render(&mut page) {
            Ok(()) => print(&page),
            Err(error) => cannot("make the page", &error),
        };
    };
    // `herd.1`, `herd-serve.1` and so on.
    match clap_mangen::generate_to(command, folder) {
        Ok(()) => exit_code::OK,
        Err(error) => {
            let what = format!("write the pages into {}", folder.display());
            cannot(&what, &error)
        }
    }
}

fn print(bytes: &[u8]) -> u8 {
    match io::stdout().lock().write_all(bytes) {
        Ok(()) => exit_code::OK,
        Err(error) => cannot_print(&error),
    }
}

fn cannot(what: &str, error: &io::Error) -> u8 {
    complain(format_args!("cannot {what}: {error}"));
    exit_code::IO
}
