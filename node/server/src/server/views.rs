//! The views of a running server over HTTP: health, status, figures and live page.

use std::sync::Arc;

use herd_crdt::Outcome;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Stop;
use super::core::Core;
use crate::control::TellStatus;
use crate::frontend::{Frontend, Statistics};
use crate::http::{self, Endpoints, Health, HttpStatistics};
use crate::http_json::{self, HttpApi, HttpApiSettings};
use crate::live::{
    Figures, HerdSource, LivePages, LiveSettings, LiveSources, MapTiles, PropagationCounts,
};
use crate::location_service::LocationService;
use crate::metrics::{self, MetricsParts, MetricsSource};
use crate::status::{StatusParts, StatusSource};
use herd_clock::clock::{self, SharedClock};
use herd_expiry::FloorWatch;
use herd_locations::Locations;
use herd_places::online::OnlineStatistics;
use herd_replica::readiness::Facts;
use herd_replication::figures::Figures as ReplicationFigures;
use herd_replication::storing::StorageState;
use herd_replication::view::ReplicationView;

/// The sources of the HTTP endpoints.
pub(super) struct Views {
    health: Arc<Health>,
    status: Arc<StatusSource>,
    floor: Option<FloorWatch>,
    live: Option<Arc<LivePages>>,
    /// HTTP/JSON, if locations are shown.
    api: Option<Arc<HttpApi>>,
    frontend: Arc<Statistics>,
    http: Arc<HttpStatistics>,
    replication: ReplicationView,
}

impl Views {
    /// Views of these parts, with a live page if there is HTTP. The ports are bound by now.
    pub(super) fn new(
        core: &Core,
        (frontend, service): (&Frontend, &Arc<LocationService>),
        replication: &ReplicationView,
        stop: &Stop,
        has_http: bool,
    ) -> Self {
        let floor = core.floor_watch();
        let health = health(
            frontend,
            replication.clone(),
            core.clock.clone(),
            floor.clone(),
            stop.clone(),
        );
        let status = Arc::new(StatusSource::new(
            &core.settings,
            StatusParts {
                replication,
                service: service.clone(),
                health: health.clone(),
                frontend: frontend.statistics(),
                tls: core.tls.clone(),
                clock: core.clock.clone(),
            },
        ));
        let http = Arc::<HttpStatistics>::default();
        let live = has_http.then(|| live_page(core, replication, &http, &stop.stop));
        let api = core.settings.http.shows_locations.then(|| {
            HttpApi::new(
                HttpApiSettings::new(&core.settings.values),
                service.clone(),
                core.clock.clone(),
                core.access.clone(),
                frontend.addresses(),
                stop.stop.clone(),
            )
        });
        Views {
            health,
            status,
            floor,
            api,
            live: live.flatten(),
            frontend: frontend.statistics(),
            http,
            replication: replication.clone(),
        }
    }

    /// Whether the server lives, and should get clients.
    pub(super) fn health(&self) -> Arc<Health> {
        self.health.clone()
    }

    /// Makes the JSON of `/status` for the control socket.
    pub(super) fn tell_status(&self) -> TellStatus {
        let status = self.status.clone();
        // A status has no key that is no text, so it becomes JSON.
        Arc::new(move || serde_json::to_vec(&status.look()).unwrap_or_default())
    }

    /// The task of the live page, where there is one.
    pub(super) fn page(
        &self,
        locations: &Arc<Locations>,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let live = self.live.clone()?;
        let (locations, replication) = (locations.clone(), self.replication.figures.clone());
        Some(async move { live.run(move || figures(&locations, &replication)).await })
    }

    /// The task that serves HTTP.
    pub(super) fn serve(
        self,
        listener: TcpListener,
        core: &Core,
        counted: (Arc<LocationService>, Arc<OnlineStatistics>),
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        let statistics = self.http.clone();
        let settings = &core.settings;
        let api = self.api.clone();
        let routes = http::routes(self.endpoints(core, counted));
        let mut routes = http::guarded(routes, core.access.clone());
        if let Some(api) = api {
            // Each of its operations asks for a token with the scope of its command.
            routes = routes.merge(http_json::routes(api));
        }
        let names = http::OwnNames::new(
            &settings.topology,
            settings.values.http_hosts.as_deref().unwrap_or_default(),
        );
        let routes = http::for_own_names(routes, names);
        let tls = core.tls.clients.clone().filter(|_| settings.http.tls);
        let limits = (settings.limits.http, tls);
        http::serve(listener, routes, limits, statistics, shutdown)
    }

    fn endpoints(
        self,
        core: &Core,
        (service, places): (Arc<LocationService>, Arc<OnlineStatistics>),
    ) -> Endpoints {
        let Views { status, .. } = self;
        let parts = MetricsParts {
            status: status.clone(),
            frontend: self.frontend,
            service,
            floor: self.floor,
            links: self.replication.links,
            replication: self.replication.figures,
            store: self.replication.store,
            erasing: self.replication.erasing,
            access: core.access.clone(),
            tls: core.tls.clone(),
            http: self.http,
            api: self.api.map(|api| api.statistics().clone()),
            places,
        };
        let metrics = MetricsSource::new(parts, &core.clock);
        let cluster = core.settings.topology.cluster().to_owned();
        Endpoints {
            health: self.health,
            status: Box::new(move || status.look()),
            metrics: Box::new(move || metrics::render(&cluster, metrics.look())),
            shows_locations: core.settings.http.shows_locations,
            page: self.live,
        }
    }
}

/// The sources of `/healthz` and `/readyz`.
fn health(
    frontend: &Frontend,
    replication: ReplicationView,
    clock: SharedClock,
    floor: Option<FloorWatch>,
    stop: Stop,
) -> Arc<Health> {
    let mut watchdogs = frontend.watchdogs();
    let ReplicationView {
        figures,
        store,
        reach,
        ..
    } = replication;
    watchdogs.extend(figures.watchdogs().all());
    let started = Instant::now();
    let facts = move || Facts {
        up_for: started.elapsed(),
        draining: stop.drain.is_cancelled() || stop.stop.is_cancelled(),
        clock_fault: clock::fault(clock.now_ns()).or_else(|| {
            let apart = figures.clocks().most_disagree();
            apart.then_some(
                "its clock and those of most neighbours differ by more than the allowed skew",
            )
        }),
        floor_fault: floor
            .as_ref()
            .and_then(|floor| Some(floor.fault()?.to_string())),
        store_fault: match &*store.state().borrow() {
            StorageState::Ephemeral | StorageState::Open => None,
            StorageState::Loading => Some("reading its store".to_owned()),
            StorageState::Failed(error) => Some(format!("its store has failed: {error}")),
        },
        catch_up: reach.catch_up(),
        linkless_for: reach.linkless_for(),
    };
    Health::new(watchdogs, Box::new(facts))
}

/// The live page, where locations are shown.
fn live_page(
    core: &Core,
    replication: &ReplicationView,
    http_statistics: &Arc<HttpStatistics>,
    shutdown: &CancellationToken,
) -> Option<Arc<LivePages>> {
    let settings = &core.settings;
    if !settings.http.shows_locations {
        return None;
    }
    let herd = HerdSource {
        topology: settings.topology.clone(),
        links: replication.links.clone(),
        replication: replication.figures.clone(),
    };
    // A page shows places of the embedded table only, whichever provider answers WHATSAT.
    let sources = LiveSources {
        locations: core.locations.clone(),
        herd,
        places: settings.places.embedded.clone(),
        clock: core.clock.clone(),
        access: core.access.clone(),
        statistics: http_statistics.clone(),
    };
    let values = &settings.values;
    let attribution = values.map_attribution.as_deref().unwrap_or_default();
    let tiles = values.map_tiles.as_ref();
    let live_settings = LiveSettings {
        viewers_max: values.viewers_max,
        tiles: tiles.map(|template| MapTiles::new(template, attribution)),
    };
    Some(LivePages::new(sources, live_settings, shutdown.clone()))
}

/// The figures that the live page draws over time.
fn figures(locations: &Locations, replication: &ReplicationFigures) -> Figures {
    let taken_in = [Outcome::New, Outcome::Newer, Outcome::TieWon];
    let outcomes = locations.outcomes();
    let mut propagation = PropagationCounts::default();
    for histogram in replication.propagation().values() {
        propagation.add(&histogram.view());
    }
    Figures {
        updates: taken_in.map(|outcome| outcomes.get(outcome)).iter().sum(),
        propagation,
    }
}
