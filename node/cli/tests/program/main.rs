//! The program as a user meets it: real processes, exit codes, signals.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bench;
mod certs;
mod check_config;
mod demo;
mod documents;
mod dump_and_load;
mod expired;
mod fifos;
mod floor;
mod forget;
mod invariants;
mod local;
mod logs;
mod places;
mod process;
mod send;
mod serve;
#[expect(dead_code, reason = "the tests of providers use the rest of it")]
#[path = "../../../places/tests/stand_in/mod.rs"]
mod stand_in;
mod status;
mod terminals;
mod tokens;
mod watch;
