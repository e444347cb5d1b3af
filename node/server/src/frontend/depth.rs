//! How much a connection sends at a time, and how much of a thread its searches take.

use std::time::Duration;

use tokio::time::Instant;

/// A connection is deep when its reads bring this number of bytes on average: some twenty reports, less than a
/// network packet holds.
const DEEP_BYTES: usize = 1_280;

/// It stays so until they bring fewer than this.
const SHALLOW_BYTES: usize = 320;

/// The moving average covers about this number of reads.
const READS: usize = 8;

/// Building a reply takes time too: for each command that it takes as long as, this number of bytes counts as if it had
/// been read. The first question of a read does not count: a client that asks one question at a time sends little at a
/// time.
const READ_BYTES_PER_COMMAND: usize = 16;

/// A connection is deep, too, when its searches take more than this share of a thread's time,
const SEARCHING_SHARE: u32 = 250;

/// until they take less than this one.
const SELDOM_SHARE: u32 = 1_000;

/// That average covers more reads, because searches may come in between many reports: a few that follow one another by
/// chance are no reason to move.
const SEARCHING_READS: u32 = 64;

/// A command takes about this long.
const COMMAND_TIME: Duration = Duration::from_nanos(400);

/// A new connection has been silent for so long: some hundred and fifty searches, one right after
/// the other, make it deep.
const SILENT_BEFORE: Duration = Duration::from_secs(1);

/// After this time without input a connection is no longer deep.
const DEEP_FOR: Duration = Duration::from_secs(5);

/// Whether a connection keeps a thread busy, by moving averages over its reads: it sends in bulk, or searches often.
#[derive(Debug, Default)]
pub(super) struct Depth {
    /// [`READS`] times the average.
    bytes: usize,
    is_bulk: bool,
    /// Whether a question of the last read was answered.
    has_answered: bool,
    searching: Searching,
    /// Whether a long search was begun since that was last looked at.
    has_searched_long: bool,
    read_at: Option<Instant>,
}

/// How much of a thread searches take.
#[derive(Debug)]
struct Searching {
    /// How long the searches took, and the time from read to read: both [`SEARCHING_READS`] times the average.
    took: Duration,
    span: Duration,
    is_much: bool,
}

impl Default for Searching {
    fn default() -> Self {
        Searching {
            took: Duration::ZERO,
            span: SILENT_BEFORE,
            is_much: false,
        }
    }
}

impl Searching {
    fn read(&mut self, since_last: Duration) {
        self.span = self.span - self.span / SEARCHING_READS + since_last.min(SILENT_BEFORE);
        let share = if self.is_much {
            SELDOM_SHARE
        } else {
            SEARCHING_SHARE
        };
        self.is_much = self.took * share > self.span;
        self.took -= self.took / SEARCHING_READS;
    }

    fn searched(&mut self, took: Duration) {
        self.took += took;
    }
}

impl Depth {
    /// Notes the bytes of one read.
    pub(super) fn read(&mut self, bytes: usize) {
        self.bytes = self.bytes - self.bytes / READS + bytes;
        self.has_answered = false;
        let now = Instant::now();
        let before = self.read_at.replace(now);
        self.searching
            .read(before.map_or(SILENT_BEFORE, |before| now - before));
        self.look();
    }

    /// Notes a reply to the last read that took as long as this number of further commands.
    pub(super) fn answered(&mut self, commands: usize) {
        if std::mem::replace(&mut self.has_answered, true) {
            self.bytes += commands * READ_BYTES_PER_COMMAND;
            self.look();
        }
    }

    /// Notes a search of the last read that took as long as this number of commands.
    pub(super) fn searched(&mut self, commands: usize) {
        self.searching
            .searched(COMMAND_TIME * u32::try_from(commands).unwrap_or(u32::MAX));
    }

    /// Notes a search of the last read that its first piece, which took as long as this number of commands, did not end. The
    /// second one of a read makes the connection deep at once: those who ask one thing at a time wait meanwhile.
    pub(super) fn searched_long(&mut self, commands: usize) {
        self.has_searched_long = true;
        self.searched(commands);
        if std::mem::replace(&mut self.has_answered, true) {
            self.bytes = self.bytes.max(DEEP_BYTES * READS);
            self.look();
        }
    }

    /// Notes that the last read was not executed within one turn. If its questions are the reason, the connection is deep at
    /// once: a crowd of new connections that ask much at a time would be before all others for many turns.
    pub(super) fn outlasted_turn(&mut self) {
        if self.has_answered {
            self.bytes = self.bytes.max(DEEP_BYTES * READS);
            self.look();
        }
    }

    /// Whether a long search was begun since the last call.
    pub(super) fn take_searched_long(&mut self) -> bool {
        std::mem::take(&mut self.has_searched_long)
    }

    fn look(&mut self) {
        let average = self.bytes / READS;
        let bound = if self.is_bulk {
            SHALLOW_BYTES
        } else {
            DEEP_BYTES
        };
        self.is_bulk = average >= bound;
    }

    pub(super) fn is_deep(&self) -> bool {
        self.is_bulk || self.searching.is_much
    }

    /// When it is not deep any more unless it sends something.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        let read_at = self.read_at.filter(|_| self.is_deep());
        read_at.map(|at| at + DEEP_FOR)
    }

    /// It has sent nothing until [`Depth::ends_at`].
    pub(super) fn end(&mut self) {
        *self = Depth::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// About as many as a report has.
    const REPORT_BYTES: usize = 64;

    #[test]
    fn one_command_at_a_time_is_never_deep_however_often() {
        let mut depth = Depth::default();
        for _ in 0..10_000 {
            depth.read(REPORT_BYTES);
            depth.answered(4_600 / 128);
            assert!(!depth.is_deep());
        }
        assert_eq!(depth.ends_at(), None);
    }

    #[test]
    fn a_full_buffer_is_deep_at_once_and_many_commands_soon() {
        let mut depth = Depth::default();
        depth.read(16 * 1024);
        assert!(depth.is_deep());
        let mut depth = Depth::default();
        let reads = (1..).find(|_| {
            depth.read(128 * REPORT_BYTES);
            depth.is_deep()
        });
        assert!(reads <= Some(2), "{reads:?}");
    }

    #[test]
    fn many_questions_at_a_time_are_deep() {
        let mut depth = Depth::default();
        for _ in 0..10 {
            depth.read(16 * 30);
            for _ in 0..16 {
                depth.answered(4_600 / 128);
            }
        }
        assert!(depth.is_deep());
        assert!(depth.ends_at().is_some());
        // And not any more when it asks them one by one.
        for _ in 0..100 {
            depth.read(30);
            depth.answered(4_600 / 128);
        }
        assert!(!depth.is_deep());
    }

    #[test]
    fn questions_of_one_read_that_outlast_a_turn_are_deep() {
        let mut depth = Depth::default();
        depth.read(128 * REPORT_BYTES / 2);
        depth.outlasted_turn();
        assert!(!depth.is_deep(), "reports alone");
        depth.answered(100);
        depth.outlasted_turn();
        assert!(depth.is_deep());
    }

    #[test]
    fn the_second_long_search_of_a_read_is_deep() {
        let mut depth = Depth::default();
        for _ in 0..10 {
            depth.read(100);
            depth.searched_long(128);
            assert!(depth.take_searched_long() && !depth.take_searched_long());
            assert!(!depth.is_deep(), "one at a time");
        }
        depth.searched_long(128);
        assert!(depth.is_deep());
        depth.read(100);
        assert!(depth.is_deep());
    }

    #[test]
    fn it_is_deep_until_its_reads_have_been_small_for_a_while() {
        let mut depth = Depth::default();
        depth.read(16 * 1024);
        depth.read(REPORT_BYTES);
        assert!(depth.is_deep(), "not with the first small read");
        let reads = (1..).find(|_| {
            depth.read(REPORT_BYTES);
            !depth.is_deep()
        });
        assert!(reads.is_some_and(|reads| reads > READS), "{reads:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_searches_all_the_time_is_deep_and_who_searches_often_is_not() {
        let mut depth = Depth::default();
        let searches_until = async |depth: &mut Depth, pause_us, is_deep| {
            for number in 0..1_000 {
                if depth.is_deep() == is_deep {
                    return number;
                }
                tokio::time::advance(Duration::from_micros(pause_us)).await;
                depth.read(30);
                depth.searched(26);
                depth.answered(26);
            }
            1_000
        };
        assert_eq!(searches_until(&mut depth, 5_000, true).await, 1_000);
        let searches = searches_until(&mut depth, 1_000, true).await;
        assert!((50..400).contains(&searches), "{searches}");
        assert_eq!(searches_until(&mut depth, 5_000, false).await, 1_000);
        assert!(searches_until(&mut depth, 15_000, false).await < 400);
    }

    #[test]
    fn between_the_bounds_the_depth_does_not_change() {
        let mut depth = Depth::default();
        let between = usize::midpoint(SHALLOW_BYTES, DEEP_BYTES);
        for _ in 0..100 {
            depth.read(between);
        }
        assert!(!depth.is_deep());
        depth.read(64 * 1024);
        assert!(depth.is_deep());
        for _ in 0..100 {
            depth.read(between);
        }
        assert!(depth.is_deep());
        assert!(depth.ends_at().is_some());
        depth.end();
        assert!(!depth.is_deep());
    }
}
