//! Whole herds of real processes.

#![expect(clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod busy_then_idle;
mod certificates;
mod crash_loop;
mod damaged_peers;
mod data_folders;
mod disk_errors;
mod disk_faults;
mod durability;
mod elsewhere;
mod endings;
mod examples;
mod foreign_page;
mod forgetting;
mod frozen_disk;
mod http_json;
mod kills;
mod local;
mod map_example;
mod metrics;
mod moving;
mod nearby;
mod page;
mod partition;
mod privacy;
mod protocol;
mod python_module;
mod reachability;
mod readiness;
mod restarts;
mod rivals;
mod rotation;
mod running;
mod spreading;
mod status;
mod stopped;
mod strangers;
mod watch;
mod ways;

/// Where the clients of these tests are.
const UCLA: &str = "+34.068930-118.445127";

/// When they said so: in 2018.
const TIME: &str = "1520023934.918963997";

const NAMES: [&str; 5] = ["Hill", "Jaquez", "Smith", "Campbell", "Singleton"];

/// The client IDs `PREFIX0`, `PREFIX1` and so on.
fn ids(prefix: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("{prefix}{number}"))
        .collect()
}
