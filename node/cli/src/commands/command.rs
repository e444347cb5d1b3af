//! The commands of `herd`.

use std::ffi::OsString;

use clap::{CommandFactory, Parser, Subcommand};

use super::bench::BenchArgs;
use super::certs::CertsArgs;
use super::control::{DumpArgs, LoadArgs};
use super::demo::DemoArgs;
use super::forget::ForgetArgs;
use super::generated::{CompletionsArgs, ManArgs};
use super::near::NearArgs;
use super::options::{Local, Serve, SettingFlags};
use super::order::{StartArgs, StopArgs};
use super::places::PlacesArgs;
use super::send::SendArgs;
use super::send::typed;
use super::serve::ServeArgs;
use super::status::StatusArgs;
use super::store::StoreArgs;
use super::token::TokenArgs;
use super::top::TopArgs;
use super::watch::WatchArgs;
use super::{
    bench, certs, check_config, control, demo, forget, generated, local, near, order, places, send,
    serve, status, store, token, top, watch,
};
use crate::exit_code;

/// A herd of servers that knows where things are, and the places near them.
///
/// Clients connect to any server over TCP and type lines: IAMAT reports the location of a client, WHATSAT asks for a
/// client's location and the places near it. The servers pass locations on to each other, and none of them leads.
///
/// To try it, run `herd local` and follow its output. `herd status` says whether all is well.
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
    /// so on; an option wins over a variable. Ctrl-C stops all servers.
    Local(SettingFlags<Local>),
    /// Move vans through a city, on every server of a herd, until Ctrl-C
    ///
    /// The servers are those of --to, else those that `herd local` wrote into this folder, else the built-in five.
    Demo(DemoArgs),
    /// Stop one server of a running `herd local`
    ///
    /// Exit status: 0 when it has ended, 1 if there is no such server or it does not run, 64 for wrong arguments, 69 if
    /// no `herd local` runs there, 74 if it gave no answer.
    Stop(StopArgs),
    /// Start one server of a running `herd local` again
    ///
    /// Exit status: 0 when it answers, 1 if there is no such server, it runs already or does not start, 64 for wrong
    /// arguments, 69 if no `herd local` runs there, 74 if it gave no answer.
    Start(StartArgs),
    /// Run one server
    ///
    /// Settings come from a file (--config), options or environment variables (HERD_NAME for
    /// --name and so on). Where several give the same one, the option wins over the variable, and
    /// the variable over the file. SIGTERM and SIGINT stop the server. SIGHUP stops it if it was
    /// started at a terminal, and otherwise opens the wire log anew.
    Serve(ServeArgs),
    /// Check the settings of one server, start nothing
    ///
    /// Takes the options of `herd serve`, and prints every setting with its source, or all mistakes.
    CheckConfig(SettingFlags<Serve>),
    /// Send commands to a server and print its replies
    Send(SendArgs),
    /// Ask which clients are near a location, or near another client
    ///
    /// Exit status: 0 if the server answered, 1 if it refused the question, 64 for wrong arguments, 69 if it could not
    /// be reached, 74 if the connection was lost before the answer was there.
    Near(NearArgs),
    /// Watch clients, and print a line for each change
    ///
    /// It comes back by itself when the connection is lost or the server stops, on the next of several servers of --to,
    /// and says so. Exit status: 0 if it was stopped, 1 if the server refused the watch, 64 for wrong arguments, 69 if no
    /// server could be reached at the start, 74 if its output could not be written.
    Watch(WatchArgs),
    /// Make a herd forget clients: their locations, on every server, for good
    ///
    /// Prints the GONE line of each, and asks before it does. Exit status: 0 if all are forgotten, 1 if the server
    /// refused some or you said no, 64 for wrong arguments, 69 if it could not be reached, 74 if the connection was
    /// lost before all replies were there.
    Forget(ForgetArgs),
    /// Write all records that a running server knows, as lines
    ///
    /// Each record is its AT line, or the GONE line of a client that is forgotten; the last line is END with their count. Each is as it was at
    /// some moment of the dump. Without options the server is that of the variables
    /// HERD_CONTROL_SOCKET or HERD_DATA_DIR, else the first that runs of `herd local` in this folder.
    Dump(DumpArgs),
    /// Read records that were dumped into a running server, and so into its herd
    ///
    /// Each record is taken in as if the server had just heard it; a record that is older than the known one changes
    /// nothing. Invalid lines are reported, counted and left out. The server is found as by `herd dump`.
    Load(LoadArgs),
    /// Look after the store of a server that is stopped
    Store(StoreArgs),
    /// Ask servers for their status, compare the answers, and report troubles
    ///
    /// Asks each at its HTTP port for /status, which `herd local` shows and `herd serve` with --http-locations. Troubles
    /// come first, the cause before its effects. Exit status: 0 without trouble, 1 with trouble, 64 for wrong arguments, 69
    /// if no server told anything.
    Status(StatusArgs),
    /// Show the table of `herd status` again and again; q ends it
    Top(TopArgs),
    /// Make tokens that clients show to servers
    Token(TokenArgs),
    /// Put a load on a herd, or on Redis, and measure
    ///
    /// Exit status: 0 if everything was answered as asked, 1 if there is a result with errors in it, 64 for wrong arguments,
    /// 69 if a server could not be reached, 130 if it was stopped before there was a result. Ctrl-C
    /// ends it early, with the result so far.
    Bench(BenchArgs),
    /// Make certificates for the links between servers, and renew them
    Certs(CertsArgs),
    /// Look into tables of places, and make them
    Places(PlacesArgs),
    /// Print the completion script of a shell for the commands and options of herd
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
    let cli = match Cli::try_parse_from(typed::with_southern_locations(arguments)) {
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
        Command::Demo(args) => demo::run(args),
        Command::Stop(args) => order::run_stop(&args),
        Command::Start(args) => order::run_start(&args),
        Command::Serve(options) => serve::run(&options),
        Command::CheckConfig(options) => check_config::run(&options),
        Command::Send(args) => send::run(args),
        Command::Near(args) => near::run(args),
        Command::Watch(args) => watch::run(args),
        Command::Forget(args) => forget::run(&args),
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
#[path = "document_tests.rs"]
mod document_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use herd_server::settings::{self, Setting};

    #[test]
    fn definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    /// The flags of a command, whose name may be of several words.
    fn flags_of(name: &str) -> Vec<String> {
        let mut command = Cli::command();
        for word in name.split(' ') {
            command = command.find_subcommand(word).unwrap().clone();
        }
        let flags = command.get_arguments().filter_map(clap::Arg::get_long);
        flags.map(|flag| format!("--{flag}")).collect()
    }

    #[test]
    fn every_command_takes_its_settings() {
        for command in settings::Command::ALL {
            for name in command.names() {
                let flags = flags_of(name);
                for setting in Setting::of(command) {
                    assert_eq!(
                        flags.contains(&setting.flag()),
                        setting.has_flag(),
                        "herd {name} {}",
                        setting.flag()
                    );
                }
            }
        }
    }

    /// The flags that servers take besides their settings have no variable and no place in a file.
    #[test]
    fn servers_take_nothing_but_settings() {
        for (name, command, others) in [
            ("local", settings::Command::Local, &[][..]),
            ("check-config", settings::Command::Serve, &[]),
            ("serve", settings::Command::Serve, &["--stop-on-stdin-eof"]),
        ] {
            let mut flags = flags_of(name);
            flags.retain(|flag| Setting::of(command).all(|setting| setting.flag() != *flag));
            assert_eq!(flags, others, "herd {name}");
        }
    }
}
