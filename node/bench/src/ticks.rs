//! A timer that is finer than the runtime's, which counts milliseconds.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::unix::AsyncFd;

/// The minimal time between two looks at due requests.
const TICK: Duration = Duration::from_micros(250);

/// The time between two looks when many requests are due in it: sent in one piece, they take both sides a
/// fraction of the time, and each still counts from when it was due.
const TICK_OF_MANY: Duration = Duration::from_millis(1);

/// The number of requests of each connection in a [`TICK`] that counts as many.
const MANY: f64 = 2.0;

/// Looking at one connection takes next to nothing; at thousands it should not take all the time.
const TICK_FOR_CONNECTION: Duration = Duration::from_nanos(500);

/// The times of looks at due requests.
pub(super) struct Ticks(AsyncFd<OwnedFd>);

impl Ticks {
    /// Starts them with a gap that suits this number of connections and requests per second.
    pub(super) fn for_load(connections: usize, rate: f64) -> io::Result<Self> {
        Ticks::every(tick(connections, rate))
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

fn tick(connections: usize, rate: f64) -> Duration {
    let due = rate * TICK.as_secs_f64() / connections.max(1) as f64;
    let tick = if due >= MANY { TICK_OF_MANY } else { TICK };
    let connections = u32::try_from(connections).unwrap_or(u32::MAX);
    tick.max(TICK_FOR_CONNECTION.saturating_mul(connections))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_short_until_they_become_dear() {
        assert_eq!(tick(1, 1.0), TICK);
        assert_eq!(tick(50, 100_000.0), TICK);
        assert_eq!(tick(10, 100_000.0), TICK_OF_MANY);
        assert_eq!(tick(10_000, 100_000.0), Duration::from_millis(5));
        assert_eq!(tick(0, 0.0), TICK);
    }
}
