//! Settings about places: the provider, its limits, and the data that needs no network.

use std::io::Read as _;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Url;

use crate::settings::{
    Command, ConfigError, Durations, Environment, Flags, Kind as _, Mistake, Origin, Resolver,
    Setting, Values,
};
use herd_files::{byte_order_mark, own_file};
use herd_places::online::{ApiKey, TrustedRoots};
use herd_places::table::Table;
use herd_places::{
    CacheSettings, EmbeddedPlaces, OnlineService, OnlineSettings, PlacesSettings, ProviderName,
    embedded_table,
};

/// The longest file with a key, in bytes.
const KEY_FILE_BYTES_MAX: usize = 4 * 1024;

/// The settings that only an online provider has.
const ONLINE_ONLY: [Setting; 9] = [
    Setting::PlacesUrl,
    Setting::PlacesKeyFile,
    Setting::PlacesTimeout,
    Setting::PlacesConnectTimeout,
    Setting::PlacesInFlightMax,
    Setting::PlacesFallback,
    Setting::PlacesCache,
    Setting::PlacesCacheAge,
    Setting::PlacesPerMinute,
];

/// Reads and checks everything about places, the files included. Sends nothing.
pub(super) fn resolve(resolver: &mut Resolver<'_>, values: &Values) -> Option<PlacesSettings> {
    let data = data(resolver, values);
    let given = resolver.given(Setting::Places);
    if given.is_some_and(|given| given.text.parse::<ProviderName>().is_err()) {
        // It is unknown which settings of a provider have an effect.
        return None;
    }
    let online = if values.places == ProviderName::Embedded {
        for setting in ONLINE_ONLY {
            meaningless(resolver, setting, || {
                "the embedded places need no network; choose a provider with --places".to_owned()
            });
        }
        resolver.hide(ONLINE_ONLY);
        resolver.hide([Setting::PlacesKey]);
        None
    } else {
        let online = online(resolver, values)?;
        if !online.fallback {
            for setting in [Setting::PlacesFile, Setting::PlacesAdd] {
                meaningless(resolver, setting, || {
                    format!("with places_fallback off, {} alone answers", values.places)
                });
            }
        }
        Some(online)
    };
    let (embedded, file) = data?;
    Some(PlacesSettings {
        embedded,
        file,
        online,
    })
}

/// The data that a server with these flags and variables would answer from without a network.
///
/// # Errors
/// Every mistake that was found.
pub fn places_data(
    flags: &Flags,
    environment: &Environment,
) -> Result<(EmbeddedPlaces, Option<PathBuf>), ConfigError> {
    let mut resolver = Resolver::new(Command::PlacesInfo, flags, environment);
    let values = Values::resolve(&mut resolver);
    let data = data(&mut resolver, &values);
    resolver.finish(data)
}

fn meaningless(resolver: &mut Resolver<'_>, setting: Setting, reason: impl FnOnce() -> String) {
    if let Some(given) = resolver.given(setting) {
        resolver.mistake(Mistake::Meaningless {
            setting,
            origin: given.origin,
            reason: reason(),
        });
    }
}

/// The tables, and the file that one of them is from.
fn data(resolver: &mut Resolver<'_>, values: &Values) -> Option<(EmbeddedPlaces, Option<PathBuf>)> {
    let Some(path) = values.places_file.clone() else {
        if values.places_add {
            resolver.mistake(Mistake::Meaningless {
                setting: Setting::PlacesAdd,
                origin: resolver.origin(Setting::PlacesAdd),
                reason: "there is no table to add; name one with --places-file".to_owned(),
            });
        }
        resolver.hide([Setting::PlacesAdd]);
        return match EmbeddedPlaces::new() {
            Ok(embedded) => Some((embedded, None)),
            Err(error) => {
                let reason = format!("BUG: the embedded places cannot be read: {error}");
                resolver.mistake(Mistake::Untold {
                    origin: Origin::Default,
                    reason,
                });
                None
            }
        };
    };
    let mut tables = Vec::new();
    match read_table(&path) {
        Ok(table) => tables.push(table),
        Err(reason) => {
            resolver.mistake(Mistake::Untold {
                origin: resolver.origin(Setting::PlacesFile),
                reason: format!("places file {}: {reason}", path.display()),
            });
            return None;
        }
    }
    if values.places_add {
        // Checked by a test: the program's own table can be read.
        tables.extend(embedded_table());
    }
    Some((EmbeddedPlaces::with_tables(tables), Some(path)))
}

fn read_table(path: &Path) -> Result<Table, String> {
    // A device may have no end, and a table has no bound of its own.
    let read = own_file::read_regular(path, usize::MAX);
    let bytes = read.map_err(|error| format!("cannot read it: {error}"))?;
    Table::open(Bytes::from(bytes)).map_err(|error| error.to_string())
}

/// An online provider.
fn online(resolver: &mut Resolver<'_>, values: &Values) -> Option<OnlineSettings> {
    let provider = values.places;
    let service = service(resolver, values);
    let url = url(resolver, values);
    let connect_timeout = connect_timeout(resolver, values);
    let in_flight_max = values.places_in_flight_max.unwrap_or_else(|| {
        let max = provider.default_in_flight_max();
        resolver.show(
            Setting::PlacesInFlightMax,
            max.to_string(),
            &Origin::Default,
        );
        max
    });
    let cache = cache(resolver, values);
    let roots = url.as_ref().and_then(|url| roots(resolver, url));
    let (url, roots) = (url?, roots?);
    Some(OnlineSettings {
        service: service?,
        url,
        roots,
        timeout: values.places_timeout,
        connect_timeout,
        in_flight_max,
        fallback: values.places_fallback,
        cache,
        per_minute: values.places_per_minute.map(NonZeroU32::get),
    })
}

/// How long a connection may take: no longer than an answer.
fn connect_timeout(resolver: &mut Resolver<'_>, values: &Values) -> Duration {
    let setting = Setting::PlacesConnectTimeout;
    let (wanted, max) = (values.places_connect_timeout, values.places_timeout);
    if wanted <= max {
        return wanted;
    }
    let within = Durations::up_to(max);
    match resolver.given(setting) {
        Some(given) => {
            if let Err(reason) = within.parse(&given.text) {
                resolver.mistake(Mistake::Value {
                    origin: given.origin,
                    text: given.text,
                    reason,
                });
            }
        }
        None => resolver.show(setting, within.show(&max), &Origin::Default),
    }
    max
}

/// The service with its key. The report has the place of the key, not the key.
fn service(resolver: &mut Resolver<'_>, values: &Values) -> Option<OnlineService> {
    let provider = values.places;
    let [file, variable] = [Setting::PlacesKeyFile, Setting::PlacesKey];
    if !provider.needs_key() {
        meaningless(resolver, file, || format!("{provider} needs no key"));
        resolver.hide([file, variable]);
        return Some(OnlineService::Overpass);
    }
    let (text, setting) = match (&values.places_key_file, &values.places_key) {
        (Some(_), Some(_)) => {
            resolver.mistake(Mistake::Contradiction {
                first: file,
                first_origin: resolver.origin(file),
                second: variable,
                second_origin: resolver.origin(variable),
                reason: "one of them would be ignored",
            });
            return None;
        }
        (Some(path), None) => {
            resolver.hide([variable]);
            let text = read_key(path);
            let text = text.map_err(|error| format!("cannot read {}: {error}", path.display()));
            (text, file)
        }
        (None, Some(key)) => {
            resolver.hide([file]);
            (Ok(key.reveal().to_owned()), variable)
        }
        (None, None) => {
            resolver.mistake(Mistake::PlacesKeyMissing { provider });
            return None;
        }
    };
    let key = text.and_then(|text| ApiKey::new(&text).map_err(|error| error.to_string()));
    match key {
        Ok(key) if provider == ProviderName::Google => Some(OnlineService::Google(key)),
        Ok(key) => Some(OnlineService::GoogleLegacy(key)),
        Err(reason) => {
            let origin = resolver.origin(setting);
            resolver.mistake(Mistake::Untold { origin, reason });
            None
        }
    }
}

fn read_key(path: &Path) -> std::io::Result<String> {
    let bytes = own_file::read_once(path, KEY_FILE_BYTES_MAX)?;
    let mut text = String::new();
    byte_order_mark::skip_in(&*bytes)?.read_to_string(&mut text)?;
    Ok(text)
}

/// The base address: the one that is set, else the service's own.
fn url(resolver: &mut Resolver<'_>, values: &Values) -> Option<Url> {
    if values.places_url.is_some() || resolver.given(Setting::PlacesUrl).is_some() {
        return values.places_url.clone();
    }
    match Url::parse(values.places.default_url()?) {
        Ok(url) => {
            resolver.show(Setting::PlacesUrl, url.as_str(), &Origin::Default);
            Some(url)
        }
        Err(error) => {
            resolver.mistake(Mistake::Untold {
                origin: Origin::Default,
                reason: format!("BUG: the service's own address is none: {error}"),
            });
            None
        }
    }
}

/// Whom TLS trusts, where the address needs it.
fn roots(resolver: &mut Resolver<'_>, url: &Url) -> Option<TrustedRoots> {
    if url.scheme() == "http" {
        return Some(TrustedRoots::nobody());
    }
    match TrustedRoots::of_machine() {
        Ok(roots) => Some(roots),
        Err(error) => {
            resolver.mistake(Mistake::Untold {
                origin: resolver.origin(Setting::PlacesUrl),
                reason: format!("{url} needs TLS, but {error}"),
            });
            None
        }
    }
}

fn cache(resolver: &mut Resolver<'_>, values: &Values) -> Option<CacheSettings> {
    if !values.places.may_be_kept() {
        for setting in [Setting::PlacesCache, Setting::PlacesCacheAge] {
            if let Some(given) = resolver.given(setting)
                && given.text != "off"
            {
                resolver.mistake(Mistake::Untold {
                    origin: given.origin,
                    reason: "Google's terms do not allow its answers to be kept".to_owned(),
                });
            }
        }
        resolver.hide([Setting::PlacesCache, Setting::PlacesCacheAge]);
        return None;
    }
    let Some(entries_max) = values.places_cache else {
        meaningless(resolver, Setting::PlacesCacheAge, || {
            "nothing is kept unless --places-cache says how much".to_owned()
        });
        resolver.hide([Setting::PlacesCacheAge]);
        return None;
    };
    Some(CacheSettings {
        entries_max,
        age_max: values.places_cache_age,
    })
}

#[cfg(test)]
#[path = "places_tests.rs"]
mod tests;
