//! `herd send`: a client for people and scripts.

mod input;
mod prompt;
mod replies;
mod session;
mod tls_options;
pub(super) mod token;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::runtime;

use self::input::{from_lines, from_stdin};
use self::prompt::Prompt;
use self::session::{Lost, exchange};
use self::tls_options::TlsOptions;
use self::token::TokenError;
use super::options::{Send, SettingFlags};
use super::report;
use crate::exit_code;
use herd_replication::link::network::LinkStream;
use herd_server::access::Token;
use herd_server::settings::{
    Command, ConfigError, Environment, Mistake, Resolver, Setting, Values, duration,
};
use herd_text::printable::PrintableStream;
use herd_tls::TlsFault;
use herd_topology::{PortBases, builtin};

/// All commands were answered, and none with `?`.
pub const EXIT_ANSWERED: u8 = 0;
/// All commands were answered, at least one of them with `?`.
pub const EXIT_REFUSED: u8 = 1;
/// The server could not be reached; nothing was sent.
pub const EXIT_UNREACHABLE: u8 = exit_code::UNAVAILABLE;
/// The connection, the input or the output broke before all replies were there.
pub const EXIT_LOST: u8 = exit_code::IO;

/// Sends commands to a server and prints its replies.
///
/// Exit status: 0 if all commands were answered, 1 if the server refused at least one with `?`, 69
/// if it could not be reached, 74 if the connection was lost before all replies were there.
#[derive(Clone, Debug, clap::Args)]
pub struct SendArgs {
    #[command(flatten)]
    settings: SettingFlags<Send>,
    /// How long to try to connect
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub connect_timeout: Duration,
    #[command(flatten)]
    pub(super) tls: TlsOptions,
    /// A command, such as "IAMAT kiwi +34.07-118.44 1520023934.9"; without any, lines are read from
    /// standard input
    #[arg(value_name = "LINE")]
    pub lines: Vec<OsString>,
}

/// Runs `herd send` and returns its exit status. Replies go to standard output, byte for
/// byte unless that is a terminal, all else to standard error.
///
/// A thread may still be reading standard input when this returns; it ends with the process.
pub(super) fn run(args: SendArgs) -> u8 {
    match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(status(args, &Environment::of_process())),
        Err(error) => failed(exit_code::INTERNAL, &format!("cannot start: {error}")),
    }
}

/// The server's port, and the token to show there.
fn server_and_token(
    settings: &SettingFlags<Send>,
    environment: &Environment,
) -> Result<(String, Option<Token>), ConfigError> {
    let mut resolver = Resolver::new(Command::Send, settings.given(), environment);
    let values = Values::resolve(&mut resolver);
    let token = token::chosen(&mut resolver);
    let named = values.to.unwrap_or_else(|| {
        let topology = builtin(PortBases::default());
        let first = topology.servers().first();
        first
            .map(|server| server.client.clone())
            .into_iter()
            .collect()
    });
    let server = match &named[..] {
        [server] => Some(server.to_string()),
        _ => {
            resolver.mistake(Mistake::Untold {
                origin: resolver.origin(Setting::To),
                reason: "names several servers, and commands go to one".to_owned(),
            });
            None
        }
    };
    resolver.finish(server.map(|server| (server, token)))
}

async fn status(args: SendArgs, environment: &Environment) -> u8 {
    let interactive =
        args.lines.is_empty() && io::stdin().is_terminal() && io::stdout().is_terminal();
    let (to, token) = match server_and_token(&args.settings, environment) {
        Ok(chosen) => chosen,
        Err(mistakes) => return failed(exit_code::USAGE, &mistakes.to_string()),
    };
    let tls = match args.tls.client(&to) {
        Ok(tls) => tls,
        Err(error) => return failed(exit_code::USAGE, &error.to_string()),
    };
    let connecting = async {
        let stream = TcpStream::connect(&to).await.map_err(Unreached::Tcp)?;
        // Pipelined lines go out as they come; if this fails, writing will say why.
        let _ = stream.set_nodelay(true);
        Ok::<_, Unreached>(match tls {
            None => Box::new(stream) as Box<dyn LinkStream>,
            Some((tls, host)) => Box::new(tls.connect(stream, &host).await?),
        })
    };
    let mut stream = match tokio::time::timeout(args.connect_timeout, connecting).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(Unreached::Tcp(error))) => {
            return failed(EXIT_UNREACHABLE, &cannot_connect(&to, &error));
        }
        Ok(Err(Unreached::Tls(fault))) => {
            let message = format!("cannot connect to {to} with TLS: {fault}");
            return failed(EXIT_UNREACHABLE, &message);
        }
        Err(_) => {
            let waited = humantime::format_duration(args.connect_timeout);
            let reason = format!("no answer within {waited}");
            return failed(EXIT_UNREACHABLE, &cannot_connect(&to, &reason));
        }
    };
    if let Some(token) = token
        && let Err(error) = token::show(&mut stream, &token).await
    {
        let status = match error {
            TokenError::Refused => EXIT_REFUSED,
            _ => EXIT_LOST,
        };
        return failed(status, &error.to_string());
    }
    let input = if args.lines.is_empty() {
        match from_stdin() {
            Ok(input) => input,
            Err(error) => return failed(EXIT_LOST, &format!("cannot read input: {error}")),
        }
    } else {
        from_lines(args.lines.iter().map(|line| line.as_bytes()))
    };
    let prompt = interactive.then(|| Prompt::new(&to));
    // Ids that others chose must not steer a terminal. A file gets the exact bytes.
    let shown = io::stdout().is_terminal().then(PrintableStream::default);
    match exchange(stream, input, (tokio::io::stdout(), shown), prompt).await {
        Ok(0) => EXIT_ANSWERED,
        Ok(_) => EXIT_REFUSED,
        // The reader of the output has enough, as in `herd send < file | head`.
        Err(Lost::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => EXIT_LOST,
        Err(lost) => failed(EXIT_LOST, &lost.to_string()),
    }
}

/// Why the server could not be reached.
#[derive(Debug, thiserror::Error)]
enum Unreached {
    #[error(transparent)]
    Tcp(io::Error),
    #[error(transparent)]
    Tls(#[from] TlsFault),
}

fn cannot_connect(to: &str, reason: &dyn std::fmt::Display) -> String {
    format!("cannot connect to {to}: {reason}; is a server running there?")
}

fn failed(code: u8, message: &str) -> u8 {
    report::complain_of("herd send", message);
    code
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use tokio::net::TcpSocket;

    use super::*;

    #[derive(clap::Parser)]
    struct Parsed {
        #[command(flatten)]
        send: SendArgs,
    }

    fn parse(args: &[&str]) -> SendArgs {
        Parsed::try_parse_from(args)
            .map(|parsed| parsed.send)
            .unwrap()
    }

    #[test]
    fn lines_and_server_come_from_the_arguments() {
        let args = parse(&["send", "--to", "host:1", "IAMAT k +1+1 1", "WHATSAT k 1 1"]);
        assert_eq!(server(&args, "variable:1"), Ok("host:1".to_owned()));
        assert_eq!(args.lines, ["IAMAT k +1+1 1", "WHATSAT k 1 1"]);
        assert_eq!(args.connect_timeout, Duration::from_secs(5));
    }

    /// The server that is meant where the variable names this one.
    fn server(args: &SendArgs, variable: &str) -> Result<String, String> {
        let environment = Environment::new([("HERD_TO".into(), variable.into())]);
        let chosen = server_and_token(&args.settings, &environment);
        chosen
            .map(|(server, _)| server)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn commands_go_to_one_server() {
        let args = parse(&["send"]);
        assert_eq!(server(&args, ""), Ok("127.0.0.1:12000".to_owned()));
        assert_eq!(server(&args, "variable:1"), Ok("variable:1".to_owned()));
        let several = server(&args, "a:1,b:2").unwrap_err();
        assert!(several.contains("HERD_TO: names several"), "{several}");
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_has_its_own_status() {
        // Bound and not listening, so that no other process takes the port meanwhile.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let to = socket.local_addr().unwrap().to_string();
        let environment = Environment::default();
        let args = parse(&["send", "--to", &to, "hello"]);
        assert_eq!(status(args, &environment).await, EXIT_UNREACHABLE);
        let args = parse(&["send", "--to", "no port", "hello"]);
        assert_eq!(status(args, &environment).await, exit_code::USAGE);
    }
}
