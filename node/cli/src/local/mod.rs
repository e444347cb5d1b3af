//! `herd local`: a whole herd on this machine, one process per server, watched by this one.

mod certificates;
mod console;
mod data_dir;
mod error;
mod lines;
mod ports;
mod process;
mod server_log;
mod shell;
mod supervisor;
mod welcome;

pub use error::LocalError;
pub use supervisor::{Orders, run};
