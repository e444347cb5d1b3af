//! One server of a herd: the ports and pages for clients, people and monitoring, over the crates that do the work.
//!
//! Nothing here decides how records are ordered, replicated or stored. Begin with [`server`], which starts the parts
//! in order and stops them; [`frontend`] serves the client port, [`http`] probes, metrics and the live page,
//! [`http_json`] the operations over HTTP, and [`settings`] is the table of settings, of which [`config`] makes the
//! settings of a command.

#![forbid(unsafe_code)]

pub mod access;
pub mod client_threads;
pub mod config;
pub mod control;
pub mod frontend;
pub mod http;
pub mod http_json;
mod line_queue;
pub mod listeners;
pub mod live;
pub mod location_service;
pub mod logging;
pub mod memory;
pub mod metrics;
pub mod open_files;
pub mod private_process;
pub mod server;
pub mod service_manager;
pub mod settings;
pub mod status;
pub mod wire_log;
