//! The load generator, `herd bench`.
//!
//! No server uses it, and it speaks to servers as any client does. Begin with [`run()`], which puts a
//! load on servers of a herd or on Redis and says how fast and how late the replies came; [`convergence`] measures how long a report takes to the other servers of a herd.
//!
//! It shares the machine with the measured servers, so it is cheap: few threads, requests written digit by digit into
//! one buffer and sent in one piece, replies found by their line ends, and no allocation for a request.

#![forbid(unsafe_code)]

mod board;
mod choice;
mod connection;
pub mod convergence;
mod dial;
mod digits;
mod error;
mod input;
mod latency;
mod plan;
mod positions;
mod report;
mod run;
mod schedule;
mod spread;
mod table;
mod tally;
mod target;
mod ticks;
mod worker;
mod workload;

pub use error::BenchError;
pub use latency::{Latencies, Percentiles};
pub use plan::{InvalidPlan, Plan, Protocol, SearchPlan};
pub use report::{BenchReport, ErrorReport, KindReport, LoadReport};
pub use run::{Snapshot, run};
pub use spread::Movement;
