//! The target of herd-fuzz that `HERD_FUZZ_TARGET` names, under libFuzzer: inputs that reach new branches are kept, and
//! changed further.

#![no_main]

use std::process::exit;
use std::sync::LazyLock;

use herd_fuzz::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

const VARIABLE: &str = "HERD_FUZZ_TARGET";

static CHOSEN: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var(VARIABLE).unwrap_or_default();
    let target = TARGETS.iter().find(|target| target.name == name);
    target.unwrap_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("{VARIABLE} names no target; there are: {}", names.join(" "));
        exit(64);
    })
});

fuzz_target!(init: { LazyLock::force(&CHOSEN); }, |bytes: &[u8]| (CHOSEN.run)(bytes));
