//! Reading what a client sends.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Instant;

use crate::frontend::limits::Pace;
use crate::frontend::service::Service;
use herd_protocol::{READ_BYTES_MIN, ReadBuffer};

/// Reads when admission control lets it: so replication slows the clients that report much. Returns the number of bytes.
/// `may_read_at` is when it may in any case, also if this wait is broken off and begun again.
pub(super) async fn read(
    service: &Service,
    pace: &Pace,
    (buffer, is_in_bulk): (&mut ReadBuffer, bool),
    may_read_at: &mut Option<Instant>,
    read_half: &mut (impl AsyncRead + Unpin),
) -> io::Result<usize> {
    let admission = service.operations.locations().admission();
    let is_light = admission.is_overloaded() && pace.is_light();
    if is_light {
        admission.admit_light(may_read_at).await;
    } else {
        admission.admit(may_read_at).await;
    }
    let bytes = poll_fn(|context| poll_read(context, buffer, is_in_bulk, read_half)).await?;
    *may_read_at = None;
    if is_light {
        admission.count_light(bytes);
    }
    Ok(bytes)
}

/// A connection that sends little has no memory for what it sends until it comes: the bytes are read to the stack.
/// `is_in_bulk` says that more will come at once.
fn poll_read(
    context: &mut Context<'_>,
    buffer: &mut ReadBuffer,
    is_in_bulk: bool,
    read_half: &mut (impl AsyncRead + Unpin),
) -> Poll<io::Result<usize>> {
    let read_half = Pin::new(read_half);
    let read = if buffer.may_rest() {
        let mut space = [MaybeUninit::uninit(); READ_BYTES_MIN];
        let mut into = ReadBuf::uninit(&mut space);
        read_half.poll_read(context, &mut into).map_ok(|()| {
            buffer.take_in(into.filled());
            into.filled().len()
        })
    } else {
        let mut into = ReadBuf::new(buffer.room());
        let read = read_half.poll_read(context, &mut into);
        let bytes = into.filled().len();
        read.map_ok(|()| {
            buffer.filled(bytes);
            bytes
        })
    };
    if read.is_pending() && !is_in_bulk {
        buffer.rest();
    }
    read
}
