//! How much a message may hold, and what ties the bounds together.

use std::time::Duration;

use herd_crdt::SERVER_NAME_BYTES_MAX;
use herd_crdt::group::GROUP_BYTES_MAX;

use crate::replication::timing::{BURIED_NAMED_MAX, IDS_PER_SERVER_MAX, LINKS_TOLD_BYTES_MAX};

/// chitchat packs deltas in blocks of this many bytes, before compression.
pub const BLOCK_BYTES_MAX: usize = 16_384;

/// A delta is taken up to this many bytes, unpacked. chitchat sends at most 65,507, packed. Groups are compressed
/// already, so that is some 90,000 unpacked; a run of emptied slots may pack ten times as well, and what is beyond the
/// bound comes with the next round then.
pub const DELTA_BYTES_MAX: usize = 256 * 1024;

/// A delta is taken up to this many operations. Each takes some 300 bytes until it is applied.
pub const OPERATIONS_MAX: usize = 8_192;

/// The longest key. Those of this version have at most 15 bytes.
pub const KEY_BYTES_MAX: usize = 32;

/// The longest value, in this version and any later one that speaks to it.
pub const VALUE_BYTES_MAX: usize = 16_384;

/// The greatest version and the greatest heartbeat: a million of them a second for two thousand years.
pub const NUMBER_MAX: u64 = 1 << 56;

/// Incarnations of one server that get past here at once: more than gossip admits ([`IDS_PER_SERVER_MAX`]), which counts
/// those that it turns away. Those wait here until they have been out of gossip for [`ADMITTED_HELD`].
pub const INCARNATIONS_PER_NAME_MAX: usize = 2 * IDS_PER_SERVER_MAX;

/// Names that are not in this server's topology and that gossip may know all the same: servers of an
/// older or newer topology file, while a herd is changed server by server.
pub const STRANGERS_MAX: usize = 16;

/// All incarnations that gossip knows at once take at most this many bytes of a digest. chitchat asserts that a
/// digest leaves room for a delta in a message of 65,507 bytes.
pub const DIGEST_BYTES_MAX: usize = 46 * 1024;

/// What an id takes of a digest beside its name: lengths, generation, an address of IPv6, heartbeat and
/// two versions.
pub(super) const DIGEST_ENTRY_BYTES: usize = 2 + 8 + (1 + 16 + 2) + 8 + 8 + 8;

/// An id that a message brought is held for known until chitchat has surely processed that message.
pub(super) const ADMITTED_HELD: Duration = Duration::from_secs(60);

/// chitchat's own bound of a message.
const MESSAGE_BYTES_MAX: usize = 65_507;
/// An operation beside its key and value: a byte for its kind, two lengths, version, status.
const KEY_VALUE_BYTES: usize = 1 + 2 + 2 + 8 + 1;
/// An operation that names an id.
const NODE_BYTES: usize = 1 + 2 + SERVER_NAME_BYTES_MAX + 8 + (1 + 16 + 2) + 8 + 8;

const _: () = {
    // The text of the largest group: base64, of which a third more than the group.
    assert!(GROUP_BYTES_MAX.div_ceil(3) * 4 <= VALUE_BYTES_MAX);
    assert!(LINKS_TOLD_BYTES_MAX <= VALUE_BYTES_MAX);
    assert!(BURIED_NAMED_MAX * (16 + 1 + SERVER_NAME_BYTES_MAX + 1) <= VALUE_BYTES_MAX);
    // The largest digest leaves room for an operation of the largest size, and so for progress.
    let own = DIGEST_ENTRY_BYTES + SERVER_NAME_BYTES_MAX;
    let operation = NODE_BYTES + KEY_VALUE_BYTES + KEY_BYTES_MAX + VALUE_BYTES_MAX;
    // Each block costs three bytes, and the last one more.
    let blocks = 3 * (operation.div_ceil(BLOCK_BYTES_MAX) + 1) + 1;
    assert!(1 + 2 + DIGEST_BYTES_MAX + own + operation + blocks <= MESSAGE_BYTES_MAX);
    // What chitchat packs without gain is never cut.
    assert!(DELTA_BYTES_MAX >= 2 * MESSAGE_BYTES_MAX);
};
