//! The durations of starting, stopping and storing. Those of decisions are in [`herd_replica::timing`], those of links in
//! [`herd_gossip::timing`].

use std::time::Duration;

/// How long a server waits for its first handshakes before its gossip starts without them.
pub const FIRST_HANDSHAKES_WAIT: Duration = Duration::from_secs(1);

/// A store that hands out nothing for so long at the start is not waited for any more: gossip begins without it.
pub const STORE_QUIET_MAX: Duration = Duration::from_secs(3);

/// Nor is one that is not read to its end by now.
pub const STORE_READ_MAX: Duration = Duration::from_secs(30);

/// Nor, for longer than this, by a server that is told to stop meanwhile.
pub const STORE_READ_STOPPING_MAX: Duration = Duration::from_secs(1);

/// How long a server that stops waits for a neighbour to have all that it published.
pub const HANDOVER_MAX: Duration = Duration::from_secs(1);

/// The first and the longest pause before a store is opened again that failed for want of room or descriptors.
pub const STORE_PAUSE_MIN: Duration = Duration::from_secs(1);
/// See [`STORE_PAUSE_MIN`].
pub const STORE_PAUSE_MAX: Duration = Duration::from_secs(60);

/// How long a server that stops waits for its store to be on disk.
pub const STORE_CLOSE_MAX: Duration = Duration::from_secs(3);

/// How long the locations of a forgotten client may stay in gossip and on disk, unless it is set otherwise.
pub const ERASED_WITHIN: Duration = Duration::from_secs(600);
