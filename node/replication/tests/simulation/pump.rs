//! One connection: carries frames from each end to the other.
//!
//! Hellos, refusals and applied reports arrive in order, as on TCP. Gossip may be lost, come twice and
//! overtake: that is more than TCP does, and what gossip is made for.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{DuplexStream, ReadHalf, WriteHalf, split};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::bytes::Bytes;
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};
use tokio_util::sync::CancellationToken;

use super::fate::{Fates, Weather};
use super::network::Way;
use super::trace::Trace;

/// The kind of frame, its first byte, that carries gossip; see `link/frame.rs`.
pub(super) const KIND_GOSSIP: u8 = 3;
/// The kind that carries an applied report.
const KIND_REPORT: u8 = 4;

/// Frames on their way in one direction; the reader waits while there are more.
const IN_FLIGHT_MAX: usize = 4_096;

/// One direction of a connection.
pub(super) struct Direction {
    pub(super) way: watch::Receiver<Way>,
    pub(super) weather: watch::Receiver<Weather>,
    pub(super) fates: Fates,
    /// The sender's machine has lost power.
    pub(super) dark: CancellationToken,
    /// The receiver's machine has.
    pub(super) receiver_dark: CancellationToken,
    /// Who sends to whom.
    pub(super) name: String,
    pub(super) trace: Trace,
}

impl Direction {
    fn note(&self, frame: &[u8], delays: &[Duration]) {
        let delays = format_args!("{delays:?}");
        self.trace.add_frame(&self.name, frame, delays);
    }
}

/// Carries frames until one end closes, or one way is off.
pub(super) async fn carry(
    near: DuplexStream,
    far: DuplexStream,
    mut out: Direction,
    mut back: Direction,
) {
    let (mut out_way, mut back_way) = (out.way.clone(), back.way.clone());
    let (near_read, near_write) = split(near);
    let (far_read, far_write) = split(far);
    tokio::select! {
        biased;
        () = pump(near_read, far_write, &mut out) => {}
        () = pump(far_read, near_write, &mut back) => {}
        () = until(&mut out_way, |way| way == Way::Off) => {}
        () = until(&mut back_way, |way| way == Way::Off) => {}
    }
}

/// Frames that were sent and have not arrived, by when they do and in the order they were sent.
#[derive(Default)]
struct InFlight {
    frames: BTreeMap<(Instant, u64), Bytes>,
    sent: u64,
    /// When the last frame that keeps its order arrives.
    ordered_until: Option<Instant>,
    /// When the last frame of the handshake arrives: nothing overtakes it.
    handshake_until: Option<Instant>,
}

impl InFlight {
    fn send(&mut self, frame: &Bytes, direction: &mut Direction) {
        let now = Instant::now();
        let weather = *direction.weather.borrow();
        let kind = frame.first().copied().unwrap_or_default();
        if kind == KIND_GOSSIP {
            let delays = direction.fates.of_gossip(&weather);
            direction.note(frame, &delays);
            for delay in delays {
                let at = (now + delay).max(self.handshake_until.unwrap_or(now));
                self.put(at, frame.clone());
            }
            return;
        }
        let delay = direction.fates.delay(&weather);
        direction.note(frame, &[delay]);
        let at = (now + delay).max(self.ordered_until.unwrap_or(now));
        self.ordered_until = Some(at);
        if kind != KIND_REPORT {
            self.handshake_until = Some(at);
        }
        self.put(at, frame.clone());
    }

    fn put(&mut self, at: Instant, frame: Bytes) {
        self.sent += 1;
        self.frames.insert((at, self.sent), frame);
    }

    fn next_at(&self) -> Option<Instant> {
        self.frames.first_key_value().map(|((at, _), _)| *at)
    }
}

/// Carries frames one way until the sender closes or the receiver has gone. A sender without power
/// does not close: its neighbours find out by its silence.
async fn pump(
    from: ReadHalf<DuplexStream>,
    to: WriteHalf<DuplexStream>,
    direction: &mut Direction,
) {
    let codec = || {
        LengthDelimitedCodec::builder()
            .max_frame_length(1 << 20)
            .new_codec()
    };
    let mut frames = FramedRead::new(from, codec());
    let mut sink = FramedWrite::new(to, codec());
    let mut in_flight = InFlight::default();
    let mut sender_closed = false;
    loop {
        // Silence holds up what is under way as well.
        until(&mut direction.way, |way| way != Way::Silent).await;
        let next_at = in_flight.next_at();
        if sender_closed && next_at.is_none() {
            return;
        }
        let may_read = !sender_closed && in_flight.frames.len() < IN_FLIGHT_MAX;
        tokio::select! {
            biased;
            frame = frames.next(), if may_read => match frame {
                Some(Ok(frame)) => {
                    in_flight.send(&frame.freeze(), direction);
                }
                _ if direction.dark.is_cancelled() => std::future::pending().await,
                _ => sender_closed = true,
            },
            () = arrival(next_at) => {
                let Some((_, frame)) = in_flight.frames.pop_first() else { continue };
                if sink.send(frame).await.is_err() && !direction.receiver_dark.is_cancelled() {
                    return;
                }
            }
            () = until(&mut direction.way, |way| way == Way::Silent) => {}
        }
    }
}

/// Waits until the way is so. The network, which outlives its connections, never lets go of it.
async fn until(way: &mut watch::Receiver<Way>, is_so: impl Fn(Way) -> bool) {
    let _ = way.wait_for(|way| is_so(*way)).await;
}

async fn arrival(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
