//! What a server logs, in which form, to standard error.

mod filter;
mod format;
mod init;
mod named_json;

pub use filter::{InvalidFilter, LogFilter};
pub use format::{InvalidFormat, LogFormat};
pub use init::{LogSettings, init};
