//! The wire log: a file with every line that came in or went out, in the order of handling.
//!
//! One record is one line of four columns, in UTC:
//!
//! ```text
//! 2026-11-22T20:44:00.123456Z 127.0.0.1:50123 < IAMAT kiwi +34.0-118.4 1520023934.9
//! 2026-11-22T20:44:00.123456Z 127.0.0.1:50123 > AT Hill +0.263873386 kiwi +34.0-118.4 1520023934.9
//! 2026-11-22T20:44:01.000000Z 127.0.0.1:14001 connect Jaquez
//! 2026-11-22T20:44:02.000000Z 127.0.0.1:14001 disconnect Jaquez: idle for 5 s
//! 2026-11-22T20:44:03.000000Z - dropped 17 lines
//! ```
//!
//! Bytes that are not printable ASCII are written as `\xNN`, a backslash as `\\`; a line that ends
//! in `\...` was cut at the protocol's limit. Writing never waits for the disk: connections hand
//! batches over to a queue of at most [`QUEUE_BYTES_MAX`], and a thread of its own writes them. When
//! the queue is full, lines are dropped and counted, and the log says where and how many.

mod connection_log;
mod file;
mod place;
mod record;

pub use connection_log::ConnectionLog;
pub use file::{QUEUE_BYTES_MAX, WireLog, WireLogError, WireLogStatistics, WireLogWriter};
pub use place::rotated;
