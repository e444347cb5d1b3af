//! One server of a herd: the text protocol, the shared map, and its replication; and the load generator.

#![forbid(unsafe_code)]

pub mod access;
pub mod acknowledgement;
mod admission;
pub mod allowance;
pub mod bench;
pub mod byte_order_mark;
pub mod cli;
pub mod client_threads;
pub mod clock;
pub mod config;
pub mod control;
pub mod exit_code;
pub mod expiry;
pub mod frontend;
pub mod histogram;
pub mod http;
mod line_queue;
pub mod listeners;
pub mod live;
pub mod local;
pub mod locations;
pub mod logging;
pub mod marks;
pub mod metrics;
pub mod open_files;
mod own_file;
pub mod places;
mod printable;
pub mod private_process;
pub mod protocol;
pub mod pulse;
pub mod readiness;
pub mod replication;
pub mod server;
pub mod status;
pub mod storage;
pub mod tls;
pub mod topology;
pub mod wire_log;
