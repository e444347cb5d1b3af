//! A short run of every target, the same every time; or with `HERD_FUZZ_SECONDS` a long one, another every time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use herd_fuzz::{TARGETS, Target, corpus, long_run, short_run};

/// Changed inputs for each target. Those that start a runtime or touch a file take longer.
const RUNS: u32 = 20_000;
const SLOW_RUNS: u32 = 2_000;
const SLOW: [&str; 14] = [
    "gossip",
    "handshake",
    "http",
    "http_json",
    "put_body",
    "reports_body",
    "owntracks_body",
    "osmand_body",
    "overland_body",
    "config",
    "table",
    "certificates",
    "searches",
    "store",
];

fn run(target: &Target) {
    let Ok(seconds) = std::env::var("HERD_FUZZ_SECONDS") else {
        let slow = SLOW.contains(&target.name);
        short_run(target, if slow { SLOW_RUNS } else { RUNS });
        return;
    };
    let time = Duration::from_secs(seconds.parse().unwrap());
    let seed = RandomState::new().hash_one(target.name);
    println!("{}: seed {seed}", target.name);
    let runs = long_run(target, time, seed);
    println!("{}: {runs} inputs in {seconds} s", target.name);
}

macro_rules! short_runs {
    ($($name:ident)*) => {
        /// The targets that have a test here.
        const TESTED: &[&str] = &[$(stringify!($name)),*];

        $(#[test]
        fn $name() {
            let name = stringify!($name);
            let target = TARGETS.iter().find(|target| target.name == name).unwrap();
            run(target);
        })*
    };
}

short_runs! {
    lines commands groups frames hello reports gossip handshake slot_values link_words certificates topology config tokens control
    import_csv import_geojson import_osm_pbf table providers http http_json http_reports
    put_body reports_body owntracks_body osmand_body overland_body questions searches resp store
}

#[test]
fn every_target_is_tested_and_has_a_corpus() {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, TESTED);
    for name in names {
        // The empty input is always there.
        assert!(corpus(name).len() > 1, "{name}");
    }
}
