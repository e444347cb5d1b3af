//! Every duration and bound of the decisions of replication, in one place, with what ties them together. Those of links
//! and of chitchat are in `herd_gossip::timing`.

use std::time::Duration;

use herd_topology::SERVERS_MAX;

use super::report::REPORT_ENTRIES_MAX;

/// A round begins so long after the last one ended, news or not: heartbeats and digests travel with it, and it makes good
/// whatever a push was wrong about.
pub const IDLE_ROUND: Duration = Duration::from_millis(500);

/// So many pushes may be under way: less than the queue of a link holds, whose oldest messages they would drive out.
pub const PUSHES_AHEAD_MAX: usize = 32;

/// The least time between the starts of two rounds on a link, unless the last delta was full, and between two pushes
/// the first of which the neighbour has not reported yet. 5 ms keeps two hops at a few milliseconds.
pub const ROUND_GAP: Duration = Duration::from_millis(5);

/// The least time between two pushes to a neighbour that has reported all that was pushed before: who waits for a
/// neighbour with one report at a time waits for no more than this besides.
pub const PUSH_GAP: Duration = Duration::from_millis(1);

/// The same while deltas are large, which is under load: what a round costs besides its delta is then
/// spent on four times as many records.
pub const BUSY_ROUND_GAP: Duration = Duration::from_millis(20);

/// A link is busy for so long after a large delta crossed it.
pub const BUSY_FOR: Duration = Duration::from_millis(100);

/// On a busy link the side that connected it begins the rounds: each brings both sides' news across. The other
/// begins one if that has begun none for so long, or when the link is not busy any more.
pub const BUSY_TURN_GAP: Duration = Duration::from_millis(90);

/// A round that has not ended by now is given up.
pub const ROUND_TIMEOUT: Duration = Duration::from_secs(2);

/// A round or push that was given up is answered no later than this, while the connection stands: a neighbour whose
/// gossip does not move for longer counts as hung.
pub const LATE_ANSWER_MAX: Duration = Duration::from_secs(15);

/// A gossip message of at least this many bytes had no room for more: there is more to come.
/// A delta of 65,507 bytes is closed when the next group (16,000 bytes, before compression) might
/// not fit.
pub const FULL_DELTA_BYTES: usize = 32 * 1024;

/// Full rounds in a row that brought nothing before the gap applies to them too.
pub const FRUITLESS_ROUNDS_MAX: u32 = 16;

/// Under load the publisher gathers records for this long at most, unless a round was large; idle, it publishes at
/// once.
pub const PUBLISH_GAP: Duration = Duration::from_millis(16);

/// It gathers no longer than until it has so many records, some two full groups.
pub const FULL_ROUND_RECORDS: u32 = 340;

/// Unless it would have them sooner than this.
pub const PUBLISH_GAP_MIN: Duration = Duration::from_millis(1);

/// The same after a round of [`LARGE_ROUND_RECORDS`] or more: more than neighbours keep up with for long. Who
/// reports that often is published less often then.
pub const LARGE_PUBLISH_GAP: Duration = Duration::from_millis(25);

/// See [`LARGE_PUBLISH_GAP`].
pub const LARGE_ROUND_RECORDS: usize = 2_048;

/// The same on a server whose replies wait for the disk or for a neighbour, and so for the publisher's next
/// round: what waits for a sync gathers behind the one before anyway. Where it is the disk, and that has synced all there
/// is, the round does not wait.
pub const AWAITED_PUBLISH_GAP: Duration = Duration::from_millis(1);

/// The publisher looks after its free slots at least this often. No reply waits for it.
pub const PUBLISHER_TICK: Duration = Duration::from_millis(250);

/// The receiver looks after liveness, orphans and burials this often. No reply waits for it.
pub const RECEIVER_TICK: Duration = Duration::from_millis(250);

/// An applied report goes over each link at least this often, news or not.
pub const REPORT_INTERVAL: Duration = Duration::from_millis(500);

/// Two applied reports that something has changed are at least so far apart on a link.
pub const REPORT_GAP: Duration = Duration::from_millis(1);

/// The same on a busy link, where each tells of many groups.
pub const BUSY_REPORT_GAP: Duration = Duration::from_millis(5);

/// A link over which nothing came for this long is dead. Each side sends a report every
/// [`REPORT_INTERVAL`].
pub const LINK_SILENCE_MAX: Duration = Duration::from_secs(3);

/// An incarnation that was superseded, is gone, and whose copy is empty, is forgotten after this: by then the
/// neighbours have emptied theirs too. One that still knows it offers it in each round for as long.
pub const FORGET_AFTER: Duration = Duration::from_secs(30);

/// To forget costs a copy of all that gossip holds, so it waits until there are so many to forget,
pub const FORGET_BATCH: usize = 16;

/// or for this long.
pub const FORGET_WITHIN: Duration = Duration::from_secs(120);

/// The least time between two times that this server forgets, however many ids there are.
pub const FORGET_GAP: Duration = Duration::from_secs(5);

/// A publisher that has not been live for this long, by our own clock, is gone.
pub const GONE_AFTER: Duration = Duration::from_secs(10);

/// A look at who is live that comes this late says that this server itself was held up.
pub const LOOK_LATE_MAX: Duration = Duration::from_secs(2);

/// The server of rank r adopts an orphan r times this after its publisher was found gone.
pub const ADOPTION_RANK_DELAY: Duration = Duration::from_secs(2);

/// Where a publisher is gone since it is superseded, and not by its silence, whoever may adopt an orphan waits so long
/// for each live server that may have it too and has a lower rank: as long as a round takes to come at most, which brings
/// what that server adopted.
pub const EARLY_ADOPTION_GAP: Duration = IDLE_ROUND;

/// What the living deliver is looked at again at most this often for records that were overwritten before anything
/// greater had come.
pub const KEPT_ASK_GAP: Duration = Duration::from_secs(10);

/// Orphans that turned up late are looked for this often.
pub const ADOPTION_REVIEW: Duration = Duration::from_secs(60);

/// Records of the backlog that are published with one round: all that this server takes over waits there, from its
/// earlier incarnations and from publishers that are gone.
pub const BACKLOG_RECORDS_MAX: usize = 4_096;

/// They are taken so many at a time,
pub const BACKLOG_PIECE_RECORDS: usize = 1_024;

/// and no more are when they have made so many groups: records may be long.
pub const BACKLOG_GROUPS_MAX: usize = 64;

/// The least time between two rounds that publish some of the backlog.
pub const BACKLOG_GAP: Duration = PUBLISH_GAP;

/// The same while the best neighbour lags more than [`BACKLOG_LAG_GROUPS_MAX`] groups behind: one that stands still does
/// not keep the backlog for ever.
pub const BACKLOG_WAIT_MAX: Duration = PUBLISHER_TICK;

/// See [`BACKLOG_WAIT_MAX`]. What clients report meanwhile comes to the neighbours behind these groups.
pub const BACKLOG_LAG_GROUPS_MAX: u64 = LAG_GROUPS_MAX / 4;

/// An incarnation that has been gone for this long, that no record relies on, and whose server has a
/// newer incarnation alive, is buried: it cannot come back.
pub const BURIAL_AFTER_SUPERSEDED: Duration = Duration::from_secs(20);

/// One that nobody has superseded may be on the other side of a partition. Burying it makes it
/// publish everything anew when it is back, so that waits for longer.
pub const BURIAL_AFTER_GONE: Duration = Duration::from_secs(15 * 60);

/// The first and the longest pause before gossip that failed is started anew.
pub const RESTART_PAUSE_MIN: Duration = Duration::from_secs(1);
/// See [`RESTART_PAUSE_MIN`].
pub const RESTART_PAUSE_MAX: Duration = Duration::from_secs(60);

/// A process that has just begun goes on as a new incarnation when a newer one of its name is alive; at the second
/// time it ends.
pub const LOSSES_MAX: u32 = 2;

/// Records that have died in our slots, whose slots wait until what superseded them is on disk. With a
/// slot's room for each this is some 30 MB; a disk that is further behind is as good as none.
pub const DEFERRED_DEATHS_MAX: usize = 262_144;

/// A slot whose group holds something that lies below the floor of expiry by this is written anew,
/// however much of it lives. So no live record moves more often than this on account of expiry.
pub const EXPIRED_DRAINED_AFTER: Duration = Duration::from_secs(60);

/// Slots that one round of the publisher looks through for locations of forgotten clients.
pub const SLOTS_LOOKED_THROUGH: usize = 512;

/// Back-pressure: records that may wait to be published.
pub const PENDING_RECORDS_MAX: usize = 65_536;

/// Back-pressure: groups that the best neighbour may lag behind. A publisher under load sets some 200 a
/// second, so this is half a second or so; while neighbours keep up, they lag some ten groups behind.
pub const LAG_GROUPS_MAX: u64 = 128;

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

const _: () = {
    // An idle link must not look dead, and a busy one must not look idle.
    assert!(REPORT_INTERVAL.as_millis() * 4 < LINK_SILENCE_MAX.as_millis());
    assert!(REPORT_GAP.as_millis() <= BUSY_REPORT_GAP.as_millis());
    assert!(BUSY_REPORT_GAP.as_millis() < REPORT_INTERVAL.as_millis());
    assert!(ROUND_GAP.as_millis() < BUSY_ROUND_GAP.as_millis());
    assert!(ROUND_TIMEOUT.as_millis() < LATE_ANSWER_MAX.as_millis());
    assert!(BUSY_TURN_GAP.as_millis() < BUSY_FOR.as_millis());
    assert!(BUSY_FOR.as_millis() < IDLE_ROUND.as_millis());
    assert!(PUBLISH_GAP_MIN.as_millis() < PUBLISH_GAP.as_millis());
    assert!(PUBLISH_GAP.as_millis() < LARGE_PUBLISH_GAP.as_millis());
    assert!((FULL_ROUND_RECORDS as usize) < LARGE_ROUND_RECORDS);
    assert!(LARGE_ROUND_RECORDS < PENDING_RECORDS_MAX);
    assert!(AWAITED_PUBLISH_GAP.as_millis() < PUBLISH_GAP.as_millis());
    assert!(PUSH_GAP.as_millis() <= ROUND_GAP.as_millis());
    assert!(BACKLOG_PIECE_RECORDS <= BACKLOG_RECORDS_MAX);
    // One round of the backlog shuts no gate where groups are full: it begins at the most that it is published behind.
    // Over a link that is slower than such rounds come, several together may.
    assert!(
        BACKLOG_LAG_GROUPS_MAX as usize + BACKLOG_RECORDS_MAX.div_ceil(64)
            <= LAG_GROUPS_MAX as usize
    );
    // It has to fit into a delta, or nothing after it would ever be sent.
    assert!(LINKS_TOLD_BYTES_MAX < FULL_DELTA_BYTES);
    assert!(LINKS_TOLD_GAP.as_millis() <= LAG_TOLD_GAP.as_millis());
    // A look in time is not a late one.
    assert!(RECEIVER_TICK.as_millis() * 2 < LOOK_LATE_MAX.as_millis());
    // Who is gone is known gone before it is buried.
    assert!(GONE_AFTER.as_millis() < BURIAL_AFTER_SUPERSEDED.as_millis());
    assert!(BURIAL_AFTER_SUPERSEDED.as_millis() < BURIAL_AFTER_GONE.as_millis());
    // The neighbours have buried who is forgotten, if it was gone for them when it was for us.
    assert!(FORGET_AFTER.as_millis() > GONE_AFTER.as_millis());
    assert!(FORGET_BATCH < IDS_PER_SERVER_CROWDED && IDS_PER_SERVER_CROWDED < IDS_PER_SERVER_MAX);
    assert!(IDS_PER_SERVER_MAX <= SPARE_IDS / 2);
    // A report speaks of all that gossip knows.
    assert!(REPORT_ENTRIES_MAX >= IDS_MAX);
};
