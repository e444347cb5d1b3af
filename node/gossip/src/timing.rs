//! Every duration and bound of gossip, in one place, with what ties them together and to those of the replica.

use std::time::Duration;

use herd_crdt::group::GROUP_BYTES_MAX;

use super::digests::digest_bytes_max;
use herd_replica::timing::{
    BURIAL_AFTER_GONE, BURIAL_AFTER_SUPERSEDED, IDS_PER_SERVER_CROWDED, PUSHES_AHEAD_MAX, SPARE_IDS,
};
pub(crate) use herd_replica::timing::{
    BURIED_NAMED_MAX, BUSY_FOR, BUSY_REPORT_GAP, BUSY_ROUND_GAP, BUSY_TURN_GAP, FORGET_AFTER,
    FULL_DELTA_BYTES, IDLE_ROUND, IDS_MAX, LINK_SILENCE_MAX, LINKS_TOLD_BYTES_MAX, REPORT_GAP,
    REPORT_INTERVAL, RESTART_PAUSE_MAX, RESTART_PAUSE_MIN, STRANGERS_MAX,
};

/// Messages waiting for chitchat's loop; when there are more, links stop reading.
pub const INBOUND_MESSAGES_MAX: usize = 256;

/// What these messages may take in memory together, in bytes.
pub const INBOUND_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most bytes of one of chitchat's messages.
pub const MESSAGE_BYTES_MAX: usize = 65_507;

/// The most bytes that a value of ours and its key take in a delta with nothing else in it, and the id before it.
pub const LARGEST_VALUE_BYTES: usize = 16_000 + 512;

/// New incarnations of a neighbour that get a link in a row, as after restarts,
pub const JOINS_AT_ONCE_MAX: u32 = 10;

/// and the time after which one more does.
pub const JOIN_INTERVAL: Duration = Duration::from_secs(5);

/// Both halves of the handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// No round waits for another that began longer ago than this.
pub const ROUND_WAITED_FOR_MAX: Duration = Duration::from_millis(50);

/// A busy link's round waits so long at most for the rounds of other links.
pub const OTHER_ROUNDS_WAIT_MAX: Duration = Duration::from_millis(20);

/// A delta of so many bytes is large: some hundred records.
pub const LARGE_DELTA_BYTES: usize = 4 * 1024;

/// A peer that takes nothing off a link for this long is dead.
pub const LINK_WRITE_TIMEOUT: Duration = Duration::from_secs(3);

/// Name resolution and connection of one attempt.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The first and the longest pause between two attempts to connect a link, before jitter.
pub const RECONNECT_PAUSE_MIN: Duration = Duration::from_millis(50);
/// See [`RECONNECT_PAUSE_MIN`].
pub const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long a link stands at most that was made in the former layout of hello, since the neighbour read no other, and
/// at least half of it: then it is made anew, in case that was an upgraded process of the neighbour.
pub const FALLBACK_LINK_MAX: Duration = Duration::from_secs(600);

/// Failed attempts to connect a link are logged no more often than this.
pub const RECONNECT_LOG_INTERVAL: Duration = Duration::from_secs(30);

/// Frames waiting for a link; when there are more, the oldest is dropped. Gossip repeats itself.
pub const LINK_QUEUE_FRAMES_MAX: usize = 64;

/// Peer connections that may be open or shaking hands at once, beyond one for each neighbour.
pub const SPARE_PEER_CONNECTIONS_MAX: usize = 64;

/// chitchat's own tick: its look at who is live. In each it scans all keys for expired ones, which is
/// what an idle server with many clients spends most on; heartbeats come with every round anyway.
pub const CHITCHAT_TICK: Duration = Duration::from_secs(1);

/// Phi accrual failure detection (Hayashibara et al., 2004): the threshold, how many intervals count,
/// and the mean to start from. With chitchat's own window of 1,000, busy rounds make the mean so
/// small that the first idle half second looks like death.
pub const PHI_THRESHOLD: f64 = 8.0;
/// See [`PHI_THRESHOLD`].
pub const PHI_WINDOW: usize = 20;
/// See [`PHI_THRESHOLD`].
pub const PHI_INITIAL_INTERVAL: Duration = Duration::from_secs(1);
/// An interval longer than this says nothing about the next.
pub const PHI_INTERVAL_MAX: Duration = Duration::from_secs(10);

/// How long chitchat remembers an incarnation that is dead and that nobody has superseded. For half of this time
/// it hands on what we hold of it: one that is only away, behind a partition, needs nothing sent again when it is
/// back before. Superseded ones are forgotten much sooner: [`FORGET_AFTER`].
pub const DEAD_GRACE: Duration = Duration::from_secs(2 * 3600);

/// Groups that are set in one hold of chitchat's lock.
pub const GROUPS_PER_LOCK: usize = 64;

const _: () = {
    // However many ids a digest names, a delta beside it has room for the largest value, and for chitchat's own
    // least of 100 bytes.
    assert!(LARGEST_VALUE_BYTES >= LINKS_TOLD_BYTES_MAX + 512);
    assert!(LARGEST_VALUE_BYTES >= GROUP_BYTES_MAX.div_ceil(3) * 4 + 512);
    assert!(MESSAGE_BYTES_MAX - 1 - digest_bytes_max(IDS_MAX) >= LARGEST_VALUE_BYTES);
    assert!(LARGEST_VALUE_BYTES > 100);
    assert!(STRANGERS_MAX < SPARE_IDS);
    // Whoever begins a busy link's rounds does so while the other leaves it to it.
    assert!(
        BUSY_ROUND_GAP.as_millis() + ROUND_WAITED_FOR_MAX.as_millis() < BUSY_TURN_GAP.as_millis()
    );
    assert!(LARGE_DELTA_BYTES < FULL_DELTA_BYTES);
    assert!(PUSHES_AHEAD_MAX * 2 <= LINK_QUEUE_FRAMES_MAX);
    // With the shortest possible mean, phi must survive two idle rounds in a row:
    // (20 * 0 + 5 * initial) / 25 * threshold.
    assert!(
        PHI_INITIAL_INTERVAL.as_millis() * 5 / 25 * (PHI_THRESHOLD as u128)
            > 3 * IDLE_ROUND.as_millis()
    );
    // Who passed half of the grace period is sent again in each round: it is buried long before.
    assert!(BURIAL_AFTER_GONE.as_millis() * 4 < DEAD_GRACE.as_millis());
    // One that starts again and again over two links, and is forgotten in the normal way, does not crowd.
    assert!(
        2 * (JOINS_AT_ONCE_MAX as u128)
            + 2 * (BURIAL_AFTER_SUPERSEDED.as_millis() + FORGET_AFTER.as_millis())
                / JOIN_INTERVAL.as_millis()
            < IDS_PER_SERVER_CROWDED as u128
    );
};
