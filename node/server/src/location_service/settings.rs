//! Settings of the operations, and their limits.

use std::time::Duration;

use herd_crdt::ServerName;
use tokio::runtime::Handle;

use crate::settings::Values;
use herd_admission::one_address_share;
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
    /// How much may be known before reports of further clients are refused: what is set, if nothing knows the memory.
    pub room: Room,
    /// How many questions may wait for a provider of places.
    pub whatsat_in_flight_max: usize,
    /// How many searches that do not end at once may be under way.
    pub searches_in_flight_max: usize,
    /// Limits on those who watch.
    pub watch: WatchSettings,
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
                clients_max: values.max_clients.flatten(),
                bytes_max: values.max_client_bytes.flatten(),
            },
            whatsat_in_flight_max: values.whatsat_in_flight_max,
            searches_in_flight_max: values.searches_in_flight_max,
            watch: WatchSettings::new(values),
            background: None,
        }
    }
}

/// Limits on those who watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchSettings {
    /// How many may watch at a time.
    pub watchers_max: usize,
    /// How many of one address: an IPv4 address, or a /64 of IPv6; `None` for no limit.
    pub watchers_per_address_max: Option<usize>,
    /// How many clients may have changed that a watcher was not told of.
    pub marks_max: usize,
    /// How many of all watchers together, not counting the first ones of each.
    pub marks_total_max: usize,
    /// How many clients all watchers of areas may remember as inside, not counting the first ones of each.
    pub inside_max: usize,
    /// How many first states are worked on at a time; `None` for half of the cores.
    pub scans_max: Option<usize>,
}

impl WatchSettings {
    /// Those that were set.
    #[must_use]
    pub fn new(values: &Values) -> Self {
        // Three quarters of all: no address shuts out all others.
        let share = one_address_share(values.watchers_max);
        WatchSettings {
            watchers_max: values.watchers_max,
            watchers_per_address_max: values.watchers_per_address_max.unwrap_or(Some(share)),
            marks_max: values.watch_marks_max,
            marks_total_max: values.watch_marks_total_max,
            inside_max: values.watch_inside_max,
            scans_max: values.watch_scans_max,
        }
    }
}
