//! How much a message may hold, and what ties the bounds together.

use herd_crdt::SERVER_NAME_BYTES_MAX;
use herd_crdt::group::GROUP_BYTES_MAX;

use crate::digests::digest_bytes_max;
use crate::timing::{BURIED_NAMED_MAX, IDS_MAX, LINKS_TOLD_BYTES_MAX, MESSAGE_BYTES_MAX};

/// chitchat packs deltas in blocks of this many bytes, before compression.
pub const BLOCK_BYTES_MAX: usize = 16_384;

/// A delta is taken up to this many bytes, unpacked. chitchat sends at most 65,507, packed. Groups are compressed
/// already, so that is some 90,000 unpacked; a run of emptied slots may pack ten times as well, and what is beyond the
/// bound comes with the next round then.
pub const DELTA_BYTES_MAX: usize = 256 * 1024;

/// A delta is taken up to this many operations. Each takes some 300 bytes until it is applied.
pub const OPERATIONS_MAX: usize = 8_192;

/// The longest key. Those of this version have at most 13 bytes.
pub const KEY_BYTES_MAX: usize = 32;

/// The longest value, in this version and any later one that speaks to it.
pub const VALUE_BYTES_MAX: usize = 16_384;

/// The greatest version and the greatest heartbeat: a million of them a second for two thousand years.
pub const NUMBER_MAX: u64 = 1 << 56;

/// A heartbeat of this server's own that others may know at most. This server goes on from there; beyond, a later
/// incarnation has to begin.
pub const OWN_HEARTBEAT_MAX: u64 = NUMBER_MAX / 2;

/// An operation beside its key and value: a byte for its kind, two lengths, version, status.
const KEY_VALUE_BYTES: usize = 1 + 2 + 2 + 8 + 1;
/// An operation that names an id.
const NODE_BYTES: usize = 1 + 2 + SERVER_NAME_BYTES_MAX + 8 + (1 + 16 + 2) + 8 + 8;

const _: () = {
    // The text of the largest group: base64, of which a third more than the group.
    assert!(GROUP_BYTES_MAX.div_ceil(3) * 4 <= VALUE_BYTES_MAX);
    assert!(LINKS_TOLD_BYTES_MAX <= VALUE_BYTES_MAX);
    assert!(BURIED_NAMED_MAX * (16 + 1 + SERVER_NAME_BYTES_MAX + 1) <= VALUE_BYTES_MAX);
    // A digest of all ids that gossip may know leaves room for an operation of the largest size, and so for progress.
    let operation = NODE_BYTES + KEY_VALUE_BYTES + KEY_BYTES_MAX + VALUE_BYTES_MAX;
    // Each block costs three bytes, and the last one more.
    let blocks = 3 * (operation.div_ceil(BLOCK_BYTES_MAX) + 1) + 1;
    assert!(1 + digest_bytes_max(IDS_MAX) + operation + blocks <= MESSAGE_BYTES_MAX);
    // What chitchat packs without gain is never cut.
    assert!(DELTA_BYTES_MAX >= 2 * MESSAGE_BYTES_MAX);
};
