//! The control socket: how an operator reads all records out of a running server, writes records into it, and asks how
//! it is.
//!
//! A Unix domain socket that only the server's own user can open. A session is one request:
//! the client sends a line `DUMP 1`, `LOAD 1` or `STATUS 1` (the number is the version of all of this), then
//!
//! - for a dump, gets every record as its `AT` line, and at the end `END` with their count;
//! - for a load, sends such lines, closes its direction, and gets a [`DumpLoadReport`];
//! - for a status, gets the JSON of `/status` as one line.
//!
//! Instead of any of that a line `ERROR` with a reason may come; it is the last one.

mod confirm;
mod dump;
mod listen;
mod load;
mod load_report;
mod record_line;
mod request;
mod session;
mod socket;
mod socket_path;
mod status;

#[cfg(test)]
pub use confirm::AtOnce;
pub use confirm::Confirm;
pub use listen::{Control, TellStatus};
pub use load_report::{
    DumpLoadReport, INVALID_LINES_TOLD_MAX, InvalidLine, LoadCounts, ReportLine,
};
pub use record_line::{
    EndLine, InvalidEndLine, InvalidRecordLine, parse_end, parse_record, write_record,
};
pub use request::{ControlRequest, InvalidRequest, VERSION};
pub use socket::{ControlSocket, ControlSocketError};
pub(crate) use socket_path::is_too_long;
pub use socket_path::{SOCKET_FILE, SOCKET_PATH_BYTES_MAX, SocketChoice};

/// The longest line in either direction, in bytes before its LF: more than the longest record takes.
pub const CONTROL_LINE_BYTES_MAX: usize = 16 * 1024;

/// The first word of the line that ends a session that failed.
pub const ERROR_WORD: &str = "ERROR";

#[cfg(test)]
mod tests;
