//! The choice of a provider, and its settings.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tracing::{info, warn};

use super::embedded::EmbeddedPlaces;
use super::fallback::Fallback;
use super::google::{GoogleLegacy, GooglePlaces};
use super::online::{
    AnswerCache, ApiKey, ClientError, Exchange, ExchangeLimits, HttpClient, OnlineProvider,
    OnlineStatistics, RetryPolicy, TrustedRoots,
};
use super::online_places::OnlinePlaces;
use super::overpass::Overpass;
use super::provider::Places;
use herd_clock::clock::SharedClock;

/// The providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderName {
    /// The data in the program, or in a file.
    Embedded,
    /// Google's Places API (New).
    Google,
    /// Google's Nearby Search (Legacy).
    GoogleLegacy,
    /// OpenStreetMap, through an Overpass API.
    Overpass,
}

impl ProviderName {
    /// All of them.
    pub const ALL: [ProviderName; 4] = [
        ProviderName::Embedded,
        ProviderName::Google,
        ProviderName::GoogleLegacy,
        ProviderName::Overpass,
    ];

    /// The name in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ProviderName::Embedded => "embedded",
            ProviderName::Google => "google",
            ProviderName::GoogleLegacy => "google-legacy",
            ProviderName::Overpass => "overpass",
        }
    }

    /// Where the service is, unless something else is said.
    #[must_use]
    pub fn default_url(self) -> Option<&'static str> {
        match self {
            ProviderName::Embedded => None,
            ProviderName::Google => Some("https://places.googleapis.com"),
            ProviderName::GoogleLegacy => Some("https://maps.googleapis.com"),
            ProviderName::Overpass => Some("https://overpass-api.de"),
        }
    }

    /// Whether requests need a key.
    #[must_use]
    pub fn needs_key(self) -> bool {
        matches!(self, ProviderName::Google | ProviderName::GoogleLegacy)
    }

    /// Whether the terms of the service allow its answers to be kept, in memory or in a log.
    #[must_use]
    pub fn may_be_kept(self) -> bool {
        matches!(self, ProviderName::Embedded | ProviderName::Overpass)
    }

    /// How many questions may be in flight, unless something else is said. A public Overpass server
    /// has two slots for an address.
    #[must_use]
    pub fn default_in_flight_max(self) -> usize {
        match self {
            ProviderName::Overpass => 2,
            _ => 32,
        }
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ProviderName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL
            .into_iter()
            .find(|provider| provider.name() == text);
        found.ok_or("is none of `embedded`, `google`, `google-legacy` and `overpass`")
    }
}

/// Everything about places that a user can set, checked.
#[derive(Clone, Debug)]
pub struct PlacesSettings {
    /// The data that needs no network, with the file that it is from.
    pub embedded: EmbeddedPlaces,
    /// That file, if it is not the program itself.
    pub file: Option<PathBuf>,
    /// The provider on the network, if one was chosen.
    pub online: Option<OnlineSettings>,
}

impl PlacesSettings {
    /// Whether the terms of the provider allow places to be written to disk.
    #[must_use]
    pub fn may_be_stored(&self) -> bool {
        let online = self.online.as_ref();
        online.is_none_or(|online| online.service.provider().may_be_kept())
    }
}

/// The settings of an online provider.
#[derive(Clone, Debug)]
pub struct OnlineSettings {
    /// Which one.
    pub service: OnlineService,
    /// The base of its address.
    pub url: Url,
    /// Whom TLS trusts.
    pub roots: TrustedRoots,
    /// How long a question may take in all.
    pub timeout: Duration,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How many questions may be in flight.
    pub in_flight_max: usize,
    /// Whether the embedded data answers in its place.
    pub fallback: bool,
    /// The cache of answers, if there is one.
    pub cache: Option<CacheSettings>,
    /// How many questions it gets in a minute, further attempts included; nothing for no limit.
    pub per_minute: Option<u32>,
}

/// A provider on the network, with the key that it needs.
#[derive(Clone, Debug)]
pub enum OnlineService {
    /// Google's Places API (New).
    Google(ApiKey),
    /// Google's Nearby Search (Legacy).
    GoogleLegacy(ApiKey),
    /// OpenStreetMap, through an Overpass API.
    Overpass,
}

impl OnlineService {
    /// Which provider it is.
    #[must_use]
    pub fn provider(&self) -> ProviderName {
        match self {
            OnlineService::Google(_) => ProviderName::Google,
            OnlineService::GoogleLegacy(_) => ProviderName::GoogleLegacy,
            OnlineService::Overpass => ProviderName::Overpass,
        }
    }

    /// Its key, if it needs one.
    #[must_use]
    pub fn key(&self) -> Option<&ApiKey> {
        match self {
            OnlineService::Google(key) | OnlineService::GoogleLegacy(key) => Some(key),
            OnlineService::Overpass => None,
        }
    }
}

/// The bounds of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// The most answers.
    pub entries_max: usize,
    /// How old one may become.
    pub age_max: Duration,
}

/// The providers that the settings name, put together, and the counts of the provider on the network, all zero
/// without one. Nothing is sent before the first question.
///
/// # Errors
/// If there can be no HTTP client.
pub fn open_places(
    settings: &PlacesSettings,
    clock: SharedClock,
) -> Result<(Arc<dyn Places>, Arc<OnlineStatistics>), ClientError> {
    match &settings.online {
        None => Ok((Arc::new(settings.embedded.clone()), Arc::default())),
        Some(online) => {
            let places = open_online(online, &settings.embedded, clock)?;
            let statistics = places.statistics();
            Ok((Arc::new(places), statistics))
        }
    }
}

/// Logs the provider and warnings about it. The key is not logged.
pub fn log_choice(settings: &PlacesSettings) {
    let tables = settings.embedded.tables();
    let places: u64 = tables
        .iter()
        .map(|table| u64::from(table.row_count()))
        .sum();
    let file = settings
        .file
        .as_ref()
        .map(|file| file.display().to_string());
    let file = file.unwrap_or_else(|| "built-in".to_owned());
    let Some(online) = &settings.online else {
        info!(provider = "embedded", places, file, "places");
        return;
    };
    let provider = online.service.provider();
    let fallback = if online.fallback { "embedded" } else { "off" };
    info!(%provider, url = %online.url, fallback, places, file, "places");
    if online.service.key().is_some() && online.url.scheme() == "http" {
        warn!("the provider's key travels without encryption, since its address is http://");
    }
    if provider
        .default_url()
        .is_some_and(|url| url == online.url.as_str().trim_end_matches('/'))
        && provider == ProviderName::Overpass
    {
        warn!(
            "this is a public Overpass server, which is not meant for applications; use one of \
             your own with --places-url"
        );
    }
}

/// An online provider, put together.
///
/// # Errors
/// If there can be no HTTP client.
pub fn open_online(
    settings: &OnlineSettings,
    embedded: &EmbeddedPlaces,
    clock: SharedClock,
) -> Result<OnlinePlaces, ClientError> {
    let client = HttpClient::new(
        &settings.roots,
        settings.connect_timeout,
        settings.in_flight_max,
        clock,
    )?;
    let limits = ExchangeLimits {
        timeout: settings.timeout,
        in_flight_max: settings.in_flight_max,
        retry: RetryPolicy::default(),
        per_minute: settings.per_minute,
    };
    let fallback = if settings.fallback {
        Fallback::Embedded(embedded.clone())
    } else {
        Fallback::Off
    };
    let cacheable = settings.service.provider().may_be_kept();
    let cache = settings.cache.filter(|_| cacheable);
    let cache = cache.map(|cache| AnswerCache::new(cache.entries_max, cache.age_max));
    let statistics = Arc::new(OnlineStatistics::default());
    let provider = online_provider(settings);
    let exchange = Exchange::new(provider, client, limits, Arc::clone(&statistics));
    Ok(OnlinePlaces::new(exchange, cache, fallback, statistics))
}

fn online_provider(settings: &OnlineSettings) -> Arc<dyn OnlineProvider> {
    let url = &settings.url;
    match &settings.service {
        OnlineService::Google(key) => Arc::new(GooglePlaces::new(url, key.clone())),
        OnlineService::GoogleLegacy(key) => Arc::new(GoogleLegacy::new(url, key.clone())),
        OnlineService::Overpass => Arc::new(Overpass::new(url, settings.timeout)),
    }
}
