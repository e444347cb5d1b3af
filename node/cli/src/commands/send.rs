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
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::runtime;

use self::input::{from_lines, from_stdin};
use self::prompt::Prompt;
use self::session::{Lost, exchange};
use self::tls_options::TlsOptions;
use self::token::TokenError;
use super::report;
use crate::exit_code;
use herd_replication::link::network::LinkStream;
use herd_text::printable::PrintableStream;
use herd_tls::TlsFault;

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
    /// The server's client port
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "HERD_TO",
        default_value = "127.0.0.1:12000"
    )]
    pub to: String,
    /// How long to try to connect
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub connect_timeout: Duration,
    #[command(flatten)]
    pub(super) tls: TlsOptions,
    /// File with a token to show the server first; or set HERD_TOKEN
    ///
    /// There is no option for the token itself, since lists of processes show options.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
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
        Ok(runtime) => runtime.block_on(status(args)),
        Err(error) => failed(exit_code::INTERNAL, &format!("cannot start: {error}")),
    }
}

async fn status(args: SendArgs) -> u8 {
    let interactive =
        args.lines.is_empty() && io::stdin().is_terminal() && io::stdout().is_terminal();
    let token = match token::chosen(args.token_file.as_deref()) {
        Ok(token) => token,
        Err(error) => return failed(exit_code::USAGE, &error.to_string()),
    };
    let tls = match args.tls.client(&args.to) {
        Ok(tls) => tls,
        Err(error) => return failed(exit_code::USAGE, &error.to_string()),
    };
    let connecting = async {
        let stream = TcpStream::connect(&args.to).await.map_err(Unreached::Tcp)?;
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
            return failed(EXIT_UNREACHABLE, &cannot_connect(&args.to, &error));
        }
        Ok(Err(Unreached::Tls(fault))) => {
            let message = format!("cannot connect to {} with TLS: {fault}", args.to);
            return failed(EXIT_UNREACHABLE, &message);
        }
        Err(_) => {
            let waited = humantime::format_duration(args.connect_timeout);
            let reason = format!("no answer within {waited}");
            return failed(EXIT_UNREACHABLE, &cannot_connect(&args.to, &reason));
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
    let prompt = interactive.then(|| Prompt::new(&args.to));
    // A terminal, as opposed to a file, is not to be steered by what others chose as ids.
    let shown = io::stdout().is_terminal().then(PrintableStream::default);
    match exchange(stream, input, (tokio::io::stdout(), shown), prompt).await {
        Ok(0) => EXIT_ANSWERED,
        Ok(_) => EXIT_REFUSED,
        // Who reads the output has what it wanted: `herd send < file | head`.
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
    struct Command {
        #[command(flatten)]
        send: SendArgs,
    }

    fn parse(args: &[&str]) -> SendArgs {
        Command::try_parse_from(args)
            .map(|command| command.send)
            .unwrap()
    }

    #[test]
    fn lines_and_server_come_from_the_arguments() {
        let args = parse(&["send", "--to", "host:1", "IAMAT k +1+1 1", "WHATSAT k 1 1"]);
        assert_eq!(args.to, "host:1");
        assert_eq!(args.lines, ["IAMAT k +1+1 1", "WHATSAT k 1 1"]);
        assert_eq!(args.connect_timeout, Duration::from_secs(5));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_has_its_own_status() {
        // Bound and not listening: nobody else can take the port meanwhile.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let to = socket.local_addr().unwrap().to_string();
        let args = parse(&["send", "--to", &to, "hello"]);
        assert_eq!(status(args).await, EXIT_UNREACHABLE);
        let args = parse(&["send", "--to", "no port", "hello"]);
        assert_eq!(status(args).await, EXIT_UNREACHABLE);
    }
}
