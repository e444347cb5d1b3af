//! Who answers what is near: the provider, its bounds, and the data that needs no network.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Url;

use super::report::Row;
use super::resolver::{Resolved, Resolver};
use super::{ConfigError, Environment, Flags, Mistake, Origin, Setting, values};
use herd_files::{byte_order_mark, own_file};
use herd_places::online::{ApiKey, TrustedRoots};
use herd_places::table::Table;
use herd_places::{
    CacheSettings, EmbeddedPlaces, OnlineService, OnlineSettings, PlacesSettings, ProviderName,
    embedded_table,
};

/// How long a question to an online provider may take unless something else is said.
pub const PLACES_TIMEOUT: Duration = Duration::from_millis(800);
/// How long a connection to it may take unless something else is said.
pub const PLACES_CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// The longest time that can be set: shorter than the frontend waits for any provider.
const TIMEOUT_MAX: Duration = Duration::from_secs(25);
const IN_FLIGHT_MAX: usize = 1_024;
/// How many questions a minute a provider gets unless something else is said: they may cost money.
const PLACES_PER_MINUTE: u32 = 600;
const PER_MINUTE_MAX: usize = 10_000_000;
/// The most answers that can be kept: 640 MiB, if all were of the greatest length that is kept.
const CACHE_ENTRIES_MAX: usize = 10_000;
const CACHE_AGE: Duration = Duration::from_secs(10 * 60);
const CACHE_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The longest file with a key, in bytes.
const KEY_FILE_BYTES_MAX: usize = 4 * 1024;

/// What only an online provider takes.
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
pub(super) fn resolve(resolver: &mut Resolver<'_>) -> Option<(PlacesSettings, Vec<Row>)> {
    let provider = resolver.checked(Setting::Places, str::parse::<ProviderName>);
    let wrong = provider.is_none() && resolver.given(Setting::Places).is_some();
    let provider = provider.unwrap_or(Resolved {
        value: ProviderName::default(),
        origin: Origin::Default,
    });
    let mut rows = vec![Row::new(
        Setting::Places,
        provider.value.name(),
        &provider.origin,
    )];
    let data = data(resolver);
    if wrong {
        return None;
    }
    let online = if provider.value == ProviderName::Embedded {
        for setting in ONLINE_ONLY {
            meaningless(resolver, setting, || {
                "the embedded places need no network; choose a provider with --places".to_owned()
            });
        }
        None
    } else {
        let (online, online_rows) = online(resolver, provider.value)?;
        rows.extend(online_rows);
        if !online.fallback {
            for setting in [Setting::PlacesFile, Setting::PlacesAdd] {
                meaningless(resolver, setting, || {
                    format!("with places_fallback off, {} alone answers", provider.value)
                });
            }
        }
        Some(online)
    };
    let (embedded, file, data_rows) = data?;
    rows.extend(data_rows);
    let settings = PlacesSettings {
        embedded,
        file,
        online,
    };
    Some((settings, rows))
}

/// The data that a server with these flags and variables would answer from without a network.
///
/// # Errors
/// Every mistake that was found.
pub fn places_data(
    flags: &Flags,
    environment: &Environment,
) -> Result<(EmbeddedPlaces, Option<PathBuf>), ConfigError> {
    let mut resolver = Resolver::new(flags, environment);
    let data = data(&mut resolver).map(|(embedded, file, _)| (embedded, file));
    resolver.finish(data)
}

/// The key of the environment, if it is one.
pub(super) fn key_of_environment(resolver: &Resolver<'_>) -> Option<ApiKey> {
    ApiKey::new(&resolver.given(Setting::PlacesKey)?.text).ok()
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

type Data = (EmbeddedPlaces, Option<PathBuf>, Vec<Row>);

/// The tables, and the lines of the report about them.
fn data(resolver: &mut Resolver<'_>) -> Option<Data> {
    let add = resolver.checked_or(Setting::PlacesAdd, false, values::switch);
    let Some(named) = resolver.given(Setting::PlacesFile) else {
        if add.value {
            resolver.mistake(Mistake::Meaningless {
                setting: Setting::PlacesAdd,
                origin: add.origin,
                reason: "there is no table to add; name one with --places-file".to_owned(),
            });
        }
        let rows = vec![Row::new(Setting::PlacesFile, "built-in", &Origin::Default)];
        return match EmbeddedPlaces::new() {
            Ok(embedded) => Some((embedded, None, rows)),
            Err(error) => {
                let reason = format!("BUG: the embedded places cannot be read: {error}");
                resolver.mistake(Mistake::Places {
                    origin: Origin::Default,
                    reason,
                });
                None
            }
        };
    };
    let path = PathBuf::from(&named.text);
    let mut tables = Vec::new();
    match read_table(&path) {
        Ok(table) => tables.push(table),
        Err(reason) => {
            resolver.mistake(Mistake::Places {
                origin: named.origin,
                reason: format!("places file {}: {reason}", path.display()),
            });
            return None;
        }
    }
    if add.value {
        // Checked by a test: the program's own table can be read.
        tables.extend(embedded_table());
    }
    let rows = vec![
        Row::new(Setting::PlacesFile, &named.text, &named.origin),
        Row::new(Setting::PlacesAdd, add.value.to_string(), &add.origin),
    ];
    Some((EmbeddedPlaces::with_tables(tables), Some(path), rows))
}

fn read_table(path: &Path) -> Result<Table, String> {
    // A device may have no end, and a table has no bound of its own.
    let read = own_file::read_regular(path, usize::MAX);
    let bytes = read.map_err(|error| format!("cannot read it: {error}"))?;
    Table::open(Bytes::from(bytes)).map_err(|error| error.to_string())
}

/// An online provider, and the lines of the report about it.
fn online(
    resolver: &mut Resolver<'_>,
    provider: ProviderName,
) -> Option<(OnlineSettings, Vec<Row>)> {
    let key = key(resolver, provider);
    let url = url(resolver, provider);
    let (timeout, connect_timeout, timeout_rows) = timeouts(resolver);
    let (in_flight_max, in_flight_row) = in_flight_max(resolver, provider);
    let (fallback, fallback_row) = fallback(resolver);
    let (cache, cache_rows) = cache(resolver, provider);
    let (per_minute, per_minute_row) = per_minute(resolver);
    let roots = url.as_ref().and_then(|url| roots(resolver, url));

    let (url, roots) = (url?, roots?);
    let (service, key_row) = key?;
    let url_row = Row::new(Setting::PlacesUrl, url.value.as_str(), &url.origin);
    let mut rows = vec![url_row];
    rows.extend(key_row);
    rows.extend(timeout_rows);
    rows.extend([in_flight_row, fallback_row]);
    rows.extend(cache_rows);
    rows.push(per_minute_row);
    let settings = OnlineSettings {
        service,
        url: url.value,
        roots,
        timeout,
        connect_timeout,
        in_flight_max,
        fallback,
        cache,
        per_minute,
    };
    Some((settings, rows))
}

/// How long an answer may take, and a connection for it.
fn timeouts(resolver: &mut Resolver<'_>) -> (Duration, Duration, [Row; 2]) {
    let timeout = resolver.checked_or(Setting::PlacesTimeout, PLACES_TIMEOUT, |text| {
        values::wait(text, TIMEOUT_MAX)
    });
    let default = PLACES_CONNECT_TIMEOUT.min(timeout.value);
    let connect = resolver.checked_or(Setting::PlacesConnectTimeout, default, |text| {
        values::wait(text, timeout.value)
    });
    let row = |setting, resolved: &Resolved<Duration>| {
        let shown = humantime::format_duration(resolved.value).to_string();
        Row::new(setting, shown, &resolved.origin)
    };
    let rows = [
        row(Setting::PlacesTimeout, &timeout),
        row(Setting::PlacesConnectTimeout, &connect),
    ];
    (timeout.value, connect.value, rows)
}

fn in_flight_max(resolver: &mut Resolver<'_>, provider: ProviderName) -> (usize, Row) {
    let default = provider.default_in_flight_max();
    let max = resolver.checked_or(Setting::PlacesInFlightMax, default, |text| {
        values::count(text, IN_FLIGHT_MAX)
    });
    let shown = max.value.to_string();
    let row = Row::new(Setting::PlacesInFlightMax, shown, &max.origin);
    (max.value, row)
}

/// Whether the embedded data answer when the provider does not.
fn fallback(resolver: &mut Resolver<'_>) -> (bool, Row) {
    let fallback = resolver.checked_or(Setting::PlacesFallback, true, |text| match text {
        "embedded" => Ok(true),
        "off" => Ok(false),
        _ => Err("is neither `embedded` nor `off`"),
    });
    let shown = if fallback.value { "embedded" } else { "off" };
    let row = Row::new(Setting::PlacesFallback, shown, &fallback.origin);
    (fallback.value, row)
}

fn per_minute(resolver: &mut Resolver<'_>) -> (Option<u32>, Row) {
    let max = resolver.checked_or(Setting::PlacesPerMinute, Some(PLACES_PER_MINUTE), |text| {
        values::off_or(text, |text| {
            let count = values::count(text, PER_MINUTE_MAX)?;
            u32::try_from(count).map_err(|error| error.to_string())
        })
    });
    let shown = max.value;
    let shown = shown.map_or("off".to_owned(), |count| count.to_string());
    let row = Row::new(Setting::PlacesPerMinute, shown, &max.origin);
    (max.value, row)
}

/// The service with its key, and the line that says where the key is, not what it is.
fn key(
    resolver: &mut Resolver<'_>,
    provider: ProviderName,
) -> Option<(OnlineService, Option<Row>)> {
    let file = resolver.given(Setting::PlacesKeyFile);
    let variable = resolver.given(Setting::PlacesKey);
    if !provider.needs_key() {
        meaningless(resolver, Setting::PlacesKeyFile, || {
            format!("{provider} needs no key")
        });
        return Some((OnlineService::Overpass, None));
    }
    if let (Some(file), Some(variable)) = (&file, &variable) {
        resolver.mistake(Mistake::Contradiction {
            first: Setting::PlacesKeyFile,
            first_origin: file.origin.clone(),
            second: Setting::PlacesKey,
            second_origin: variable.origin.clone(),
            reason: "one of them would be ignored",
        });
        return None;
    }
    let (text, origin, row) = match (file, variable) {
        (Some(file), _) => {
            let row = Row::new(Setting::PlacesKeyFile, &file.text, &file.origin);
            let text = read_key(Path::new(&file.text));
            let text = text.map_err(|error| format!("cannot read {}: {error}", file.text));
            (text, file.origin, row)
        }
        (None, Some(variable)) => {
            let row = Row::new(Setting::PlacesKey, "set", &variable.origin);
            (Ok(variable.text), variable.origin, row)
        }
        (None, None) => {
            resolver.mistake(Mistake::PlacesKeyMissing { provider });
            return None;
        }
    };
    let key = text.and_then(|text| ApiKey::new(&text).map_err(|error| error.to_string()));
    match key {
        Ok(key) => {
            let service = if provider == ProviderName::Google {
                OnlineService::Google(key)
            } else {
                OnlineService::GoogleLegacy(key)
            };
            Some((service, Some(row)))
        }
        Err(reason) => {
            resolver.mistake(Mistake::Places { origin, reason });
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

/// The base address. One that is wrong is not repeated: it may hold a password.
fn url(resolver: &mut Resolver<'_>, provider: ProviderName) -> Option<Resolved<Url>> {
    let (text, origin) = match resolver.given(Setting::PlacesUrl) {
        Some(given) => (given.text, given.origin),
        None => (provider.default_url()?.to_owned(), Origin::Default),
    };
    let checked = Url::parse(&text)
        .map_err(|error| format!("not an address such as https://example.org: {error}"))
        .and_then(|url| {
            let extras = url.query().is_some() || url.fragment().is_some();
            let user = !url.username().is_empty() || url.password().is_some();
            if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
                Err("the address does not start with https:// or http://".to_owned())
            } else if extras || user {
                Err("the address has a user, a query or a fragment; give the base only".to_owned())
            } else {
                Ok(url)
            }
        });
    match checked {
        Ok(value) => Some(Resolved { value, origin }),
        Err(reason) => {
            resolver.mistake(Mistake::Places { origin, reason });
            None
        }
    }
}

/// Whom TLS trusts, where the address needs it.
fn roots(resolver: &mut Resolver<'_>, url: &Resolved<Url>) -> Option<TrustedRoots> {
    if url.value.scheme() == "http" {
        return Some(TrustedRoots::nobody());
    }
    match TrustedRoots::of_machine() {
        Ok(roots) => Some(roots),
        Err(error) => {
            resolver.mistake(Mistake::Places {
                origin: url.origin.clone(),
                reason: format!("{} needs TLS, but {error}", url.value),
            });
            None
        }
    }
}

/// The cache, and the lines of the report about it.
fn cache(resolver: &mut Resolver<'_>, provider: ProviderName) -> (Option<CacheSettings>, Vec<Row>) {
    if !provider.may_be_kept() {
        for setting in [Setting::PlacesCache, Setting::PlacesCacheAge] {
            if let Some(given) = resolver.given(setting)
                && given.text != "off"
            {
                resolver.mistake(Mistake::Places {
                    origin: given.origin,
                    reason: "Google's terms do not allow its answers to be kept".to_owned(),
                });
            }
        }
        return (None, Vec::new());
    }
    let entries = resolver.checked_or(Setting::PlacesCache, None, |text| match text {
        "off" => Ok(None),
        number => values::count(number, CACHE_ENTRIES_MAX)
            .map(Some)
            .map_err(|reason| format!("is not `off` and {reason}")),
    });
    let Some(entries_max) = entries.value else {
        meaningless(resolver, Setting::PlacesCacheAge, || {
            "nothing is kept unless --places-cache says how much".to_owned()
        });
        return (
            None,
            vec![Row::new(Setting::PlacesCache, "off", &entries.origin)],
        );
    };
    let age = resolver.checked_or(Setting::PlacesCacheAge, CACHE_AGE, |text| {
        values::wait(text, CACHE_AGE_MAX)
    });
    let age_max = age.value;
    let rows = vec![
        Row::new(
            Setting::PlacesCache,
            entries_max.to_string(),
            &entries.origin,
        ),
        Row::new(
            Setting::PlacesCacheAge,
            humantime::format_duration(age_max).to_string(),
            &age.origin,
        ),
    ];
    let settings = CacheSettings {
        entries_max,
        age_max,
    };
    (Some(settings), rows)
}

#[cfg(test)]
#[path = "places_tests.rs"]
mod tests;
