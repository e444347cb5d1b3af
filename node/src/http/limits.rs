//! What a stranger can use up over HTTP.

use std::time::Duration;

/// Bounds on HTTP connections.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; more wait in the system's queue.
    pub connections_max: usize,
    /// How long a client may take for the head of a request, and how long a connection may be idle
    /// between two requests.
    pub header_read_timeout: Duration,
    /// How long written bytes may wait for a client that does not take them.
    pub write_timeout: Duration,
    /// How long requests in flight may take once the server is to stop.
    pub drain_timeout: Duration,
    /// Bytes of a request's head.
    pub head_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections_max: 128,
            header_read_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(3),
            head_bytes_max: 16 * 1024,
        }
    }
}
