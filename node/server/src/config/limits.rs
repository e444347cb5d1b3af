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
use crate::frontend::Limits;
use crate::http;
use crate::live::VIEWERS_MAX;
use herd_admission::one_address_share;
use herd_protocol::{LINE_BYTES_MAX, OVERSIZED_COPY_BYTES};
use herd_replication::timing::SPARE_PEER_CONNECTIONS_MAX;

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
    let (tokens, tokens_row) = tokens(resolver);
    let mut table = Table {
        resolver,
        rows: vec![tokens_row],
    };
    let client_threads = table.client_threads();
    let connections_max = table.count(Setting::ConnectionsMax, CONNECTIONS_MAX, COUNT_MAX);
    let per_address_max = table.count_or_off(
        Setting::ConnectionsPerAddressMax,
        Some(one_address_share(connections_max)),
        COUNT_MAX,
    );
    let line_bytes_max = table.value(Setting::LineBytesMax, LINE_BYTES_MAX, line_bytes);
    let clients = table.clients(per_address_max);
    let http_connections_max = table.count(
        Setting::HttpConnectionsMax,
        http::Limits::default().connections_max,
        COUNT_MAX,
    );
    let http_per_address_max = table.count_or_off(
        Setting::HttpConnectionsPerAddressMax,
        Some(one_address_share(http_connections_max)),
        COUNT_MAX,
    );
    let peers_per_address_max = table.count_or_off(
        Setting::PeerConnectionsPerAddressMax,
        Some(PEER_CONNECTIONS_PER_ADDRESS_MAX),
        COUNT_MAX,
    );
    let settings = LimitSettings {
        client_threads,
        connections_max,
        line_bytes_max,
        clients,
        http_connections_max,
        http_connections_per_address_max: http_per_address_max,
        peer_connections_per_address_max: peers_per_address_max,
        viewers_max: table.count(Setting::ViewersMax, VIEWERS_MAX, COUNT_MAX),
        tokens,
    };
    (settings, table.rows)
}

/// Settings that are looked up one by one, with a line of the report for each.
struct Table<'r, 'a> {
    resolver: &'r mut Resolver<'a>,
    rows: Vec<Row>,
}

impl Table<'_, '_> {
    /// Limits on clients that are connected.
    fn clients(&mut self, connections_per_address_max: Option<usize>) -> Limits {
        let defaults = Limits::default();
        // In the order of the report.
        Limits {
            connections_per_address_max,
            commands_per_second: self
                .rate(Setting::CommandsPerSecond, defaults.commands_per_second),
            commands_per_second_per_address: self.rate(
                Setting::CommandsPerSecondPerAddress,
                defaults.commands_per_second_per_address,
            ),
            idle_timeout: self.timeout(Setting::IdleTimeout, defaults.idle_timeout),
            half_line_timeout: self.timeout(Setting::HalfLineTimeout, defaults.half_line_timeout),
            whatsat_in_flight_max: self.count(
                Setting::WhatsatInFlightMax,
                defaults.whatsat_in_flight_max,
                COUNT_MAX,
            ),
            max_clients: self.count_or_off(Setting::MaxClients, defaults.max_clients, COUNT_MAX),
            max_client_bytes: self.count_or_off(
                Setting::MaxClientBytes,
                defaults.max_client_bytes,
                MEMORY_BYTES_MAX,
            ),
            client_id_bytes_max: self.count(
                Setting::ClientIdBytesMax,
                defaults.client_id_bytes_max,
                CLIENT_ID_BYTES_MAX,
            ),
            reply_bytes_max: self.count(
                Setting::ReplyBytesMax,
                defaults.reply_bytes_max,
                MEMORY_BYTES_MAX,
            ),
        }
    }

    fn client_threads(&mut self) -> Option<usize> {
        let resolved = self
            .resolver
            .checked_or(Setting::ClientThreads, None, threads);
        self.shown(Setting::ClientThreads, resolved, |count| {
            count.map_or("auto".to_owned(), |count| count.to_string())
        })
    }

    fn value<T: Display>(
        &mut self,
        setting: Setting,
        default: T,
        check: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        let resolved = self.resolver.checked_or(setting, default, check);
        self.shown(setting, resolved, ToString::to_string)
    }

    /// A number of at most `max`.
    fn count(&mut self, setting: Setting, default: usize, max: usize) -> usize {
        self.value(setting, default, |text| values::count(text, max))
    }

    /// The same, or `off` for no limit.
    fn count_or_off(
        &mut self,
        setting: Setting,
        default: Option<usize>,
        max: usize,
    ) -> Option<usize> {
        let count = |text: &str| values::off_or(text, |text| values::count(text, max));
        let resolved = self.resolver.checked_or(setting, default, count);
        self.shown(setting, resolved, |count| {
            count.map_or("off".to_owned(), |count| count.to_string())
        })
    }

    fn rate(&mut self, setting: Setting, default: Option<NonZeroU32>) -> Option<NonZeroU32> {
        let default = default.map(|rate| rate.get() as usize);
        let count = self.count_or_off(setting, default, COUNT_MAX);
        count.and_then(|count| NonZeroU32::new(u32::try_from(count).ok()?))
    }

    fn timeout(&mut self, setting: Setting, default: Option<Duration>) -> Option<Duration> {
        let wait = |text: &str| values::off_or(text, |text| values::wait(text, TIMEOUT_MAX));
        let resolved = self.resolver.checked_or(setting, default, wait);
        self.shown(setting, resolved, |timeout| {
            timeout.map_or("off".to_owned(), |timeout| {
                humantime::format_duration(timeout).to_string()
            })
        })
    }

    /// Adds the line of a value, and returns the value.
    fn shown<T>(
        &mut self,
        setting: Setting,
        resolved: Resolved<T>,
        show: impl FnOnce(&T) -> String,
    ) -> T {
        let row = Row::new(setting, show(&resolved.value), &resolved.origin);
        self.rows.push(row);
        resolved.value
    }
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

/// Not less than the error reply copies.
fn line_bytes(text: &str) -> Result<usize, String> {
    match values::count(text, LINE_BYTES_SETTABLE_MAX) {
        Ok(bytes) if bytes >= OVERSIZED_COPY_BYTES => Ok(bytes),
        _ => Err(format!(
            "is not a whole number of bytes from {OVERSIZED_COPY_BYTES} to {LINE_BYTES_SETTABLE_MAX}"
        )),
    }
}
