//! A harness for herds of processes, and the whole-program tests that use it.
//!
//! A [`Herd`] is a set of real `herd serve` processes on this machine: started from a [`Topology`] on
//! ports that were free, each with a log that is shown when a test fails, and none of which outlives
//! its test. Servers can be stopped, continued, killed and started again ([`Server`]), links can be
//! cut or frozen ([`Proxy`]), and clients speak the text protocol ([`Client`]).
//!
//! ```no_run
//! # use herd_integration_tests::Herd;
//! # async fn test() {
//! let mut herd = Herd::five().await;
//! let mut hill = herd.client("Hill").await;
//! let at = hill.report("kiwi", "+34.068930-118.445127", "1520023934.9").await;
//! herd.knows("Campbell", "kiwi", &at).await;
//! herd.server_mut("Smith").kill();
//! # }
//! ```
//!
//! [`containers`] has the same for herds of containers, [`browser`] looks at pages, and [`history`] checks the
//! replies to clients of a herd.
//!
//! Every failure here fails the test: functions panic with a description, unless their name starts with `try_`.
//! Nothing sleeps and hopes: [`eventually`] waits for a condition, at most for [`PATIENCE`].

#![expect(clippy::panic, reason = "a harness fails its test by panicking")]

pub mod binary;
pub mod browser;
mod client;
pub mod containers;
mod faketime;
pub mod helm;
mod herd;
pub mod history;
mod ledger;
mod log;
mod loop_disk;
mod loopback;
mod patience;
mod process;
mod proxy;
pub mod redis;
mod rights;
mod series;
mod server;
mod topology;
mod watching;

pub use browser::Browser;
pub use client::{Client, Reply};
pub use faketime::FakeClock;
pub use herd::{Herd, HerdBuilder, herd_certs};
pub use ledger::{Ledger, Load, report_on};
pub use log::Log;
pub use loop_disk::{Frozen, LoopDisk};
pub use loopback::{Addresses, free_addresses};
pub use patience::{PATIENCE, eventually, within};
pub use process::Process;
pub use proxy::{Passage, Proxy};
pub use rights::{left_out_without_root, required};
pub use series::{find_series, series, without_cluster};
pub use server::Server;
pub use topology::Topology;
pub use watching::{Folded, Watching};
