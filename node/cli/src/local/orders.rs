//! Orders for one server of a herd on this machine: `herd stop` and `herd start` send them over a socket in its folder.
//!
//! A session is one line each way: `STOP 1 Hill` (the number is the version of all of this), then `OK` or `NO` with a
//! sentence.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::answers::{READY_GRACE, who};
use herd_server::control::ControlSocket;

/// The name of the socket in the folder of a herd.
pub(crate) const SOCKET_FILE: &str = "local.sock";

/// The longest line in either direction, in bytes.
pub(crate) const LINE_BYTES_MAX: u64 = 4096;

/// How long an order and its answer may take together: longer than a server takes to stop or to start.
pub(crate) const SESSION_TIME_MAX: Duration = Duration::from_secs(30);

/// Sessions at a time; further ones are closed at once.
const SESSIONS_MAX: usize = 16;

const VERSION: &str = "1";

/// The pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// The pause between two looks at a server that starts.
const START_POLL: Duration = Duration::from_millis(20);

/// What to do with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderKind {
    /// It stops in good order.
    Stop,
    /// It is killed, as by a crash.
    Kill,
    /// It starts again.
    Start,
}

/// One order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerOrder {
    pub(crate) kind: OrderKind,
    pub(crate) server: String,
}

/// A line that is no order of this version.
#[derive(Debug, thiserror::Error)]
#[error("this is no order of version {VERSION}; use the `herd` with which the herd was started")]
pub(crate) struct InvalidOrder;

impl fmt::Display for ServerOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.kind {
            OrderKind::Stop => "STOP",
            OrderKind::Kill => "KILL",
            OrderKind::Start => "START",
        };
        write!(f, "{word} {VERSION} {}", self.server)
    }
}

impl FromStr for ServerOrder {
    type Err = InvalidOrder;

    fn from_str(line: &str) -> Result<Self, InvalidOrder> {
        let words: Vec<&str> = line.split(' ').collect();
        let &[word, VERSION, server] = words.as_slice() else {
            return Err(InvalidOrder);
        };
        let kind = match word {
            "STOP" => OrderKind::Stop,
            "KILL" => OrderKind::Kill,
            "START" => OrderKind::Start,
            _ => return Err(InvalidOrder),
        };
        let server = server.to_owned();
        Ok(ServerOrder { kind, server })
    }
}

/// What became of an order, as a sentence.
pub(super) type Outcome = Result<String, String>;

/// The answer of the supervisor.
#[derive(Debug)]
pub(super) enum Answer {
    /// All is done, or nothing was.
    Done(Outcome),
    /// The server of this name starts, and then listens for HTTP here. Its end before that comes as a sentence.
    Starting(String, SocketAddr, oneshot::Receiver<String>),
}

/// An order with the way back.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) order: ServerOrder,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// Takes orders, until it is dropped.
pub(super) async fn serve(socket: ControlSocket, orders: mpsc::Sender<Asked>) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = sessions.join_next() => {}
            accepted = socket.listener().accept() => match accepted {
                Ok((stream, _)) if sessions.len() < SESSIONS_MAX => {
                    let session = timeout(SESSION_TIME_MAX, session(stream, orders.clone()));
                    sessions.spawn(session);
                }
                Ok(_) => {}
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

async fn session(stream: UnixStream, orders: mpsc::Sender<Asked>) {
    let (read_half, mut write_half) = stream.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(read_half.take(LINE_BYTES_MAX));
    if reader.read_line(&mut line).await.is_err() {
        return;
    }
    let outcome = match line.trim_end().parse() {
        Ok(order) => obeyed(order, &orders).await,
        Err(error) => Err(InvalidOrder::to_string(&error)),
    };
    let line = match outcome {
        Ok(sentence) => format!("OK {sentence}\n"),
        Err(sentence) => format!("NO {sentence}\n"),
    };
    // Who asked may be gone.
    let _ = write_half.write_all(line.as_bytes()).await;
}

async fn obeyed(order: ServerOrder, orders: &mpsc::Sender<Asked>) -> Outcome {
    let (answer, answered) = oneshot::channel();
    let ended = || Err("the herd ends".to_owned());
    if orders.send(Asked { order, answer }).await.is_err() {
        return ended();
    }
    match answered.await {
        Ok(Answer::Done(outcome)) => outcome,
        Ok(Answer::Starting(server, address, end)) => {
            let answers = async {
                while !matches!(who(address).await, Some((_, found)) if found == server) {
                    sleep(START_POLL).await;
                }
            };
            tokio::select! {
                Ok(sentence) = end => Err(sentence),
                started = timeout(READY_GRACE, answers) => match started {
                    Ok(()) => Ok(format!("{server} runs")),
                    Err(_) => Err(format!("{server} was started, and does not answer yet")),
                },
            }
        }
        Err(_) => ended(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_lines() {
        for kind in [OrderKind::Stop, OrderKind::Kill, OrderKind::Start] {
            let server = "Hill".to_owned();
            let order = ServerOrder { kind, server };
            assert_eq!(order.to_string().parse::<ServerOrder>().unwrap(), order);
        }
        for line in [
            "",
            "STOP",
            "STOP 1",
            "STOP 2 Hill",
            "stop 1 Hill",
            "STOP 1 Hill x",
        ] {
            assert!(line.parse::<ServerOrder>().is_err(), "{line}");
        }
    }
}
