//! Herds of containers, deployed as `k8s/` says. Left out where no Docker engine answers, unless
//! `HERD_REQUIRE_DOCKER=1`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod endings;
mod image;
mod memory;
mod partition;
mod rolling;
mod scaling;
mod spreading;
mod volumes;

/// Where the clients of these tests are.
const UCLA: &str = "+34.068930-118.445127";

/// When they said so: in 2018.
const TIME: &str = "1520023934.918963997";

const NAMES: [&str; 5] = ["Hill", "Jaquez", "Smith", "Campbell", "Singleton"];
