//! The floor of expiry of a simulated server: the real clock of the floor, and the real map.

use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use herd_expiry::floor_clock::{FloorClock, OFFSETS_SETTLE};

use super::clock::Clock;
use super::server::Server;

/// Looks in the time after which records expire, as the real task has it, and the bounds of their interval.
const LOOKS: u32 = 100;
const LOOK_INTERVAL_MIN: Duration = Duration::from_secs(1);
const LOOK_INTERVAL_MAX: Duration = Duration::from_secs(60);

/// See the module.
pub(super) struct Floor {
    after_ns: i64,
    interval: Duration,
    clock: FloorClock,
    pub(super) next_look: Instant,
}

impl Floor {
    /// Of a server that starts now; `stored_ns` is the floor on its disk.
    pub(super) fn new(after: Duration, stored_ns: Option<i64>, now: Instant) -> Self {
        let after_ns = i64::try_from(after.as_nanos()).unwrap_or(i64::MAX);
        let borne_ns = stored_ns.map(|ns| ns.saturating_add(after_ns));
        Floor {
            after_ns,
            interval: (after / LOOKS).clamp(LOOK_INTERVAL_MIN, LOOK_INTERVAL_MAX),
            clock: FloorClock::new(now.into(), true, borne_ns),
            next_look: now,
        }
    }
}

impl Server {
    /// Raises the floor as far as the clocks and the clients allow.
    pub(super) fn look_at_floor(&mut self, clock: Clock) {
        let (now, wall_ns) = (clock.now, clock.wall_ns());
        let Some(floor) = self.floor.as_mut().filter(|floor| now >= floor.next_look) else {
            return;
        };
        let reported = self.neighbours.values().filter(|n| n.is_up);
        let reported = reported.filter_map(|neighbour| neighbour.report.as_ref());
        let offsets_ns: Vec<i64> = reported
            .map(|report| {
                let elapsed = now.saturating_duration_since(report.at);
                let elapsed_ns = i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX);
                report.clock_ns.saturating_add(elapsed_ns) - wall_ns
            })
            .collect();
        let look = floor.clock.look(now.into(), wall_ns, &offsets_ns);
        self.rejoins |= look.jump.is_some_and(|jump| jump.is_backwards());
        let mut believed_ns = look.believed_ns;
        if look.asks_clients
            && let Some(reported_ns) = at_once(self.map.time_borne_out())
        {
            believed_ns = floor.clock.bear_out(reported_ns);
        }
        if let Some(believed_ns) = believed_ns {
            at_once(self.map.raise_floor(believed_ns - floor.after_ns));
        }
        floor.next_look = now
            + match look.jump.is_some() || believed_ns.is_none() {
                true => floor.interval.min(OFFSETS_SETTLE),
                false => floor.interval,
            };
    }
}

/// The result of something that waits for nothing but its turn.
pub(super) fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(result) = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            return result;
        }
    }
}
