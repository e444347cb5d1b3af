//! The state that all requests share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::phones::Friends;
use super::statistics::HttpApiStatistics;
use crate::access::{Access, Principal, TokenHash};
use crate::location_service::LocationService;
use crate::settings::Values;
use herd_admission::{Addresses, one_address_share};
use herd_clock::clock::SharedClock;

/// Settings of the interface.
#[derive(Clone, Debug)]
pub struct HttpApiSettings {
    /// The origins of web pages from elsewhere that may use it; `*` is any.
    pub cors_origins: Vec<Arc<str>>,
    /// After this time without an event a watch says that the server is alive.
    pub watch_alive: Duration,
    /// How many connections of HTTP may watch: the others are for requests that end.
    pub watchers_max: usize,
}

impl HttpApiSettings {
    /// Those that were set.
    #[must_use]
    pub fn new(values: &Values) -> Self {
        HttpApiSettings {
            cors_origins: values.http_cors_origin.clone().unwrap_or_default(),
            watch_alive: values.watch_alive,
            watchers_max: (values.http_connections_max / 2).max(1),
        }
    }
}

/// What all requests share.
pub struct HttpApi {
    pub(super) settings: HttpApiSettings,
    pub(super) service: Arc<LocationService>,
    pub(super) clock: SharedClock,
    /// The tokens, if any are needed.
    pub(super) access: Option<Arc<Access>>,
    /// The rates of addresses, which clients of all interfaces share.
    pub(super) addresses: Arc<Addresses>,
    pub(super) statistics: Arc<HttpApiStatistics>,
    /// The clients that OwnTracks' apps show each other.
    pub(super) friends: Friends,
    /// The places of those who watch,
    pub(super) watch_places: Arc<Semaphore>,
    /// and how many of them an address may have.
    pub(super) watch_addresses: Arc<Addresses>,
    /// Ends what would not end by itself.
    pub(super) shutdown: CancellationToken,
}

impl HttpApi {
    /// The interface to these operations.
    #[must_use]
    pub fn new(
        settings: HttpApiSettings,
        service: Arc<LocationService>,
        clock: SharedClock,
        access: Option<Arc<Access>>,
        addresses: Arc<Addresses>,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        let watchers_max = settings.watchers_max.min(Semaphore::MAX_PERMITS);
        Arc::new(HttpApi {
            friends: Friends::default(),
            watch_places: Arc::new(Semaphore::new(watchers_max)),
            watch_addresses: Addresses::new(Some(one_address_share(watchers_max)), None),
            settings,
            service,
            clock,
            access,
            addresses,
            statistics: Arc::default(),
            shutdown,
        })
    }

    /// The counts so far.
    #[must_use]
    pub fn statistics(&self) -> &Arc<HttpApiStatistics> {
        &self.statistics
    }

    /// Who asks with a token, by the tokens of now. `None` without a known token where one is needed.
    pub(super) fn principal(&self, token: Option<&TokenHash>) -> Option<Principal> {
        let Some(access) = &self.access else {
            return Some(Principal::Anyone);
        };
        let grant = access.find(token?)?;
        Some(Principal::Holder {
            access: Arc::clone(access),
            grant: Some(grant),
        })
    }
}
