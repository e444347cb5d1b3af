//! A timer that is finer than the runtime's, which counts milliseconds.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::unix::AsyncFd;

/// The least time between two looks at what is due.
const TICK: Duration = Duration::from_micros(250);

/// Looking at one connection takes next to nothing; at thousands it should not take all the time.
const TICK_FOR_CONNECTION: Duration = Duration::from_nanos(500);

/// Moments at which to look what is due.
pub(super) struct Ticks(AsyncFd<OwnedFd>);

impl Ticks {
    /// Starts them, as often as is fit for this many connections.
    pub(super) fn for_connections(connections: usize) -> io::Result<Self> {
        let connections = u32::try_from(connections).unwrap_or(u32::MAX);
        Ticks::every(TICK.max(TICK_FOR_CONNECTION.saturating_mul(connections)))
    }

    /// Starts them, one every `gap`.
    pub(super) fn every(gap: Duration) -> io::Result<Self> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
        let interval = Expiration::Interval(TimeSpec::from_duration(gap));
        timer.set(interval, TimerSetTimeFlags::empty())?;
        #[expect(
            deprecated,
            reason = "its caller must keep the descriptor open, as an OwnedFd does; the successor needs unsafe"
        )]
        let timer = AsyncFd::new(OwnedFd::from(timer))?;
        Ok(Ticks(timer))
    }

    /// Waits for the next one; those missed meanwhile are one. Cancel-safe.
    pub(super) async fn next(&mut self) -> io::Result<()> {
        loop {
            let mut ready = self.0.readable().await?;
            let read = ready.try_io(|timer| {
                let mut expirations = [0; 8];
                Ok(nix::unistd::read(timer, &mut expirations)?)
            });
            match read {
                Ok(read) => return read.map(|_| ()),
                Err(_would_block) => continue,
            }
        }
    }
}
