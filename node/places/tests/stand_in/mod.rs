//! A stand-in for a provider of places: an HTTP server on loopback that does as it is told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Its behaviour for a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Sends these bytes, and serves on.
    Send(String),
    /// Sends these bytes and closes.
    SendAndClose(String),
    /// Waits, then does another thing.
    After(Duration, Box<Act>),
    /// Sends these bytes one by one, with a pause after each.
    Trickle(String, Duration),
    /// Sends these bytes, and then for ever the second.
    Endless(String, String),
    /// Says nothing, and keeps the connection.
    Hang,
}

/// A reply with a body of JSON.
pub(crate) fn json(body: &str) -> Act {
    reply(
        "200 OK",
        "Content-Type: application/json; charset=UTF-8\r\n",
        body,
    )
}

/// A reply with these header lines.
pub(crate) fn reply(status: &str, headers: &str, body: &str) -> Act {
    let length = body.len();
    Act::Send(format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    ))
}

pub(crate) fn after(wait: Duration, act: Act) -> Act {
    Act::After(wait, Box::new(act))
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedRequest {
    /// The request line and the headers.
    pub(crate) head: String,
    pub(crate) body: String,
}

#[derive(Default)]
struct ProviderState {
    /// The behaviour for the next requests; the last one is repeated.
    script: VecDeque<Act>,
    requests: Vec<ReceivedRequest>,
    connections: usize,
}

/// A running stand-in. It ends when this is dropped.
pub(crate) struct StandIn {
    address: SocketAddr,
    state: Arc<Mutex<ProviderState>>,
    _serving: JoinSet<()>,
}

impl StandIn {
    pub(crate) async fn start(script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(ProviderState {
            script: script.into_iter().collect(),
            ..ProviderState::default()
        }));
        let mut serving = JoinSet::new();
        let shared = Arc::clone(&state);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().connections += 1;
                connections.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        StandIn {
            address,
            state,
            _serving: serving,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<ReceivedRequest> {
        self.state.lock().requests.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().connections
    }

    /// Its behaviour from now on.
    pub(crate) fn script(&self, script: impl IntoIterator<Item = Act>) {
        self.state.lock().script = script.into_iter().collect();
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<ProviderState>>) {
    while let Some(request) = read_request(&mut stream).await {
        let act = {
            let mut state = state.lock();
            state.requests.push(request);
            match state.script.len() {
                0 | 1 => state.script.front().cloned(),
                _ => state.script.pop_front(),
            }
        };
        if !perform(&mut stream, act.unwrap_or(Act::Hang)).await {
            return;
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<ReceivedRequest> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    let read = bytes.len() - head_end;
    body[..read].copy_from_slice(&bytes[head_end..]);
    stream.read_exact(&mut body[read..]).await.ok()?;
    let body = String::from_utf8(body).unwrap();
    Some(ReceivedRequest { head, body })
}

/// Whether the connection goes on.
async fn perform(stream: &mut TcpStream, mut act: Act) -> bool {
    while let Act::After(wait, next) = act {
        tokio::time::sleep(wait).await;
        act = *next;
    }
    let sent = match act {
        Act::Send(text) => return stream.write_all(text.as_bytes()).await.is_ok(),
        Act::SendAndClose(text) => stream.write_all(text.as_bytes()).await,
        Act::Trickle(text, pause) => {
            for byte in text.into_bytes() {
                if stream.write_all(&[byte]).await.is_err() {
                    return false;
                }
                tokio::time::sleep(pause).await;
            }
            return true;
        }
        Act::Endless(start, more) => {
            let mut sent = stream.write_all(start.as_bytes()).await;
            while sent.is_ok() {
                sent = stream.write_all(more.as_bytes()).await;
            }
            sent
        }
        Act::Hang | Act::After(..) => std::future::pending().await,
    };
    // The client sees the end either way.
    let _ = sent;
    false
}
