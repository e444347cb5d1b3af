//! The limits on strangers over HTTP.

use std::time::Duration;

use crate::settings::Values;
use herd_admission::one_address_share;

/// Connections that were displaced and have not ended yet. While there are more, none is accepted.
const ENDING_MAX: usize = 16;

/// Bounds on HTTP connections.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time. A further one displaces one that waits for a request; if there is
    /// none, it gets one of the places for probes.
    pub connections_max: usize,
    /// The same of one address, an IPv4 address or a /64 of IPv6; nothing for no limit.
    pub connections_per_address_max: Option<usize>,
    /// Connections beyond those, over which one probe of health each is answered.
    pub probes_max: usize,
    /// How long a client may take for the head of a request, and how long a connection may be idle
    /// between two requests.
    pub header_read_timeout: Duration,
    /// How long a client may take for the handshake of TLS.
    pub handshake_timeout: Duration,
    /// How long a client at one of the places for probes may take for the head of its request.
    pub probe_read_timeout: Duration,
    /// How long a connection may finish a small reply that was displaced before its request was taken up.
    pub displaced_timeout: Duration,
    /// How long written bytes may wait for a client that does not take them, and how long a connection
    /// keeps its place for a client that does not take the end of a reply.
    pub write_timeout: Duration,
    /// How long requests in flight may take once the server is to stop.
    pub drain_timeout: Duration,
    /// Bytes of a request's head.
    pub head_bytes_max: usize,
}

impl Limits {
    /// Those that were set; the rest are defaults.
    #[must_use]
    pub fn new(values: &Values) -> Self {
        let connections_max = values.http_connections_max;
        let share = one_address_share(connections_max);
        Limits {
            connections_max,
            connections_per_address_max: values
                .http_connections_per_address_max
                .unwrap_or(Some(share)),
            probes_max: 16,
            header_read_timeout: Duration::from_secs(5),
            handshake_timeout: Duration::from_secs(5),
            probe_read_timeout: Duration::from_secs(2),
            displaced_timeout: Duration::from_secs(1),
            write_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(3),
            // Room for the longest client ID with every byte percent-encoded.
            head_bytes_max: 32 * 1024,
        }
    }

    /// Connections that may be open, those that are about to end included.
    #[must_use]
    pub fn open_max(&self) -> usize {
        self.connections_max
            .saturating_add(self.probes_max + ENDING_MAX)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits::new(&Values::default())
    }
}
