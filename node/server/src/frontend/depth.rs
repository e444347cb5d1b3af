//! How much a connection sends at a time.

use std::time::Duration;

use tokio::time::Instant;

/// A connection is deep when its reads bring so many bytes on average, some twenty reports: less than one packet of a
/// network holds.
const DEEP_BYTES: usize = 1_280;

/// It stays so until they bring fewer than this.
const SHALLOW_BYTES: usize = 320;

/// The average is over about so many reads.
const READS: usize = 8;

/// Of so many bytes of places in replies, one counts as if it had been read: putting them together takes time too. Not for
/// the first question of a read: who asks one at a time sends little at a time.
const PLACES_BYTES_PER_READ_BYTE: usize = 8;

/// Who has sent nothing for so long is not deep any more.
const DEEP_FOR: Duration = Duration::from_secs(5);

/// Whether a connection sends much at a time, as who fills a server in bulk does, by a moving average of what its reads
/// bring.
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
    /// Notes what one read brought.
    pub(super) fn read(&mut self, bytes: usize) {
        self.bytes = self.bytes - self.bytes / READS + bytes;
        self.has_answered = false;
        self.read_at = Some(Instant::now());
        self.look();
    }

    /// Notes a reply with so many bytes of places to what was read last.
    pub(super) fn answered(&mut self, places_bytes: usize) {
        if std::mem::replace(&mut self.has_answered, true) {
            self.bytes += places_bytes / PLACES_BYTES_PER_READ_BYTE;
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
            depth.answered(4_600);
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
                depth.answered(4_600);
            }
        }
        assert!(depth.is_deep());
        assert!(depth.ends_at().is_some());
        // And not any more when it asks them one by one.
        for _ in 0..100 {
            depth.read(30);
            depth.answered(4_600);
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
