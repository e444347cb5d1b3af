//! The server in whose environment this runs, such as in its container: asked over its control socket, which tells its
//! own user whatever HTTP shows to others.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::ask::REPLY_BYTES_MAX;
use crate::commands::control::find::connect_to_own;
use herd_server::control::ControlRequest;
use herd_server::settings::Environment;
use herd_server::status::Status;
use herd_server::status::comparison::StatusAnswer;

/// How long it may take to answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);

/// How the answers of this server are named.
const AT: &str = "control socket";

/// Its status; nothing if no variable names one, or if it does not answer: then HTTP tells why.
pub(super) async fn ask(environment: &Environment) -> Option<Status> {
    let stream = connect_to_own(environment)?;
    let reply = timeout(ANSWER_WAIT_MAX, read(stream)).await.ok()?.ok()?;
    serde_json::from_slice(&reply).ok()
}

async fn read(stream: std::os::unix::net::UnixStream) -> io::Result<Vec<u8>> {
    stream.set_nonblocking(true)?;
    let mut stream = UnixStream::from_std(stream)?;
    let request = format!("{}\n", ControlRequest::Status);
    stream.write_all(request.as_bytes()).await?;
    let mut reply = Vec::new();
    stream.take(REPLY_BYTES_MAX).read_to_end(&mut reply).await?;
    Ok(reply)
}

/// The status of this server, and the answers of those others that tell theirs. What this server knows of the others
/// stands for those that do not tell, or that only servers can reach.
pub(super) fn put_first(status: Status, answers: Vec<StatusAnswer>) -> Vec<StatusAnswer> {
    let name = status.server.clone();
    let own = StatusAnswer {
        at: AT.to_owned(),
        name: Some(name.clone()),
        status: Some(status),
        reached: true,
        error: None,
    };
    let others = answers
        .into_iter()
        .filter(|answer| answer.status.is_some() && answer.name.as_ref() != Some(&name));
    std::iter::once(own).chain(others).collect()
}
