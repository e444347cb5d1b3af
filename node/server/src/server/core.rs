//! The core that the parts of a server share, and the parts that are made of it.

use std::pin::Pin;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::opening::{herd_view, store_in};
use crate::access::Access;
use crate::config::ServeSettings;
use crate::control::Control;
use crate::frontend::{Frontend, FrontendSettings};
use crate::location_service::{LocationService, ServiceSettings};
use crate::wire_log::WireLog;
use herd_acknowledgement::Acknowledgements;
use herd_clock::clock::SharedClock;
use herd_expiry::{ExpireAfter, Expiry, FloorWatch, HerdClocks};
use herd_gossip::entropy::Entropy;
use herd_gossip::links::LinkObserver;
use herd_locations::Locations;
use herd_places::Places;
use herd_replication::run::Replication;
use herd_replication::store_handle::StoreHandle;
use herd_replication::stored_floor::StoredFloor;
use herd_storage::DataFolder;
use herd_tls::status::TlsStatus;

/// A part's task.
pub(super) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The map, and everything else that several parts of a server hold.
pub(super) struct Core {
    pub(super) settings: ServeSettings,
    pub(super) clock: SharedClock,
    pub(super) locations: Arc<Locations>,
    acknowledgements: Arc<Acknowledgements>,
    pub(super) tls: TlsStatus,
    /// The tokens, if any are needed.
    pub(super) access: Option<Arc<Access>>,
}

impl Core {
    pub(super) fn new(settings: ServeSettings, clock: SharedClock, tls: TlsStatus) -> Self {
        let durability = &settings.durability;
        let acknowledgements = Acknowledgements::new(durability.ack, durability.ack_timeout);
        let access = settings.limits.tokens.clone();
        Core {
            clock,
            locations: Arc::default(),
            acknowledgements: Arc::new(acknowledgements),
            tls,
            access: access.map(|(path, tokens)| Access::new(path, tokens)),
            settings,
        }
    }

    /// Gossip with the neighbours, and the store if there is a data folder. The wire log notes links.
    pub(super) fn replication(
        &self,
        data_folder: Option<DataFolder>,
        wire_log: Option<WireLog>,
    ) -> Replication {
        let settings = &self.settings;
        let observer = wire_log.map(|log| Arc::new(log) as Arc<dyn LinkObserver>);
        let replication = Replication::new(
            herd_view(settings),
            self.locations.clone(),
            Entropy::new(self.clock.clone(), rand::random()),
            observer,
            self.acknowledgements.clone(),
        )
        .with_allowed_skew(settings.values.max_clock_skew)
        .with_strangers_per_address(settings.values.peer_connections_per_address_max)
        .with_expiry(settings.values.expire_after.is_some())
        .with_erasing(settings.values.erase_within);
        match data_folder {
            Some(folder) => replication.with_store(store_in(folder, settings)),
            None => replication,
        }
    }

    /// The operations that all interfaces offer. Long searches run on the threads of `bulk`.
    pub(super) fn service(&self, bulk: Handle, places: Arc<dyn Places>) -> Arc<LocationService> {
        let Core { settings, .. } = self;
        let mut of_service = ServiceSettings::new(settings.name.clone(), &settings.values);
        of_service.room = settings.limits.room.room;
        of_service.background = Some(bulk);
        Arc::new(LocationService::new(
            of_service,
            self.locations.clone(),
            self.acknowledgements.clone(),
            places,
        ))
    }

    /// The text protocol for clients; those that send in bulk are served by the threads of `bulk`.
    pub(super) fn frontend(
        &self,
        bulk: Handle,
        service: Arc<LocationService>,
        wire_log: Option<WireLog>,
    ) -> Frontend {
        let Core { settings, .. } = self;
        let mut of_frontend = FrontendSettings::new(&settings.values);
        of_frontend.bulk = Some(bulk);
        of_frontend.tls.clone_from(&self.tls.clients);
        of_frontend.connections_max = settings.limits.connections_max;
        of_frontend.limits = settings.limits.clients;
        of_frontend.access.clone_from(&self.access);
        Frontend::new(of_frontend, service, self.clock.clone(), wire_log)
    }

    /// The server side of `herd dump` and `herd load`.
    pub(super) fn control(&self) -> Control {
        Control::new(
            self.locations.clone(),
            self.clock.clone(),
            self.settings.values.max_clock_skew,
            self.acknowledgements.clone(),
        )
        .with_expiry(self.settings.values.expire_after.map(ExpireAfter::new))
    }

    /// The look-out for a floor of expiry that is wrong, where records expire.
    pub(super) fn floor_watch(&self) -> Option<FloorWatch> {
        let after = self.settings.values.expire_after?;
        Some(FloorWatch::new(
            after,
            self.locations.clone(),
            self.clock.clone(),
        ))
    }

    /// The task that takes out records which have expired, where they do.
    pub(super) fn expiry(
        &self,
        store: Arc<StoreHandle>,
        herd: HerdClocks,
        stop: CancellationToken,
    ) -> Option<Task> {
        let after = self.settings.values.expire_after?;
        info!(
            after = %humantime::format_duration(after),
            "records expire; all servers must use the same time"
        );
        let (locations, clock) = (self.locations.clone(), self.clock.clone());
        Some(Box::pin(async move {
            let starting = async {
                let store = StoredFloor::new(store);
                let floor_ns = store.at_start().await;
                Expiry::new(after, floor_ns, locations, clock, Arc::new(store), herd).await
            };
            // It waits for the store, and the disk may hang.
            if let Some(expiry) = stop.run_until_cancelled(starting).await {
                expiry.run(stop).await;
            }
        }))
    }

    /// The tasks that take in certificates which have changed: of links, and of the client port.
    pub(super) fn watch_certificates(&self, stop: &CancellationToken) -> Vec<Task> {
        let mut watching = Vec::<Task>::new();
        if let Some(live) = self.tls.links.clone() {
            watching.push(Box::pin(live.watch(stop.clone())));
        }
        if let Some(live) = self.tls.clients.clone() {
            watching.push(Box::pin(live.watch(stop.clone())));
        }
        watching
    }
}
