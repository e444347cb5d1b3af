//! The log of a server on standard error.
//!
//! An event passes the filter, then `flood_guard`, which leaves repeats out, and becomes one line. The line goes into
//! a queue with a bound in bytes, and the thread of `log_thread` writes it. So nothing in the program ever waits
//! for standard error or notices that it is closed or full.

mod filter;
mod flood;
mod flood_guard;
mod format;
mod init;
mod line;
mod log_thread;
mod named_json;
mod panic_hook;
mod statistics;
mod text_fields;

pub use filter::{InvalidFilter, LogFilter};
pub use format::{InvalidFormat, LogFormat};
pub use init::{LogError, LogSettings, init};
pub use line::LINE_BYTES_MAX;
pub use log_thread::{LOG_PATIENCE, LOG_QUEUE_BYTES_MAX, LogThread};
pub use statistics::{LogStatistics, statistics};
