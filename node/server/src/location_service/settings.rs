//! Settings of the operations, and their limits.

use std::time::Duration;

use herd_crdt::ServerName;
use tokio::runtime::Handle;

use crate::settings::Values;
use herd_expiry::ExpireAfter;
use herd_locations::Room;

/// Settings of the operations.
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// This server's name, as `AT` lines tell it.
    pub server: ServerName,
    /// How far a report's time may lie ahead of this server's clock; zero for no limit.
    pub max_clock_skew: Duration,
    /// After how long records expire, if they do.
    pub expire_after: Option<ExpireAfter>,
    /// The longest client ID that is taken in from a client, in bytes.
    pub client_id_bytes_max: usize,
    /// How much may be known before reports of further clients are refused.
    pub room: Room,
    /// How many questions may wait for a provider of places.
    pub whatsat_in_flight_max: usize,
    /// How many searches that do not end at once may be under way.
    pub searches_in_flight_max: usize,
    /// The threads for long searches; without them they run where they are asked for.
    pub background: Option<Handle>,
}

impl ServiceSettings {
    /// Those that were set, for a server of this name.
    #[must_use]
    pub fn new(server: ServerName, values: &Values) -> Self {
        ServiceSettings {
            server,
            max_clock_skew: values.max_clock_skew.unwrap_or(Duration::ZERO),
            expire_after: values.expire_after.map(ExpireAfter::new),
            client_id_bytes_max: values.client_id_bytes_max,
            room: Room {
                clients_max: values.max_clients,
                bytes_max: values.max_client_bytes,
            },
            whatsat_in_flight_max: values.whatsat_in_flight_max,
            searches_in_flight_max: values.searches_in_flight_max,
            background: None,
        }
    }
}
