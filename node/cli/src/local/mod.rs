//! `herd local`: a whole herd on this machine, one process per server, watched by this one.

mod answers;
mod certificates;
mod console;
mod data_dir;
mod ends;
mod error;
mod lines;
mod links;
mod news;
pub(crate) mod orders;
mod ports;
mod process;
mod server_arguments;
mod server_log;
pub(crate) mod shell;
mod supervisor;
mod welcome;

pub use error::LocalError;
pub use supervisor::{Orders, Program, run};
