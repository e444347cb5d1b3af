use std::ffi::OsString;
use std::fs;

use super::super::ServeSettings;
use super::*;
use crate::settings::{Environment, Flags};

const KEY: &str = "AIza-very-secret";

fn load(flags: &[(Setting, &str)], variables: &[(&str, &str)]) -> Result<ServeSettings, String> {
    let mut flags: Vec<(Setting, Option<String>)> = flags
        .iter()
        .map(|&(setting, text)| (setting, Some(text.to_owned())))
        .collect();
    flags.push((Setting::Name, Some("Hill".to_owned())));
    let variables = variables
        .iter()
        .map(|&(name, value)| (OsString::from(name), OsString::from(value)));
    let environment = Environment::new(variables);
    ServeSettings::load(&Flags::new(flags), &environment).map_err(|error| error.to_string())
}

fn error(flags: &[(Setting, &str)], variables: &[(&str, &str)]) -> String {
    load(flags, variables).unwrap_err()
}

#[test]
fn embedded_places_are_the_default() {
    let settings = load(&[], &[]).unwrap();
    assert!(settings.places.online.is_none());
    assert!(
        settings
            .to_string()
            .contains("\nplaces           embedded  (default)\n")
    );
}

#[test]
fn an_online_provider_has_defaults() {
    // An address without TLS, so that the machine needs no certificates.
    let flags = [
        (Setting::Places, "google"),
        (Setting::PlacesUrl, "http://127.0.0.1:9/base"),
    ];
    let settings = load(&flags, &[("HERD_PLACES_KEY", KEY)]).unwrap();
    let online = settings.places.online.as_ref().unwrap();
    assert_eq!(online.timeout, Duration::from_millis(800));
    assert_eq!(online.connect_timeout, Duration::from_millis(500));
    assert_eq!(online.in_flight_max, 32);
    assert!(online.fallback && online.cache.is_none());
    assert_eq!(online.service.key().unwrap().reveal(), KEY);
    let report = settings.to_string();
    assert!(
        report.contains("places_key             set  (HERD_PLACES_KEY)\n"),
        "{report}"
    );
    assert!(
        report.contains("places_timeout         800ms  (default)\n"),
        "{report}"
    );
    assert!(!report.contains(KEY) && !format!("{settings:?}").contains(KEY));
}

#[test]
fn a_key_that_is_needed_and_missing_is_a_mistake() {
    let url = (Setting::PlacesUrl, "http://127.0.0.1:9");
    for provider in ["google", "google-legacy"] {
        let missing = error(&[(Setting::Places, provider), url], &[]);
        assert!(
            missing.contains("needs a key: put it into a file"),
            "{missing}"
        );
    }
    assert!(load(&[(Setting::Places, "overpass"), url], &[]).is_ok());
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("key"), format!("{KEY}\n")).unwrap();
    fs::write(path("empty"), "\n").unwrap();
    let google = (Setting::Places, "google");
    let with = |file: &str| load(&[google, url, (Setting::PlacesKeyFile, file)], &[]);
    assert!(with(&path("key")).is_ok());
    assert!(with(&path("none")).unwrap_err().contains("cannot read"));
    assert!(
        with(&path("empty"))
            .unwrap_err()
            .contains("there is no key in it")
    );
    let bad = error(&[google, url], &[("HERD_PLACES_KEY", "se cret-se-cret")]);
    assert!(
        bad.contains("HERD_PLACES_KEY: the key in it") && !bad.contains("cret"),
        "{bad}"
    );
    let key_file = path("key");
    let both = [google, url, (Setting::PlacesKeyFile, key_file.as_str())];
    let both = error(&both, &[("HERD_PLACES_KEY", KEY)]);
    assert!(both.contains("contradict") && !both.contains(KEY), "{both}");
}

#[test]
fn what_changes_nothing_is_a_mistake() {
    for setting in ONLINE_ONLY {
        let told = error(&[(setting, "1")], &[]);
        assert!(
            told.contains(setting.key()) && told.contains("changes nothing"),
            "{told}"
        );
    }
    assert!(error(&[(Setting::PlacesAdd, "true")], &[]).contains("no table to add"));
    // A key that lies around in the environment is no mistake.
    assert!(load(&[], &[("HERD_PLACES_KEY", KEY)]).is_ok());
    let overpass = [
        (Setting::Places, "overpass"),
        (Setting::PlacesUrl, "http://127.0.0.1:9"),
    ];
    let with = |more: &[(Setting, &str)]| load(&[&overpass[..], more].concat(), &[]);
    assert!(
        with(&[(Setting::PlacesCacheAge, "1m")])
            .unwrap_err()
            .contains("changes nothing")
    );
    let file = [
        (Setting::PlacesFallback, "off"),
        (Setting::PlacesAdd, "false"),
    ];
    assert!(with(&file).unwrap_err().contains("overpass alone answers"));
}

#[test]
fn caches_are_for_providers_that_allow_it() {
    let url = (Setting::PlacesUrl, "http://127.0.0.1:9");
    let cache = (Setting::PlacesCache, "100");
    let overpass = load(&[(Setting::Places, "overpass"), url, cache], &[]).unwrap();
    let expected = CacheSettings {
        entries_max: 100,
        age_max: Duration::from_secs(600),
    };
    assert_eq!(overpass.places.online.unwrap().cache, Some(expected));
    for provider in ["google", "google-legacy"] {
        let key = [("HERD_PLACES_KEY", KEY)];
        let told = error(&[(Setting::Places, provider), url, cache], &key);
        assert!(told.contains("Google's terms"), "{told}");
    }
}

#[test]
fn wrong_values_are_told_together() {
    let told = error(
        &[
            (Setting::Places, "overpass"),
            (Setting::PlacesUrl, "https://user:secret@example.org"),
            (Setting::PlacesTimeout, "30s"),
            (Setting::PlacesInFlightMax, "0"),
            (Setting::PlacesFallback, "maybe"),
            (Setting::PlacesCache, "-1"),
            (Setting::PlacesFile, "/nonexistent/table"),
        ],
        &[("HERD_PLACES_CONNECT_TIMEOUT", "900ms")],
    );
    assert!(told.starts_with("7 mistakes"), "{told}");
    assert!(!told.contains("secret"), "{told}");
    for part in [
        "places file /nonexistent/table: cannot read it",
        "the address has a user",
        "`30s` is not from 1ms to 25s",
        "HERD_PLACES_CONNECT_TIMEOUT: `900ms` is not from 1ms to 800ms",
        "`0` is not a whole number from 1 to 1024",
        "`maybe` is neither",
        "`-1` is not `off` and is not a whole number",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let told = error(&[(Setting::Places, "bing")], &[]);
    assert!(told.contains("`bing` is none of `embedded`"), "{told}");
    for url in [
        "ftp://example.org",
        "example.org",
        "https://example.org/?a=b",
        "mailto:x",
    ] {
        let told = error(
            &[(Setting::Places, "overpass"), (Setting::PlacesUrl, url)],
            &[],
        );
        assert!(told.contains("--places-url: "), "{told}");
    }
}

#[test]
fn a_table_replaces_or_complements_the_embedded_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.table");
    let source = herd_places::Source {
        key: "m".to_owned(),
        name: "Mine".to_owned(),
        ..herd_places::Source::default()
    };
    let writer = herd_places::table::TableWriter::new(vec![source]).unwrap();
    fs::write(&path, writer.finish().unwrap()).unwrap();
    let file = (Setting::PlacesFile, path.to_str().unwrap());
    let rows = |flags: &[(Setting, &str)]| -> Vec<u32> {
        let settings = load(flags, &[]).unwrap();
        let tables = settings.places.embedded.tables();
        tables.iter().map(Table::row_count).collect()
    };
    assert_eq!(rows(&[file]), [0]);
    assert_eq!(rows(&[file, (Setting::PlacesAdd, "true")]), [0, 264_213]);
    fs::write(&path, "no table").unwrap();
    assert!(error(&[file], &[]).contains("not a table of places"));
}
