//! The counts of the frontend.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use herd_telemetry::histogram::Histogram;

use super::limits::LimitStatistics;

/// The outcome of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandOutcome {
    /// An `IAMAT` was taken in.
    IamatTaken,
    /// An `IAMAT` breaks a rule.
    IamatInvalid,
    /// An `IAMAT` has a time too far ahead of this server's clock.
    IamatAhead,
    /// An `IAMAT` is the first of its client, and `max_clients` or `max_client_bytes` is reached.
    IamatFull,
    /// Only the floor of expiry keeps an `IAMAT` out, which is not old by this server's clock.
    IamatKeptOut,
    /// A `WHATSAT` asks for a client that is known.
    WhatsatKnown,
    /// A `WHATSAT` asks for an unknown client.
    WhatsatUnknown,
    /// A `WHATSAT` asks for a client that was not found while the store was still read.
    WhatsatLoading,
    /// A `WHATSAT` breaks a rule.
    WhatsatInvalid,
    /// A `NEARBY` was answered, or is as soon as its search is over.
    NearbyAnswered,
    /// A `NEARBY` asks for clients around a client that no one has reported.
    NearbyUnknown,
    /// A `NEARBY` asks while the store is still read.
    NearbyLoading,
    /// A `NEARBY` takes long, and as many such searches are under way as may be.
    NearbyTooMany,
    /// A `NEARBY` breaks a rule.
    NearbyInvalid,
    /// A `WITHIN` was answered, or is as soon as its search is over.
    WithinAnswered,
    /// A `WITHIN` asks while the store is still read.
    WithinLoading,
    /// A `WITHIN` takes long, and as many such searches are under way as may be.
    WithinTooMany,
    /// A `WITHIN` breaks a rule.
    WithinInvalid,
    /// A `WATCH` has begun.
    WatchBegun,
    /// A `WATCH` is not taken, since as many watch as may.
    WatchTooMany,
    /// An `UNWATCH` ends a watch.
    WatchUnwatched,
    /// A `WATCH` or `UNWATCH` breaks a rule, or an `UNWATCH` comes while nothing is watched.
    WatchInvalid,
    /// The line comes while something is watched.
    DuringWatch,
    /// A `FORGET` was carried out.
    ForgetTaken,
    /// A `FORGET` breaks a rule.
    ForgetInvalid,
    /// A `FORGET` is of an unknown client, and `max_clients` or `max_client_bytes` is reached.
    ForgetFull,
    /// Only the floor of expiry keeps the tombstone of a `FORGET` out.
    ForgetKeptOut,
    /// A server of the herd is of a release that cannot forget.
    ForgetUnread,
    /// The line starts with no command word.
    OtherInvalid,
    /// The line is longer than the limit.
    Oversized,
    /// A `GEOADD` was taken in.
    GeoaddTaken,
    /// A `GEOADD` breaks a rule.
    GeoaddInvalid,
    /// A `GEOADD` is not taken in: a limit of the server, or its store is still read.
    GeoaddRefused,
    /// A `GEOPOS` or `GEODIST` was answered.
    GeoposAnswered,
    /// A `GEOPOS` or `GEODIST` breaks a rule.
    GeoposInvalid,
    /// A `GEOSEARCH` was answered, or is as soon as its search is over.
    GeosearchAnswered,
    /// A `GEOSEARCH` breaks a rule.
    GeosearchInvalid,
    /// A `GEOSEARCH` has no answer: the member around which it asks is unknown, or too much is found.
    GeosearchRefused,
    /// A `ZREM` was carried out.
    ZremTaken,
    /// A `ZREM` breaks a rule.
    ZremInvalid,
    /// A `ZREM` was not carried out: a limit of the server, or a server of an earlier release.
    ZremRefused,
    /// A `ZCARD`, `EXISTS` or `TYPE` is being answered.
    CountAnswered,
    /// A `ZCARD`, `EXISTS` or `TYPE` is not answered: too many searches are under way, or it breaks a rule.
    CountRefused,
    /// Another command over RESP was answered.
    RespAnswered,
    /// Another command over RESP breaks a rule, or is not a command of herd.
    RespInvalid,
}

impl CommandOutcome {
    /// All outcomes.
    pub const ALL: [CommandOutcome; 45] = [
        CommandOutcome::IamatTaken,
        CommandOutcome::IamatInvalid,
        CommandOutcome::IamatAhead,
        CommandOutcome::IamatFull,
        CommandOutcome::IamatKeptOut,
        CommandOutcome::WhatsatKnown,
        CommandOutcome::WhatsatUnknown,
        CommandOutcome::WhatsatLoading,
        CommandOutcome::WhatsatInvalid,
        CommandOutcome::NearbyAnswered,
        CommandOutcome::NearbyUnknown,
        CommandOutcome::NearbyLoading,
        CommandOutcome::NearbyTooMany,
        CommandOutcome::NearbyInvalid,
        CommandOutcome::WithinAnswered,
        CommandOutcome::WithinLoading,
        CommandOutcome::WithinTooMany,
        CommandOutcome::WithinInvalid,
        CommandOutcome::WatchBegun,
        CommandOutcome::WatchTooMany,
        CommandOutcome::WatchUnwatched,
        CommandOutcome::WatchInvalid,
        CommandOutcome::DuringWatch,
        CommandOutcome::ForgetTaken,
        CommandOutcome::ForgetInvalid,
        CommandOutcome::ForgetFull,
        CommandOutcome::ForgetKeptOut,
        CommandOutcome::ForgetUnread,
        CommandOutcome::OtherInvalid,
        CommandOutcome::Oversized,
        CommandOutcome::GeoaddTaken,
        CommandOutcome::GeoaddInvalid,
        CommandOutcome::GeoaddRefused,
        CommandOutcome::GeoposAnswered,
        CommandOutcome::GeoposInvalid,
        CommandOutcome::GeosearchAnswered,
        CommandOutcome::GeosearchInvalid,
        CommandOutcome::GeosearchRefused,
        CommandOutcome::ZremTaken,
        CommandOutcome::ZremInvalid,
        CommandOutcome::ZremRefused,
        CommandOutcome::CountAnswered,
        CommandOutcome::CountRefused,
        CommandOutcome::RespAnswered,
        CommandOutcome::RespInvalid,
    ];

    /// The command of this outcome.
    #[must_use]
    pub fn word(self) -> Word {
        match self {
            CommandOutcome::IamatTaken
            | CommandOutcome::IamatInvalid
            | CommandOutcome::IamatAhead
            | CommandOutcome::IamatFull
            | CommandOutcome::IamatKeptOut => Word::Iamat,
            CommandOutcome::WhatsatKnown
            | CommandOutcome::WhatsatUnknown
            | CommandOutcome::WhatsatLoading
            | CommandOutcome::WhatsatInvalid => Word::Whatsat,
            CommandOutcome::NearbyAnswered
            | CommandOutcome::NearbyUnknown
            | CommandOutcome::NearbyLoading
            | CommandOutcome::NearbyTooMany
            | CommandOutcome::NearbyInvalid => Word::Nearby,
            CommandOutcome::WithinAnswered
            | CommandOutcome::WithinLoading
            | CommandOutcome::WithinTooMany
            | CommandOutcome::WithinInvalid => Word::Within,
            CommandOutcome::WatchBegun
            | CommandOutcome::WatchTooMany
            | CommandOutcome::WatchUnwatched
            | CommandOutcome::WatchInvalid => Word::Watch,
            CommandOutcome::ForgetTaken
            | CommandOutcome::ForgetInvalid
            | CommandOutcome::ForgetFull
            | CommandOutcome::ForgetKeptOut
            | CommandOutcome::ForgetUnread => Word::Forget,
            CommandOutcome::DuringWatch
            | CommandOutcome::OtherInvalid
            | CommandOutcome::Oversized => Word::Other,
            CommandOutcome::GeoaddTaken
            | CommandOutcome::GeoaddInvalid
            | CommandOutcome::GeoaddRefused => Word::Geoadd,
            CommandOutcome::GeoposAnswered | CommandOutcome::GeoposInvalid => Word::Geopos,
            CommandOutcome::GeosearchAnswered
            | CommandOutcome::GeosearchInvalid
            | CommandOutcome::GeosearchRefused => Word::Geosearch,
            CommandOutcome::ZremTaken
            | CommandOutcome::ZremInvalid
            | CommandOutcome::ZremRefused => Word::Zrem,
            CommandOutcome::CountAnswered | CommandOutcome::CountRefused => Word::Count,
            CommandOutcome::RespAnswered | CommandOutcome::RespInvalid => Word::Resp,
        }
    }
}

/// The kind of a command: the first word of a line, or a command over RESP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// `IAMAT`.
    Iamat,
    /// `WHATSAT`.
    Whatsat,
    /// `NEARBY`.
    Nearby,
    /// `WITHIN`.
    Within,
    /// `WATCH` or `UNWATCH`.
    Watch,
    /// `FORGET`.
    Forget,
    /// No command word, or the line was not parsed.
    Other,
    /// `GEOADD`.
    Geoadd,
    /// `GEOPOS` or `GEODIST`.
    Geopos,
    /// `GEOSEARCH`.
    Geosearch,
    /// `ZREM`.
    Zrem,
    /// `ZCARD`, `EXISTS` or `TYPE`.
    Count,
    /// Another command over RESP.
    Resp,
}

impl Word {
    /// All of them.
    pub const ALL: [Word; 13] = [
        Word::Iamat,
        Word::Whatsat,
        Word::Nearby,
        Word::Within,
        Word::Watch,
        Word::Forget,
        Word::Other,
        Word::Geoadd,
        Word::Geopos,
        Word::Geosearch,
        Word::Zrem,
        Word::Count,
        Word::Resp,
    ];

    /// Whether such a command looks at many clients.
    pub(super) fn looks_at_many(self) -> bool {
        use Word::{Count, Geosearch, Nearby, Within};
        matches!(self, Nearby | Within | Geosearch | Count)
    }
}

/// One value for each outcome.
#[derive(Debug)]
struct ByOutcome<T>([T; CommandOutcome::ALL.len()]);

impl<T: Default> Default for ByOutcome<T> {
    fn default() -> Self {
        ByOutcome(std::array::from_fn(|_| T::default()))
    }
}

/// Commands by outcome, counted without sharing: a batch is added to [`Statistics`] at once.
#[derive(Debug, Default)]
pub(super) struct Counts {
    commands: ByOutcome<u64>,
    /// The number of these commands whose replies wait for something.
    waiting: [u64; Word::ALL.len()],
}

impl Counts {
    /// The replies to `commands` of these commands are not ready when the batch is executed.
    pub(super) fn wait(&mut self, word: Word, commands: u64) {
        self.waiting[word as usize] += commands;
    }

    pub(super) fn count(&mut self, outcome: CommandOutcome) {
        self.commands.0[outcome as usize] += 1;
    }
}

/// The counts of the frontend since its start. Each number only grows, but for [`Statistics::connections_open`] and
/// [`Statistics::connections_bulk`].
#[derive(Debug, Default)]
pub struct Statistics {
    commands: ByOutcome<AtomicU64>,
    /// By [`Word`]: from when a command was taken up to when its reply could go out.
    latencies: [Histogram; Word::ALL.len()],
    /// Connections that were accepted and served.
    pub connections_accepted: AtomicU64,
    /// Connections that were closed at once, since too many were open.
    pub connections_refused: AtomicU64,
    /// Connections that may be open. Does not change.
    pub connections_max: AtomicU64,
    /// Connections that are open now.
    pub connections_open: AtomicU64,
    /// Those of them that send in bulk, on threads of their own.
    pub connections_bulk: AtomicU64,
    /// Connections that were dropped, since the client left its replies unread.
    pub connections_unread: AtomicU64,
    /// Connections that were closed, since HTTP came over them.
    pub connections_http: AtomicU64,
    /// Connections that were closed, since TLS came over them although the port has none.
    pub connections_tls: AtomicU64,
    /// Connections over which TLS was asked for and not agreed on.
    pub tls_handshakes_failed: AtomicU64,
    /// Connections that were cut, since the client's certificate was good no more.
    pub certificates_distrusted: AtomicU64,
    /// Failures to accept a connection.
    pub accept_errors: AtomicU64,
    /// Bytes that clients sent.
    pub bytes_read: AtomicU64,
    /// Bytes that clients were sent.
    pub bytes_written: AtomicU64,
    /// How often a limit was met.
    pub limits: LimitStatistics,
}

impl Statistics {
    /// How many commands had this outcome. Blank lines are no commands.
    #[must_use]
    pub fn commands(&self, outcome: CommandOutcome) -> u64 {
        self.commands.0[outcome as usize].load(Ordering::Relaxed)
    }

    /// How long commands of this kind took, from when they were taken up to when their replies could go
    /// out.
    #[must_use]
    pub fn latency(&self, word: Word) -> &Histogram {
        &self.latencies[word as usize]
    }

    /// Adds a batch that took the time `took`. Each of its commands that waited for nothing else counts with the time
    /// of the batch, because their replies are sent together.
    pub(super) fn add(&self, counts: &Counts, took: Duration) {
        let mut at_once = [0_u64; Word::ALL.len()];
        for (outcome, &count) in CommandOutcome::ALL.into_iter().zip(&counts.commands.0) {
            if count > 0 {
                self.commands.0[outcome as usize].fetch_add(count, Ordering::Relaxed);
                at_once[outcome.word() as usize] += count;
            }
        }
        for ((latency, all), waiting) in self.latencies.iter().zip(at_once).zip(counts.waiting) {
            latency.observe(took, all.saturating_sub(waiting));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_a_counter_of_its_own() {
        let statistics = Statistics::default();
        for (index, outcome) in CommandOutcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index);
            let mut counts = Counts::default();
            counts.count(outcome);
            counts.count(outcome);
            statistics.add(&counts, Duration::ZERO);
        }
        assert!(
            CommandOutcome::ALL
                .iter()
                .all(|&outcome| statistics.commands(outcome) == 2)
        );
        let latencies = Word::ALL.map(|word| statistics.latency(word).view().count);
        assert_eq!(latencies, [10, 8, 10, 8, 8, 10, 6, 6, 4, 6, 6, 4, 4]);
    }

    #[test]
    fn a_command_that_waits_is_not_measured_with_its_batch() {
        let statistics = Statistics::default();
        let mut counts = Counts::default();
        for outcome in [CommandOutcome::WhatsatKnown, CommandOutcome::WhatsatKnown] {
            counts.count(outcome);
        }
        counts.wait(Word::Whatsat, 1);
        statistics.add(&counts, Duration::from_millis(1));
        let view = statistics.latency(Word::Whatsat).view();
        assert_eq!((view.count, view.sum_s), (1, 0.001));
    }
}
