//! The state that all operations share.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::in_flight::InFlight;
use super::own_time::OwnClock;
use super::rare_warning::RareWarning;
use super::search::Searches;
use super::settings::ServiceSettings;
use super::statistics::ServiceStatistics;
use super::watch::Watches;
use herd_acknowledgement::{Acknowledgements, Ticket};
use herd_locations::{Locations, Room};
use herd_places::Places;
use tokio::runtime::Handle;

/// The operations of a server. See [`super`].
pub struct LocationService {
    pub(super) settings: ServiceSettings,
    pub(super) max_clock_skew_ns: Option<i64>,
    pub(super) locations: Arc<Locations>,
    pub(super) acknowledgements: Arc<Acknowledgements>,
    pub(super) places: Arc<dyn Places>,
    pub(super) statistics: Arc<ServiceStatistics>,
    pub(super) questions: Arc<InFlight>,
    pub(super) searches: Arc<Searches>,
    pub(super) watches: Arc<Watches>,
    pub(super) own_clock: OwnClock,
    pub(super) full_warning: RareWarning,
    pub(super) floor_warning: RareWarning,
    pub(super) unread_warning: RareWarning,
}

impl LocationService {
    /// The operations on this map.
    #[must_use]
    pub fn new(
        settings: ServiceSettings,
        locations: Arc<Locations>,
        acknowledgements: Arc<Acknowledgements>,
        places: Arc<dyn Places>,
    ) -> Self {
        let skew = settings.max_clock_skew;
        let skew_ns = || i64::try_from(skew.as_nanos()).unwrap_or(i64::MAX);
        let statistics = Arc::<ServiceStatistics>::default();
        let searches = Searches::new(&settings, locations.clone(), statistics.clone());
        let watches = Watches::new(&settings, locations.clone(), statistics.clone());
        LocationService {
            max_clock_skew_ns: (!skew.is_zero()).then(skew_ns),
            questions: InFlight::new(settings.whatsat_in_flight_max),
            searches: Arc::new(searches),
            watches: Arc::new(watches),
            own_clock: OwnClock::default(),
            settings,
            locations,
            acknowledgements,
            places,
            statistics,
            full_warning: RareWarning::default(),
            floor_warning: RareWarning::default(),
            unread_warning: RareWarning::default(),
        }
    }

    /// The map.
    #[must_use]
    pub fn locations(&self) -> &Arc<Locations> {
        &self.locations
    }

    /// How much may be known before reports of further clients are refused.
    #[must_use]
    pub fn room(&self) -> Room {
        self.settings.room
    }

    /// The name of this server.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.settings.server
    }

    /// The counts so far.
    #[must_use]
    pub fn statistics(&self) -> &Arc<ServiceStatistics> {
        &self.statistics
    }

    /// How many searches are under way that did not end at once.
    #[must_use]
    pub fn searches_in_flight(&self) -> usize {
        self.searches.in_flight()
    }

    /// The threads for those who send many commands at a time, if there are any.
    #[must_use]
    pub fn bulk(&self) -> Option<&Handle> {
        self.settings.background.as_ref()
    }

    /// Whether replies to reports wait for anything: for [`LocationService::confirmed`].
    #[must_use]
    pub fn holds_replies(&self) -> bool {
        self.acknowledgements.holds_replies()
    }

    /// Resolves when the reports of this ticket are as safe as the server promises, or cannot be: says which.
    pub fn confirmed(
        &self,
        ticket: Ticket,
        reports: u64,
    ) -> impl Future<Output = bool> + Send + use<> {
        let acknowledgements = Arc::clone(&self.acknowledgements);
        let statistics = Arc::clone(&self.statistics);
        async move {
            let confirmed = acknowledgements.confirmed(ticket).await.is_ok();
            if !confirmed {
                statistics.unconfirmed.fetch_add(reports, Ordering::Relaxed);
            }
            confirmed
        }
    }
}
