//! The limits that can be set, beside those of [`crate::frontend::FrontendSettings`].

use std::num::NonZeroU32;
use std::time::Duration;

use crate::settings::Values;
use herd_admission::one_address_share;

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
    /// The maximal memory of unsent replies of all connections, in bytes; a small part of each connection does not
    /// count.
    pub reply_bytes_max: usize,
}

impl Limits {
    /// Those that were set.
    #[must_use]
    pub fn new(values: &Values) -> Self {
        // Three quarters of all: no address shuts out all others.
        let share = one_address_share(values.connections_max);
        Limits {
            connections_per_address_max: values.connections_per_address_max.unwrap_or(Some(share)),
            commands_per_second: values.commands_per_second,
            commands_per_second_per_address: values.commands_per_second_per_address,
            idle_timeout: values.idle_timeout,
            half_line_timeout: values.half_line_timeout,
            reply_bytes_max: values.reply_bytes_max,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits::new(&Values::default())
    }
}
