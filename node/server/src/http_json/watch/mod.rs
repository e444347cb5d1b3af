//! Watching clients, as server-sent events (HTML Standard, "Server-sent events").
//!
//! Their order and promises are those of `WATCH`; a browser's `EventSource` that comes back is told a whole state again.

mod events;
mod feed;
mod handler;
mod question;

pub(super) use handler::{__path_watch, watch};
