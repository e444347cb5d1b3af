//! The task that raises the floor.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::floor_clock::{FloorClock, OFFSETS_SETTLE};
use super::floor_store::FloorStore;
use super::floor_watch::ExpireAfter;
use herd_clock::clock::SharedClock;
use herd_locations::Locations;

/// The shortest and the longest time between two looks.
const LOOK_INTERVAL_MIN: Duration = Duration::from_secs(1);
/// See [`LOOK_INTERVAL_MIN`].
const LOOK_INTERVAL_MAX: Duration = Duration::from_secs(60);

/// Looks in the time after which records expire: so they leave at most this part of it late.
const LOOKS: u32 = 100;

/// The facts that expiry gets from other servers, over the links.
pub struct HerdClocks {
    /// Whether the topology gives this server neighbours.
    pub has_neighbours: bool,
    /// For each connected neighbour whose clock is known: how many nanoseconds it is ahead of ours.
    pub offsets_ns: Box<dyn Fn() -> Vec<i64> + Send + Sync>,
    /// Merges again everything that this server holds of others.
    pub rejoin: Box<dyn Fn() + Send + Sync>,
}

/// Expiry of one server.
pub struct Expiry {
    locations: Arc<Locations>,
    clock: SharedClock,
    store: Arc<dyn FloorStore>,
    herd: HerdClocks,
    expire_after: ExpireAfter,
    /// The floor when the server ran last.
    stored_floor_ns: Option<i64>,
    interval: Duration,
}

impl Expiry {
    /// Records expire `after` this long. The floor is at least `stored_floor_ns` when this returns,
    /// so the map is to be filled after it.
    pub async fn new(
        after: Duration,
        stored_floor_ns: Option<i64>,
        locations: Arc<Locations>,
        clock: SharedClock,
        store: Arc<dyn FloorStore>,
        herd: HerdClocks,
    ) -> Self {
        if let Some(floor_ns) = stored_floor_ns {
            locations.raise_floor(floor_ns).await;
        }
        Expiry {
            locations,
            clock,
            store,
            herd,
            expire_after: ExpireAfter::new(after),
            stored_floor_ns,
            interval: (after / LOOKS).clamp(LOOK_INTERVAL_MIN, LOOK_INTERVAL_MAX),
        }
    }

    /// Raises the floor as time goes by, until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let after_ns = self.expire_after.ns();
        let borne_ns = self.stored_floor_ns.map(|ns| ns.saturating_add(after_ns));
        let mut floor_clock = FloorClock::new(Instant::now(), self.herd.has_neighbours, borne_ns);
        let mut is_at_fault = false;
        let mut wait = self.look(&mut floor_clock, &stop).await;
        info!("the floor of expiry follows the clock");
        loop {
            is_at_fault = self.look_at_floor(is_at_fault);
            tokio::select! {
                biased;
                () = sleep(wait) => {}
                () = stop.cancelled() => return,
            }
            wait = self.look(&mut floor_clock, &stop).await;
        }
    }

    /// Looks at the clocks once; says how long to wait before the next look.
    async fn look(&self, floor_clock: &mut FloorClock, stop: &CancellationToken) -> Duration {
        let wall_ns = self.clock.now_ns();
        let look = floor_clock.look(Instant::now(), wall_ns, &(self.herd.offsets_ns)());
        match look.jump {
            Some(jump) if jump.is_backwards() => {
                warn!(
                    seconds = jump.seconds(),
                    "the clock went back: merging again all that is here from other servers"
                );
                (self.herd.rejoin)();
            }
            Some(jump) => warn!(
                seconds = jump.seconds(),
                "the clock went forwards: records expire by the time before until the times that clients \
                 report bear it out"
            ),
            None => {}
        }
        let mut believed_ns = look.believed_ns;
        if look.asks_clients
            && let Some(reported_ns) = self.locations.time_borne_out().await
        {
            believed_ns = floor_clock.bear_out(reported_ns);
        }
        if let Some(believed_ns) = believed_ns {
            self.raise(believed_ns.saturating_sub(self.expire_after.ns()), stop)
                .await;
        }
        if look.jump.is_some() || believed_ns.is_none() {
            self.interval.min(OFFSETS_SETTLE)
        } else {
            self.interval
        }
    }

    /// Logs when the floor begins to keep out reports that are not old, and when that is over; returns whether it does.
    fn look_at_floor(&self, was_at_fault: bool) -> bool {
        let floor_ns = self.locations.floor_ns();
        let fault = self.expire_after.floor_fault(floor_ns, self.clock.now_ns());
        match &fault {
            Some(fault) if !was_at_fault => error!("not ready: {fault}"),
            None if was_at_fault => {
                info!("the floor of expiry keeps nothing out that is reported now");
            }
            _ => {}
        }
        fault.is_some()
    }

    /// The floor is stored before it is raised: a server that crashes in between expires nothing too early, while the
    /// other way round it would accept again records that had left. A disk that hangs does not hold up the stop: the
    /// floor stays where it is.
    async fn raise(&self, floor_ns: i64, stop: &CancellationToken) {
        if floor_ns <= self.locations.floor_ns() {
            return;
        }
        let stored = tokio::select! {
            biased;
            stored = self.store.store(floor_ns) => stored,
            () = stop.cancelled() => return,
        };
        if let Err(error) = stored {
            error!("{error}");
            return;
        }
        let records = self.locations.raise_floor(floor_ns).await;
        if records > 0 {
            debug!(records, floor_ns, "expired");
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use herd_crdt::Record;

    use super::super::floor_store::FloorStoreError;
    use super::*;
    use herd_clock::clock::SystemClock;

    /// A disk that hangs; it tells that it was reached.
    struct HungStore(CancellationToken);

    #[async_trait]
    impl FloorStore for HungStore {
        async fn store(&self, _: i64) -> Result<(), FloorStoreError> {
            self.0.cancel();
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_hanging_disk_neither_raises_the_floor_nor_delays_stops() {
        let locations = Arc::new(Locations::default());
        // Without it nothing gives the time.
        let record = Record::new(b"kiwi", b"+1+1", b"1700000000", "Hill".into(), 0);
        locations.report(record.unwrap());
        let reached = CancellationToken::new();
        let expiry = Expiry::new(
            Duration::from_secs(60),
            None,
            Arc::clone(&locations),
            Arc::new(SystemClock),
            Arc::new(HungStore(reached.clone())),
            HerdClocks {
                has_neighbours: false,
                offsets_ns: Box::new(Vec::new),
                rejoin: Box::new(|| {}),
            },
        )
        .await;
        let floor_ns = locations.floor_ns();
        let stop = CancellationToken::new();
        let running = tokio::spawn(expiry.run(stop.clone()));
        let patience = Duration::from_secs(3_600);
        let looked = tokio::time::timeout(patience, reached.cancelled()).await;
        assert!(looked.is_ok(), "nothing was stored");
        stop.cancel();
        let stopped = tokio::time::timeout(patience, running).await;
        stopped.expect("the stop was held up").unwrap();
        assert_eq!(locations.floor_ns(), floor_ns);
    }
}
