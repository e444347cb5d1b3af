//! Asks servers for `/status`, over HTTP/1.0, with TLS or without: one request, one reply, no redirects.

use std::io;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::targets::StatusTarget;
use crate::commands::send::tls_options::TlsOptions;
use herd_gossip::link::network::LinkStream;
use herd_server::access::Token;
use herd_server::status::comparison::StatusAnswer;
use herd_server::status::{STATUS_VERSION, Status};
use herd_tls::{TlsError, TlsFault};

/// How long a server may take to answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);

/// The longest reply that is read, in bytes: a thousand servers fit in.
pub(super) const REPLY_BYTES_MAX: u64 = 4 << 20;

/// Servers that are asked at the same time.
const ASKED_AT_ONCE_MAX: usize = 64;

/// Characters of a reply that is no status which are shown.
const SHOWN_CHARS_MAX: usize = 300;

/// Why a server's status is not known. The server was changed in no way.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("cannot connect: {0}; does the server run, and is this its HTTP port?")]
    Connect(io::Error),
    #[error("no answer within {} s", ANSWER_WAIT_MAX.as_secs())]
    TooSlow,
    #[error("no TLS: {0}")]
    Tls(#[from] TlsFault),
    #[error(transparent)]
    TlsFiles(#[from] TlsError),
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    #[error("the answer is not HTTP; is this another port of the server?")]
    NotHttp,
    #[error("HTTP 401: it wants a token that opens HTTP; give one with --token-file or HERD_TOKEN")]
    Unauthorized,
    #[error("HTTP {0}: {1}")]
    Refused(u16, String),
    #[error("its answer is longer than {REPLY_BYTES_MAX} bytes")]
    TooLong,
    #[error(
        "its answer is not a status of version {STATUS_VERSION}: {0}; are the versions of herd the same?"
    )]
    NotAStatus(serde_json::Error),
}

impl AskError {
    /// Whether a server is there, and does not tell.
    fn is_answer(&self) -> bool {
        matches!(self, AskError::Unauthorized | AskError::Refused(403, _))
    }
}

/// Asks all of them, and waits for each no longer than [`ANSWER_WAIT_MAX`].
pub(in crate::commands) async fn ask_all(
    targets: &[StatusTarget],
    token: Option<&Token>,
    tls: &TlsOptions,
) -> Vec<StatusAnswer> {
    stream::iter(targets.to_vec())
        .map(async |target: StatusTarget| {
            let (status, error) = match ask(&target.at, token, tls).await {
                Ok(status) => (Some(status), None),
                Err(error) => (None, Some(error)),
            };
            StatusAnswer {
                at: target.at,
                name: target.name,
                status,
                reached: error.as_ref().is_none_or(AskError::is_answer),
                error: error.map(|error| error.to_string()),
            }
        })
        .buffered(ASKED_AT_ONCE_MAX)
        .collect()
        .await
}

async fn ask(at: &str, token: Option<&Token>, tls: &TlsOptions) -> Result<Status, AskError> {
    let asked = timeout(ANSWER_WAIT_MAX, async {
        let tls = tls.client(at)?;
        let stream = TcpStream::connect(at).await.map_err(AskError::Connect)?;
        let mut stream = match tls {
            None => Box::new(stream) as Box<dyn LinkStream>,
            Some((tls, host)) => Box::new(tls.connect(stream, &host).await?),
        };
        let shown = token.map_or_else(String::new, |token| {
            format!("authorization: Bearer {}\r\n", token.reveal())
        });
        let request = format!(
            "GET /status HTTP/1.0\r\nhost: {at}\r\naccept: application/json\r\n{shown}\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut reply = Vec::new();
        let mut bounded = stream.take(REPLY_BYTES_MAX + 1);
        if bounded.read_to_end(&mut reply).await? as u64 > REPLY_BYTES_MAX {
            return Err(AskError::TooLong);
        }
        parse(&reply)
    });
    asked.await.map_err(|_| AskError::TooSlow)?
}

fn parse(reply: &[u8]) -> Result<Status, AskError> {
    let separator = b"\r\n\r\n";
    let head_end = reply
        .windows(separator.len())
        .position(|window| window == separator)
        .ok_or(AskError::NotHttp)?;
    let (head, body) = reply.split_at(head_end);
    let body = body.get(separator.len()..).unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let mut words = head.split_whitespace();
    let protocol = words.next().unwrap_or_default();
    let code = words.next().and_then(|code| code.parse().ok());
    match (protocol.starts_with("HTTP/1."), code) {
        (true, Some(200)) => serde_json::from_slice(body).map_err(AskError::NotAStatus),
        (true, Some(401)) => Err(AskError::Unauthorized),
        (true, Some(code)) => {
            let text = String::from_utf8_lossy(body);
            let shown = text.trim().chars().take(SHOWN_CHARS_MAX);
            Err(AskError::Refused(code, shown.collect()))
        }
        _ => Err(AskError::NotHttp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_without_a_status_are_described() {
        for (reply, message) in [
            ("", "the answer is not HTTP"),
            ("? GET /status HTTP/1.0\n", "the answer is not HTTP"),
            ("SSH-2.0 200\r\n\r\n", "the answer is not HTTP"),
            (
                "HTTP/1.0 401 Unauthorized\r\n\r\n",
                "HTTP 401: it wants a token that opens HTTP; give one with --token-file",
            ),
            (
                "HTTP/1.0 403 Forbidden\r\n\r\nstart it with --http-locations\n",
                "HTTP 403: start it with --http-locations",
            ),
            (
                "HTTP/1.0 200 OK\r\n\r\n{}",
                "its answer is not a status of version 1",
            ),
        ] {
            let error = parse(reply.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(message), "{reply}: {error}");
        }
    }

    #[tokio::test]
    async fn an_unreachable_server_is_reported_with_the_reason() {
        // Bound and not listening, so that no other process takes the port meanwhile.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let target = StatusTarget {
            at: socket.local_addr().unwrap().to_string(),
            name: Some("Hill".to_owned()),
        };
        let answers = ask_all(&[target], None, &TlsOptions::default()).await;
        let error = answers[0].error.as_ref().unwrap();
        assert!(error.starts_with("cannot connect: "), "{error}");
        assert_eq!(answers[0].label(), "Hill");
    }
}
