//! `herd send`: a client for people and scripts.

mod conversation;
mod input;
mod prompt;
mod reasons;
mod replies;
mod session;
pub(super) mod tls_options;
pub(super) mod token;
pub(super) mod typed;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};

use tokio::runtime;

use self::conversation::Conversation;
use self::input::{from_lines, from_stdin};
use self::session::{Lost, exchange};
use self::typed::is_port;
use super::connect::{ConnectArgs, Connected, NotConnected};
use super::report;
use crate::exit_code;
use herd_gossip::link::network::LinkStream;
use herd_server::settings::Environment;
use herd_text::printable::PrintableStream;

/// All commands were answered, and none with `?`.
pub const EXIT_ANSWERED: u8 = 0;
/// All commands were answered, at least one of them with `?`.
pub const EXIT_REFUSED: u8 = super::connect::EXIT_REFUSED;
/// The server could not be reached; nothing was sent.
pub const EXIT_UNREACHABLE: u8 = exit_code::UNAVAILABLE;
/// The connection, the input or the output broke before all replies were there.
pub const EXIT_LOST: u8 = exit_code::IO;

/// Sends commands to a server and prints its replies.
///
/// Without commands it reads lines: of a file or pipe, or in a conversation at a terminal, with `help`. `now` in the place of
/// the time of an IAMAT is the present. Exit status: 0 if all commands were answered, 1 if the server refused at least one
/// with `?`, 64 for wrong arguments, 69 if it could not be reached, 74 if the connection was lost before all replies were
/// there.
#[derive(Clone, Debug, clap::Args)]
pub struct SendArgs {
    #[command(flatten)]
    connect: ConnectArgs,
    /// A command, such as IAMAT kiwi +34.07-118.44 now, or several, each in quotes; without any, lines are read from
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

async fn status(args: SendArgs, environment: &Environment) -> u8 {
    if let [port] = &args.lines[..]
        && is_port(port)
    {
        let port = port.to_string_lossy();
        let port = port.trim_start_matches(':');
        let message =
            format!("{port} is no command; is it the server? write --to 127.0.0.1:{port}");
        return failed(exit_code::USAGE, &message);
    }
    let Connected { to, stream } = match args.connect.connect(environment).await {
        Ok(connected) => connected,
        Err(NotConnected { status, message }) => return failed(status, &message),
    };
    let is_terminal = io::stdout().is_terminal();
    if args.lines.is_empty() && is_terminal && io::stdin().is_terminal() {
        return talk(stream, &to).await;
    }
    let input = if args.lines.is_empty() {
        match from_stdin() {
            Ok(input) => input,
            Err(error) => return failed(EXIT_LOST, &format!("cannot read input: {error}")),
        }
    } else {
        let lines = typed::lines_of(&args.lines);
        from_lines(lines.iter().map(Vec::as_slice))
    };
    // Ids that others chose must not steer a terminal. A file gets the exact bytes.
    let shown = is_terminal.then(PrintableStream::default);
    end(exchange(stream, input, (tokio::io::stdout(), shown), None).await)
}

/// A conversation at the terminal.
async fn talk(stream: Box<dyn LinkStream>, to: &str) -> u8 {
    let conversation = match conversation::begin(to) {
        Ok(conversation) => conversation,
        Err(error) => return failed(EXIT_LOST, &format!("cannot read input: {error}")),
    };
    let Conversation {
        input,
        prompt,
        output,
        terminal,
    } = conversation;
    let shown = Some(PrintableStream::default());
    let ended = exchange(stream, input, (output, shown), Some(prompt)).await;
    // Before anything is said about the end.
    drop(terminal);
    end(ended)
}

/// The exit status of an exchange, and words about one that broke.
fn end(exchanged: Result<u64, Lost>) -> u8 {
    match exchanged {
        Ok(0) => EXIT_ANSWERED,
        Ok(_) => EXIT_REFUSED,
        // The reader of the output has enough, as in `herd send < file | head`.
        Err(Lost::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => EXIT_LOST,
        Err(lost) => failed(EXIT_LOST, &lost.to_string()),
    }
}

fn failed(code: u8, message: &str) -> u8 {
    report::complain_of("herd send", message);
    code
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
        let environment = Environment::new([("HERD_TO".into(), "variable:1".into())]);
        assert_eq!(args.connect.server(&environment).unwrap(), "host:1");
        assert_eq!(args.lines, ["IAMAT k +1+1 1", "WHATSAT k 1 1"]);
        assert_eq!(args.connect.connect_timeout, Duration::from_secs(5));
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
