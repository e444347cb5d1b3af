//! The limits that can be set, beside those of [`crate::frontend::FrontendSettings`].

use std::num::NonZeroU32;
use std::time::Duration;

use herd_crdt::CLIENT_ID_BYTES_MAX;

/// Limits on what clients use. `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many connections of one address may be open: an IPv4 address, or a /64 of IPv6.
    pub connections_per_address_max: Option<usize>,
    /// How many commands of one connection are executed in a second.
    pub commands_per_second: Option<NonZeroU32>,
    /// How many commands of all connections of one address are executed in a second.
    pub commands_per_second_per_address: Option<NonZeroU32>,
    /// How long a connection may be silent while no reply waits.
    pub idle_timeout: Option<Duration>,
    /// How long a line may take from its first byte that was read to its end.
    pub half_line_timeout: Option<Duration>,
    /// How many `WHATSAT`s of all connections may wait for a provider of places, or for the store.
    pub whatsat_in_flight_max: usize,
    /// The maximal number of known clients: reports of further clients are refused.
    pub max_clients: Option<usize>,
    /// The maximal memory of known clients, in bytes: reports of further clients are refused.
    pub max_client_bytes: Option<usize>,
    /// The maximal memory of unsent replies of all connections, in bytes; a small part of each connection does not
    /// count.
    pub reply_bytes_max: usize,
    /// The longest client ID that is taken in from a client, in bytes.
    pub client_id_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            // Three quarters of all: no address shuts out all others.
            connections_per_address_max: Some(12_288),
            commands_per_second: None,
            commands_per_second_per_address: None,
            idle_timeout: None,
            half_line_timeout: Some(Duration::from_secs(120)),
            whatsat_in_flight_max: 4_096,
            max_clients: Some(10_000_000),
            // Room for as many with IDs of 20 bytes.
            max_client_bytes: Some(4 << 30),
            reply_bytes_max: 256 << 20,
            client_id_bytes_max: CLIENT_ID_BYTES_MAX,
        }
    }
}
