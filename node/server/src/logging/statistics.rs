//! Counts of the log. There is one log in a process.

use std::sync::atomic::AtomicU64;

/// Lines that are not in the log, by why.
#[derive(Debug, Default)]
pub struct LogStatistics {
    /// Repeats of others, left out.
    pub repeated: AtomicU64,
    /// There was no room in the queue: standard error is read more slowly than lines come.
    pub no_room: AtomicU64,
    /// Standard error did not take them.
    pub not_written: AtomicU64,
}

static STATISTICS: LogStatistics = LogStatistics {
    repeated: AtomicU64::new(0),
    no_room: AtomicU64::new(0),
    not_written: AtomicU64::new(0),
};

/// The counts of the log of this process since its start.
#[must_use]
pub fn statistics() -> &'static LogStatistics {
    &STATISTICS
}
