//! The state that all connections share, and the frontend's entry.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accept::accept_connections;
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
    pub(super) accepting: Arc<Watchdog>,
    /// The tasks of connections on the threads for bulk.
    pub(super) in_bulk: TaskTracker,
}

/// The server's side of the client text protocol. Cheap to clone.
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
                accepting: Watchdog::new("accepting clients"),
                in_bulk: TaskTracker::new(),
            }),
        }
    }

    /// The counts so far.
    #[must_use]
    pub fn statistics(&self) -> Arc<Statistics> {
        Arc::clone(&self.service.statistics)
    }

    /// The watchdog of the loop that accepts connections.
    #[must_use]
    pub fn watchdog(&self) -> Arc<Watchdog> {
        Arc::clone(&self.service.accepting)
    }

    /// Serves the clients that connect to `listener` until `shutdown`. Then it accepts no more,
    /// executes the whole lines that were read, sends their replies, and returns at the latest after
    /// [`FrontendSettings::drain_timeout`].
    pub fn serve(
        &self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        let service = Arc::clone(&self.service);
        async move { accept_connections(&service, listener, shutdown).await }
    }
}
