//! Standard input as a sign of life of the process at its other end.

use std::io;
use std::os::fd::AsFd;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

/// Standard input, which must be a pipe. Must run inside a tokio runtime.
pub(super) fn open() -> io::Result<pipe::Receiver> {
    pipe::Receiver::from_owned_fd(io::stdin().as_fd().try_clone_to_owned()?)
}

/// Returns when the other end is closed; never, without a pipe. Bytes in it are ignored.
pub(super) async fn closed(pipe: Option<&mut pipe::Receiver>) {
    let Some(pipe) = pipe else {
        return std::future::pending().await;
    };
    let mut ignored = [0; 512];
    while !matches!(pipe.read(&mut ignored).await, Ok(0) | Err(_)) {}
}
