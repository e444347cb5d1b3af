//! The commands of `herd`.

use std::ffi::OsString;

use clap::{CommandFactory, Parser, Subcommand};

use super::bench::BenchArgs;
use super::certs::CertsArgs;
use super::control::{DumpArgs, LoadArgs};
use super::generated::{CompletionsArgs, ManArgs};
use super::options::{LocalOptions, ServeOptions};
use super::places::PlacesArgs;
use super::send::SendArgs;
use super::status::StatusArgs;
use super::store::StoreArgs;
use super::token::TokenArgs;
use super::top::TopArgs;
use super::{
    bench, certs, check_config, control, generated, local, places, send, serve, status, store,
    token, top,
};
use crate::exit_code;

/// A herd of servers that knows where things are, and what is near them.
///
/// Clients connect to any server over TCP and type lines: IAMAT reports where a client is,
/// WHATSAT asks what is near one. The servers pass locations on to each other, and none of them
/// leads.
///
/// To try it, run `herd local` and follow what it says. `herd status` tells whether all is well.
#[derive(Debug, Parser)]
#[command(name = "herd", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a whole herd on this machine, one process per server
    ///
    /// Without --topology it is the built-in herd: Hill, Jaquez, Smith, Campbell and Singleton on
    /// 127.0.0.1. Every option can also be given as an environment variable: HERD_LOG for --log and
    /// so on; a variable wins over an option. Ctrl-C stops all servers.
    Local(LocalOptions),
    /// Run one server
    ///
    /// Settings come from a file (--config), options or environment variables (HERD_NAME for
    /// --name and so on). Where several give the same one, the variable wins over the option, and
    /// the option over the file. SIGTERM and SIGINT stop the server. SIGHUP stops it if it was
    /// started at a terminal, and otherwise opens the wire log anew.
    Serve(ServeOptions),
    /// Check the settings of one server, start nothing
    ///
    /// Takes what `herd serve` takes, and prints every setting with where it came from, or all
    /// mistakes.
    CheckConfig(ServeOptions),
    /// Send commands to a server and print its replies
    Send(SendArgs),
    /// Write all records that a running server knows, as lines
    ///
    /// Each record is its AT line, and the last line is END with their count. Each is as it was at
    /// some moment of the dump. Without options the server is that of the variables
    /// HERD_CONTROL_SOCKET or HERD_DATA_DIR, else the first that runs of `herd local` in this folder.
    Dump(DumpArgs),
    /// Read records that were dumped into a running server, and so into its herd
    ///
    /// Each record is taken in as if the server had just heard of it; one that is older than what is
    /// known changes nothing. Lines that are not valid are told, counted and left out. The server is
    /// found as by `herd dump`.
    Load(LoadArgs),
    /// Look after the store of a server that is stopped
    Store(StoreArgs),
    /// Ask servers how they see themselves and each other, and say what is wrong
    ///
    /// Asks each at its HTTP port for /status, which `herd local` shows and `herd serve` with
    /// --http-locations. Exit status: 0 if all is well, 1 if something is wrong, which the last
    /// lines say, 69 if no server answered.
    Status(StatusArgs),
    /// Show what `herd status` says, again and again; q ends it
    Top(TopArgs),
    /// Make tokens that clients show to servers
    Token(TokenArgs),
    /// Put a load on a herd, or on Redis, and measure
    ///
    /// Exit status: 0 if everything was answered as asked, 1 if there is a result with errors in it,
    /// 69 if a server could not be reached, 130 if it was stopped before there was a result. Ctrl-C
    /// ends it early, with the result so far.
    Bench(BenchArgs),
    /// Make certificates for the links between servers, and renew them
    Certs(CertsArgs),
    /// Look into tables of places, and make them
    Places(PlacesArgs),
    /// Print what makes a shell complete the commands and options of herd
    ///
    /// For bash: herd completions bash > /usr/share/bash-completion/completions/herd
    Completions(CompletionsArgs),
    /// Print the manual page of herd, or write those of all commands
    ///
    /// To read it: herd man | man -l -
    Man(ManArgs),
}

/// Runs the command that `arguments` name, the program's own name first. Returns the exit status:
/// see [`exit_code`].
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help that was asked for goes to standard output and is no mistake.
            let status = if error.use_stderr() {
                exit_code::USAGE
            } else {
                exit_code::OK
            };
            return match error.print() {
                Ok(()) => status,
                Err(_) => exit_code::IO,
            };
        }
    };
    match cli.command {
        Command::Local(options) => local::run(&options),
        Command::Serve(options) => serve::run(&options),
        Command::CheckConfig(options) => check_config::run(&options),
        Command::Send(args) => send::run(args),
        Command::Dump(args) => control::run_dump(&args),
        Command::Load(args) => control::run_load(&args),
        Command::Store(args) => store::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Top(args) => top::run(&args),
        Command::Token(args) => token::run(&args),
        Command::Bench(args) => bench::run(args),
        Command::Certs(args) => certs::run(&args),
        Command::Places(args) => places::run(&args),
        Command::Completions(args) => generated::completions(&args, Cli::command()),
        Command::Man(args) => generated::man(&args, Cli::command()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use herd_server::config::Setting;

    #[test]
    fn definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    /// Whether the options of a command are exactly its settings, beside those named.
    fn assert_options(command: &str, settings: &[Setting], others: &[&str]) {
        let cli = Cli::command();
        let command = cli.find_subcommand(command).unwrap();
        let mut options: Vec<String> = command
            .get_arguments()
            .map(|argument| format!("--{}", argument.get_long().unwrap()))
            .collect();
        options.sort_unstable();
        let mut expected: Vec<String> = settings
            .iter()
            .filter(|setting| setting.is_public())
            .map(|setting| setting.flag())
            .collect();
        expected.extend(others.iter().map(|&other| other.to_owned()));
        expected.sort_unstable();
        assert_eq!(options, expected);
    }

    #[test]
    fn every_setting_has_its_option() {
        assert_options("local", &Setting::LOCAL, &[]);
        assert_options("serve", &Setting::SERVE, &["--stop-on-stdin-eof"]);
        assert_options("check-config", &Setting::SERVE, &["--stop-on-stdin-eof"]);
    }
}
