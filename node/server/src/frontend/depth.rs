//! How much a connection sends at a time.

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

/// After this time without input a connection is no longer deep.
const DEEP_FOR: Duration = Duration::from_secs(5);

/// Whether a connection sends in bulk, by a moving average of the bytes of its reads.
#[derive(Debug, Default)]
pub(super) struct Depth {
    /// [`READS`] times the average.
    bytes: usize,
    is_deep: bool,
    /// Whether a question of the last read was answered.
    has_answered: bool,
    read_at: Option<Instant>,
}

impl Depth {
    /// Notes the bytes of one read.
    pub(super) fn read(&mut self, bytes: usize) {
        self.bytes = self.bytes - self.bytes / READS + bytes;
        self.has_answered = false;
        self.read_at = Some(Instant::now());
        self.look();
    }

    /// Notes a reply to the last read that took as long as this number of further commands.
    pub(super) fn answered(&mut self, commands: usize) {
        if std::mem::replace(&mut self.has_answered, true) {
            self.bytes += commands * READ_BYTES_PER_COMMAND;
            self.look();
        }
    }

    fn look(&mut self) {
        let average = self.bytes / READS;
        let bound = if self.is_deep {
            SHALLOW_BYTES
        } else {
            DEEP_BYTES
        };
        self.is_deep = average >= bound;
    }

    pub(super) fn is_deep(&self) -> bool {
        self.is_deep
    }

    /// When it is not deep any more unless it sends something.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        let read_at = self.read_at.filter(|_| self.is_deep);
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
