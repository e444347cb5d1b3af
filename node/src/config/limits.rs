//! Settings about what a stranger may use up, and who is none.

use std::fmt::Display;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use herd_crdt::CLIENT_ID_BYTES_MAX;

use super::report::Row;
use super::resolver::{Resolved, Resolver};
use super::{Mistake, Setting, values};
use crate::access::Tokens;
use crate::admission::one_address_share;
use crate::frontend::Limits;
use crate::http;
use crate::live::VIEWERS_MAX;
use crate::protocol::{LINE_BYTES_MAX, OVERSIZED_COPY_BYTES};
use crate::replication::timing::SPARE_PEER_CONNECTIONS_MAX;

/// How many connections of clients may be open unless something else is said.
const CONNECTIONS_MAX: usize = 16_384;

/// How many connections of one address to the peer port may not have shaken hands unless something else is said.
const PEER_CONNECTIONS_PER_ADDRESS_MAX: usize = one_address_share(SPARE_PEER_CONNECTIONS_MAX);

/// The most threads that can be set.
const CLIENT_THREADS_MAX: usize = 1_024;

/// The most of anything that is counted.
const COUNT_MAX: usize = 1_000_000_000;

/// The most memory that can be set, in bytes.
const MEMORY_BYTES_MAX: usize = 1 << 50;

/// The longest line that can be set, in bytes.
const LINE_BYTES_SETTABLE_MAX: usize = 1 << 20;

/// The longest time that a client can be given.
const TIMEOUT_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What a stranger may use up.
#[derive(Clone, Debug)]
pub struct LimitSettings {
    /// How many threads serve clients that send little at a time; one for each core but one, if that is not said. One more
    /// serve the others.
    pub client_threads: Option<usize>,
    /// How many connections of clients may be open.
    pub connections_max: usize,
    /// The longest line of a client, in bytes.
    pub line_bytes_max: usize,
    /// Further limits on clients.
    pub clients: Limits,
    /// How many HTTP connections are served at a time.
    pub http_connections_max: usize,
    /// How many of them may be of one address; nothing for no limit.
    pub http_connections_per_address_max: Option<usize>,
    /// How many connections of one address to the peer port may not have shaken hands, beyond one for each neighbour;
    /// nothing for no limit.
    pub peer_connections_per_address_max: Option<usize>,
    /// How many live pages may be open.
    pub viewers_max: usize,
    /// The tokens that clients must show, and the file that they are from.
    pub tokens: Option<(PathBuf, Tokens)>,
}

impl LimitSettings {
    /// Those on HTTP.
    #[must_use]
    pub fn http(&self) -> http::Limits {
        http::Limits {
            connections_max: self.http_connections_max,
            connections_per_address_max: self.http_connections_per_address_max,
            ..http::Limits::default()
        }
    }

    /// Leaves clients no more connections than this, and one address no more than its share of them.
    pub fn lower_connections(&mut self, connections_max: usize) {
        if self.connections_max <= connections_max {
            return;
        }
        self.connections_max = connections_max;
        let per_address_max = one_address_share(connections_max);
        let per_address = &mut self.clients.connections_per_address_max;
        *per_address = per_address.map(|max| max.min(per_address_max));
    }
}

pub(super) fn resolve(resolver: &mut Resolver<'_>) -> (LimitSettings, Vec<Row>) {
    let defaults = Limits::default();
    let tokens = tokens(resolver);
    let client_threads = resolver.checked_or(Setting::ClientThreads, None, threads);
    let shown_threads = client_threads
        .value
        .map_or("auto".to_owned(), |count| count.to_string());
    let mut rows = vec![
        tokens.1,
        Row::new(
            Setting::ClientThreads,
            shown_threads,
            &client_threads.origin,
        ),
    ];
    let connections_max = counted(
        resolver,
        &mut rows,
        Setting::ConnectionsMax,
        CONNECTIONS_MAX,
    );
    let per_address = optional(
        resolver,
        &mut rows,
        Setting::ConnectionsPerAddressMax,
        Some(one_address_share(connections_max)),
    );
    let line_bytes = resolver.checked_or(Setting::LineBytesMax, LINE_BYTES_MAX, line_bytes);
    rows.push(shown(Setting::LineBytesMax, &line_bytes));
    let per_second = rate(
        resolver,
        &mut rows,
        Setting::CommandsPerSecond,
        defaults.commands_per_second,
    );
    let per_second_per_address = rate(
        resolver,
        &mut rows,
        Setting::CommandsPerSecondPerAddress,
        defaults.commands_per_second_per_address,
    );
    let idle = timeout(
        resolver,
        &mut rows,
        Setting::IdleTimeout,
        defaults.idle_timeout,
    );
    let half_line = timeout(
        resolver,
        &mut rows,
        Setting::HalfLineTimeout,
        defaults.half_line_timeout,
    );
    let in_flight = counted(
        resolver,
        &mut rows,
        Setting::WhatsatInFlightMax,
        defaults.whatsat_in_flight_max,
    );
    let max_clients = optional(
        resolver,
        &mut rows,
        Setting::MaxClients,
        defaults.max_clients,
    );
    let bytes = |text: &str| values::off_or(text, |text| values::count(text, MEMORY_BYTES_MAX));
    let max_client_bytes =
        resolver.checked_or(Setting::MaxClientBytes, defaults.max_client_bytes, bytes);
    let shown_bytes = max_client_bytes
        .value
        .map_or("off".to_owned(), |bytes| bytes.to_string());
    rows.push(Row::new(
        Setting::MaxClientBytes,
        shown_bytes,
        &max_client_bytes.origin,
    ));
    let id_bytes = |text: &str| values::count(text, CLIENT_ID_BYTES_MAX);
    let client_id_bytes_max = resolver.checked_or(
        Setting::ClientIdBytesMax,
        defaults.client_id_bytes_max,
        id_bytes,
    );
    rows.push(shown(Setting::ClientIdBytesMax, &client_id_bytes_max));
    let reply_bytes = |text: &str| values::count(text, MEMORY_BYTES_MAX);
    let reply_bytes_max = resolver.checked_or(
        Setting::ReplyBytesMax,
        defaults.reply_bytes_max,
        reply_bytes,
    );
    rows.push(shown(Setting::ReplyBytesMax, &reply_bytes_max));
    let http_connections_max = counted(
        resolver,
        &mut rows,
        Setting::HttpConnectionsMax,
        http::Limits::default().connections_max,
    );
    let http_per_address = optional(
        resolver,
        &mut rows,
        Setting::HttpConnectionsPerAddressMax,
        Some(one_address_share(http_connections_max)),
    );
    let peers_per_address = optional(
        resolver,
        &mut rows,
        Setting::PeerConnectionsPerAddressMax,
        Some(PEER_CONNECTIONS_PER_ADDRESS_MAX),
    );
    let viewers_max = counted(resolver, &mut rows, Setting::ViewersMax, VIEWERS_MAX);
    let settings = LimitSettings {
        client_threads: client_threads.value,
        connections_max,
        line_bytes_max: line_bytes.value,
        clients: Limits {
            connections_per_address_max: per_address,
            commands_per_second: per_second,
            commands_per_second_per_address: per_second_per_address,
            idle_timeout: idle,
            half_line_timeout: half_line,
            whatsat_in_flight_max: in_flight,
            max_clients,
            max_client_bytes: max_client_bytes.value,
            client_id_bytes_max: client_id_bytes_max.value,
            reply_bytes_max: reply_bytes_max.value,
        },
        http_connections_max,
        http_connections_per_address_max: http_per_address,
        peer_connections_per_address_max: peers_per_address,
        viewers_max,
        tokens: tokens.0,
    };
    (settings, rows)
}

fn tokens(resolver: &mut Resolver<'_>) -> (Option<(PathBuf, Tokens)>, Row) {
    let Some(named) = resolver.given(Setting::Tokens) else {
        return (
            None,
            Row::new(Setting::Tokens, "off", &super::Origin::Default),
        );
    };
    let row = Row::new(Setting::Tokens, &named.text, &named.origin);
    let path = PathBuf::from(&named.text);
    match Tokens::read(&path) {
        Ok(tokens) => (Some((path, tokens)), row),
        Err(error) => {
            resolver.mistake(Mistake::TokensFile {
                origin: named.origin,
                path,
                error,
            });
            (None, row)
        }
    }
}

fn threads(text: &str) -> Result<Option<usize>, String> {
    match text {
        "auto" => Ok(None),
        _ => match values::count(text, CLIENT_THREADS_MAX) {
            Ok(count) => Ok(Some(count)),
            Err(reason) => Err(format!("{reason}, or `auto`")),
        },
    }
}

fn shown<T: Display>(setting: Setting, resolved: &Resolved<T>) -> Row {
    Row::new(setting, resolved.value.to_string(), &resolved.origin)
}

fn counted(
    resolver: &mut Resolver<'_>,
    rows: &mut Vec<Row>,
    setting: Setting,
    default: usize,
) -> usize {
    let count = |text: &str| values::count(text, COUNT_MAX);
    let resolved = resolver.checked_or(setting, default, count);
    rows.push(shown(setting, &resolved));
    resolved.value
}

/// A number, or `off` for no limit.
fn optional(
    resolver: &mut Resolver<'_>,
    rows: &mut Vec<Row>,
    setting: Setting,
    default: Option<usize>,
) -> Option<usize> {
    let count = |text: &str| values::off_or(text, |text| values::count(text, COUNT_MAX));
    let resolved = resolver.checked_or(setting, default, count);
    let value = resolved
        .value
        .map_or("off".to_owned(), |count| count.to_string());
    rows.push(Row::new(setting, value, &resolved.origin));
    resolved.value
}

fn rate(
    resolver: &mut Resolver<'_>,
    rows: &mut Vec<Row>,
    setting: Setting,
    default: Option<NonZeroU32>,
) -> Option<NonZeroU32> {
    let default = default.map(|rate| rate.get() as usize);
    let count = optional(resolver, rows, setting, default);
    count.and_then(|count| NonZeroU32::new(u32::try_from(count).ok()?))
}

fn timeout(
    resolver: &mut Resolver<'_>,
    rows: &mut Vec<Row>,
    setting: Setting,
    default: Option<Duration>,
) -> Option<Duration> {
    let wait = |text: &str| values::off_or(text, |text| values::wait(text, TIMEOUT_MAX));
    let resolved = resolver.checked_or(setting, default, wait);
    let value = resolved.value.map_or("off".to_owned(), |timeout| {
        humantime::format_duration(timeout).to_string()
    });
    rows.push(Row::new(setting, value, &resolved.origin));
    resolved.value
}

/// Not less than the error reply copies.
fn line_bytes(text: &str) -> Result<usize, String> {
    match values::count(text, LINE_BYTES_SETTABLE_MAX) {
        Ok(bytes) if bytes >= OVERSIZED_COPY_BYTES => Ok(bytes),
        _ => Err(format!(
            "is not a whole number of bytes from {OVERSIZED_COPY_BYTES} to {LINE_BYTES_SETTABLE_MAX}"
        )),
    }
}
