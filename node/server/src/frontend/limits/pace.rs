//! How fast a connection's commands are executed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::settings::Limits;
use super::statistics::LimitStatistics;
use herd_admission::AddressShare;
use herd_clock::rate_limiter::RateLimiter;

/// After a wait so much of a second's commands can be executed at once: less would wake up too often.
const SLICE: u64 = 100;

/// A connection with no more commands than this in [`LIGHT_PERIOD`], even all at once, puts little load on a server.
const LIGHT_COMMANDS: u32 = 50;

/// See [`LIGHT_COMMANDS`].
const LIGHT_PERIOD: Duration = Duration::from_millis(100);

/// The time for which a connection counts as a flood after it flooded, about.
const LIGHT_MEMORY: Duration = Duration::from_secs(1);

/// The limiters of the commands of one connection: its own, and that of its address. They also tell whether its
/// commands are few.
#[derive(Debug)]
pub(in crate::frontend) struct Pace {
    own: Option<(RateLimiter, u64)>,
    shared_slice: u64,
    light: RateLimiter,
    share: Option<AddressShare>,
    /// Nothing more is executed before this.
    paused_until: Option<Instant>,
}

impl Pace {
    /// The pace of a connection with this share of its address. Without limits it only keeps the share.
    pub(in crate::frontend) fn new(limits: &Limits, share: Option<AddressShare>) -> Self {
        let slice = |count: u32| (u64::from(count) / SLICE).max(1);
        Pace {
            own: limits.commands_per_second.map(|count| {
                let limiter = RateLimiter::new(count.get(), Duration::from_secs(1), Instant::now());
                (limiter, slice(count.get()))
            }),
            shared_slice: limits
                .commands_per_second_per_address
                .map_or(1, |count| slice(count.get())),
            light: RateLimiter::new(LIGHT_COMMANDS, LIGHT_PERIOD, Instant::now()),
            share,
            paused_until: None,
        }
    }

    /// Whether the connection has asked for little lately.
    pub(in crate::frontend) fn is_light(&self) -> bool {
        self.light.left(Instant::now()) > 0
    }

    /// How many lines may be executed now.
    pub(in crate::frontend) fn left(&self) -> usize {
        let shared = self.share.as_ref().and_then(AddressShare::rate_limiter);
        if self.own.is_none() && shared.is_none() {
            return usize::MAX;
        }
        let now = Instant::now();
        let own = self.own.as_ref().map_or(u64::MAX, |(own, _)| own.left(now));
        let shared = shared.map_or(u64::MAX, |shared| shared.lock().left(now));
        usize::try_from(own.min(shared)).unwrap_or(usize::MAX)
    }

    /// Notes work, in commands.
    pub(in crate::frontend) fn asked(&mut self, commands: usize) {
        let now = Instant::now();
        // Old floods are forgotten: a client that still floods will be noticed again soon.
        if self.light.ready_at(1) <= now + LIGHT_MEMORY {
            let most = u64::from(LIGHT_COMMANDS) * 10;
            self.light.spend(most.min(commands as u64), now);
        }
    }

    /// Notes that lines were executed, and whether others wait that were not allowed.
    pub(in crate::frontend) fn executed(
        &mut self,
        lines: usize,
        exhausted: bool,
        statistics: &LimitStatistics,
    ) {
        let shared = self.share.as_ref().and_then(AddressShare::rate_limiter);
        if self.own.is_none() && shared.is_none() {
            return;
        }
        let now = Instant::now();
        let mut until = None;
        if let Some((own, slice)) = &mut self.own {
            own.spend(lines as u64, now);
            until = until.max(Some(own.ready_at(*slice)));
            if exhausted && until > Some(now) {
                statistics.pauses_connection.fetch_add(1, Ordering::Relaxed);
            }
        }
        if let Some(shared) = shared {
            let mut shared = shared.lock();
            shared.spend(lines as u64, now);
            let ready_at = shared.ready_at(self.shared_slice);
            until = until.max(Some(ready_at));
            if exhausted && ready_at > now {
                statistics.pauses_address.fetch_add(1, Ordering::Relaxed);
            }
        }
        until = until.filter(|_| exhausted);
        self.paused_until = until;
    }

    /// When to look for more that may be executed, if that has to be waited for.
    pub(in crate::frontend) fn paused_until(&self) -> Option<Instant> {
        self.paused_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_light_client_differs_from_a_flood() {
        let mut pace = Pace::new(&Limits::default(), None);
        let little = LIGHT_COMMANDS as usize / 2;
        for _ in 0..100 {
            assert!(pace.is_light());
            pace.asked(little);
            tokio::time::advance(LIGHT_PERIOD / 2).await;
        }
        pace.asked(10 * little);
        assert!(!pace.is_light());
        tokio::time::advance(LIGHT_PERIOD).await;
        assert!(!pace.is_light(), "it was five times too much");
        tokio::time::advance(5 * LIGHT_PERIOD).await;
        assert!(pace.is_light());
        for _ in 0..1_000 {
            pace.asked(1_000_000);
        }
        tokio::time::advance(2 * LIGHT_MEMORY + LIGHT_PERIOD).await;
        assert!(pace.is_light(), "it is not remembered for ever");
    }
}
