//! Every duration and bound of gossip, in one place, with what ties them together.

use std::time::Duration;

use herd_crdt::group::GROUP_BYTES_MAX;
use herd_topology::SERVERS_MAX;

use super::digests::digest_bytes_max;
use super::report::REPORT_ENTRIES_MAX;

/// Messages waiting for chitchat's loop; when there are more, links stop reading.
pub const INBOUND_MESSAGES_MAX: usize = 256;

/// What these messages may take in memory together, in bytes.
pub const INBOUND_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most incarnations that gossip knows of one server: a crash loop leaves no more. From
/// [`IDS_PER_SERVER_CROWDED`] on the oldest that are superseded and gone are forgotten, whatever relies on them.
pub const IDS_PER_SERVER_MAX: usize = 64;
/// See [`IDS_PER_SERVER_MAX`].
pub const IDS_PER_SERVER_CROWDED: usize = 48;

/// The most incarnations that gossip knows of all servers, this one included: one of each server of the largest
/// topology, and [`SPARE_IDS`] that were superseded. From half of these spare ones on the oldest are forgotten in the
/// same way.
pub const IDS_MAX: usize = SERVERS_MAX + SPARE_IDS;
/// See [`IDS_MAX`].
pub const SPARE_IDS: usize = 128;

/// The most servers that gossip knows and the topology lacks: those of an older or newer topology file, while a herd is
/// changed server by server.
pub const STRANGERS_MAX: usize = 16;

/// The most bytes of one of chitchat's messages.
pub const MESSAGE_BYTES_MAX: usize = 65_507;

/// The most bytes that a value of ours and its key take in a delta with nothing else in it, and the id before it.
pub const LARGEST_VALUE_BYTES: usize = 16_000 + 512;

/// How many buried incarnations a server names to the others.
pub const BURIED_NAMED_MAX: usize = 128;

/// What a server tells the herd of its links changes at most this often: it is a few more bytes in a
/// round, on each link of the herd.
pub const LINKS_TOLD_GAP: Duration = Duration::from_secs(1);

/// The same while all that changes is how far neighbours are behind.
pub const LAG_TOLD_GAP: Duration = Duration::from_secs(2);

/// Neighbours that are less than this many groups behind keep up.
pub const LAG_TOLD_MIN: u64 = 16;

/// The longest text on a server's links: as long as that of a group. Some 1,000 names of usual length.
pub const LINKS_TOLD_BYTES_MAX: usize = 16_000;

/// New incarnations of a neighbour that get a link in a row, as after restarts,
pub const JOINS_AT_ONCE_MAX: u32 = 10;

/// and the time after which one more does.
pub const JOIN_INTERVAL: Duration = Duration::from_secs(5);

/// Both halves of the handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

const _: () = {
    // However many ids a digest names, a delta beside it has room for the largest value, and for chitchat's own
    // least of 100 bytes.
    assert!(LARGEST_VALUE_BYTES >= LINKS_TOLD_BYTES_MAX + 512);
    assert!(LARGEST_VALUE_BYTES >= GROUP_BYTES_MAX.div_ceil(3) * 4 + 512);
    assert!(MESSAGE_BYTES_MAX - 1 - digest_bytes_max(IDS_MAX) >= LARGEST_VALUE_BYTES);
    assert!(LARGEST_VALUE_BYTES > 100);
    // A report speaks of all that gossip knows.
    assert!(REPORT_ENTRIES_MAX >= IDS_MAX);
    assert!(IDS_PER_SERVER_MAX <= SPARE_IDS / 2);
    assert!(STRANGERS_MAX < SPARE_IDS);
    assert!(LINKS_TOLD_GAP.as_millis() <= LAG_TOLD_GAP.as_millis());
};
