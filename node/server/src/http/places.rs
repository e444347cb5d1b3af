//! Admission of HTTP connections, and their purpose.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;
use tracing::warn;

use super::{HttpStatistics, Limits};
use herd_admission::{Admission, Admitted, Met};

/// The places of connections: those for all requests, and some that only probes of health can use. A probe cannot be
/// recognised before its request is read, so a connection that finds no other place gets one of these for a short
/// time.
pub(super) struct Doors {
    all: Arc<Admission>,
    probes: Arc<Admission>,
    statistics: Arc<HttpStatistics>,
}

/// One connection's place, given back when this is dropped.
pub(super) struct Seat {
    pub(super) admitted: Arc<Admitted>,
    /// Nothing but health is told over it, and once.
    pub(super) is_for_probes: bool,
}

impl Doors {
    pub(super) fn new(limits: &Limits, statistics: Arc<HttpStatistics>) -> Self {
        Doors {
            all: Admission::new(limits.connections_max, limits.connections_per_address_max),
            probes: Admission::new(limits.probes_max, None),
            statistics,
        }
    }

    /// A place for a connection of `address`, unless even those for probes are taken by requests.
    pub(super) fn let_in(&mut self, address: IpAddr) -> Option<Seat> {
        let now = Instant::now();
        let (admitted, is_for_probes) = match self.all.enter(address, now) {
            Ok((admitted, met)) => {
                if let Some(met) = met {
                    self.note(met, address);
                    add(&self.statistics.connections_displaced);
                }
                (admitted, false)
            }
            Err(met) => {
                self.note(met, address);
                match self.probes.enter(address, now) {
                    Ok((admitted, met)) => {
                        if met.is_some() {
                            add(&self.statistics.connections_displaced);
                        }
                        (admitted, true)
                    }
                    Err(_) => {
                        add(&self.statistics.connections_refused);
                        return None;
                    }
                }
            }
        };
        let admitted = Arc::new(admitted);
        Some(Seat {
            admitted,
            is_for_probes,
        })
    }

    fn note(&mut self, met: Met, address: IpAddr) {
        let (count, limit) = match met {
            Met::All => (&self.statistics.connections_full, "http_connections_max"),
            Met::Address => (
                &self.statistics.connections_full_address,
                "http_connections_per_address_max",
            ),
        };
        add(count);
        warn!(
            %address,
            limit,
            "too many HTTP connections: those that wait for a request make room for new ones"
        );
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}
