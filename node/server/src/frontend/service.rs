//! The state that all connections share, and the frontend's entry.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accept::accept_connections;
use super::codec::Protocol;
use super::limits::ReplyBudget;
use super::lines::Executor;
use super::settings::FrontendSettings;
use super::statistics::Statistics;
use crate::location_service::LocationService;
use crate::wire_log::WireLog;
use herd_admission::Addresses;
use herd_clock::clock::SharedClock;
use herd_telemetry::watchdog::Watchdog;

/// The state that all connections share.
pub(super) struct Service {
    pub(super) settings: Arc<FrontendSettings>,
    pub(super) operations: Arc<LocationService>,
    pub(super) clock: SharedClock,
    pub(super) executor: Executor,
    pub(super) statistics: Arc<Statistics>,
    pub(super) wire_log: Option<WireLog>,
    pub(super) addresses: Arc<Addresses>,
    pub(super) reply_budget: Arc<ReplyBudget>,
    /// How many connections were made.
    numbers: AtomicI64,
    pub(super) accepting: [Arc<Watchdog>; 2],
    /// The tasks of connections on the threads for bulk.
    pub(super) in_bulk: TaskTracker,
}

impl Service {
    /// The number of a new connection, from 1 on.
    pub(super) fn next_number(&self) -> i64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The watchdog of the loop that accepts for a protocol.
    pub(super) fn accepting(&self, protocol: Protocol) -> &Arc<Watchdog> {
        &self.accepting[protocol as usize]
    }
}

/// The server's side of the protocols of clients. Cheap to clone.
#[derive(Clone)]
pub struct Frontend {
    service: Arc<Service>,
}

impl Frontend {
    /// A frontend to these operations. Nothing happens before [`Frontend::serve`].
    #[must_use]
    pub fn new(
        settings: FrontendSettings,
        operations: Arc<LocationService>,
        clock: SharedClock,
        wire_log: Option<WireLog>,
    ) -> Self {
        let settings = Arc::new(settings);
        let statistics = Arc::new(Statistics::default());
        let max = settings.connections_max as u64;
        statistics.connections_max.store(max, Ordering::Relaxed);
        let addresses = Addresses::new(
            settings.limits.connections_per_address_max,
            settings.limits.commands_per_second_per_address,
        );
        let reply_budget = ReplyBudget::new(settings.limits.reply_bytes_max);
        let executor = Executor::new(Arc::clone(&operations));
        Frontend {
            service: Arc::new(Service {
                settings,
                operations,
                clock,
                executor,
                statistics,
                wire_log,
                addresses,
                reply_budget,
                numbers: AtomicI64::new(0),
                accepting: [
                    Watchdog::new("accepting clients"),
                    Watchdog::new("accepting clients of RESP"),
                ],
                in_bulk: TaskTracker::new(),
            }),
        }
    }

    /// The counts so far.
    #[must_use]
    pub fn statistics(&self) -> Arc<Statistics> {
        Arc::clone(&self.service.statistics)
    }

    /// The connections and rates of addresses.
    #[must_use]
    pub fn addresses(&self) -> Arc<Addresses> {
        Arc::clone(&self.service.addresses)
    }

    /// The watchdogs of the loops that accept connections.
    #[must_use]
    pub fn watchdogs(&self) -> Vec<Arc<Watchdog>> {
        self.service.accepting.to_vec()
    }

    /// Serves the clients that connect to `listener`, in this protocol, until `shutdown`. Then it accepts no more, executes
    /// the whole commands that were read, sends their replies, and returns at the latest after
    /// [`FrontendSettings::drain_timeout`]. Limits hold for the ports of all protocols together.
    pub fn serve(
        &self,
        listener: TcpListener,
        protocol: Protocol,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        let service = Arc::clone(&self.service);
        async move { accept_connections(&service, listener, protocol, shutdown).await }
    }
}
