//! How much a command weighs beside a report, which is one command.

/// A search counts as this number of commands, because it takes as long as so many reports.
pub(super) const SEARCH_COMMANDS: usize = 16;

/// A search that is not over when as many clients were looked up as may be at once counts as this number of commands: that
/// took as long. No other command follows it in its turn.
pub(super) const LONG_SEARCH_COMMANDS: usize = 128;

/// A search counts as one more command for each this number of clients that it finds.
pub(super) const HITS_PER_COMMAND: usize = 2;

/// A question counts as one more command for each this number of bytes of places, which take as long to build.
pub(super) const PLACES_BYTES_PER_COMMAND: usize = 128;

/// The reply to a long search or count weighs this number of bytes among the replies of its connection that wait, which
/// may take 1 MiB: so that one connection has at most 8 of them under way.
pub(super) const LONG_SEARCH_BYTES: usize = 128 * 1_024;
