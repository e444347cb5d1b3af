//! Marks on branches that tests have to reach. In debug builds each counts how often it was; release
//! builds know nothing of them, and nothing is ever decided by one. Begin with [`reach`].
//!
//! A branch that no test reaches may be wrong without anyone noticing. A mark makes a test fail when that
//! happens: `node/replication/tests/simulation/marks.rs` names the marks that its seeds reach.

#![forbid(unsafe_code)]

#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicU64, Ordering};

/// A branch that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Mark {
    /// Two records of one client and one time met, and the order decided.
    TieBroken,
    /// A record was older than the one in the map.
    StaleRefused,
    /// Slots of which little lived were compacted.
    SlotCompacted,
    /// A group came again, and changed nothing.
    GroupRepeated,
    /// The queue of a link was full, and its oldest message went.
    OldestDropped,
    /// An orphan was adopted by the server that heard it.
    OrphanAtRankZero,
    /// An orphan was adopted by another server.
    OrphanAtHigherRank,
    /// A publication was given up to a server of lower rank.
    PublicationGivenUp,
    /// The copy of an incarnation that is gone was emptied.
    IncarnationBuried,
    /// A superseded incarnation was forgotten by gossip.
    IncarnationForgotten,
    /// Another server overwrote a record before a greater one had come here.
    OverwrittenKept,
    /// None came, so this server publishes it.
    OverwrittenTakenOver,
}

/// How many marks there are.
#[cfg(debug_assertions)]
const MARKS: usize = Mark::OverwrittenTakenOver as usize + 1;

#[cfg(debug_assertions)]
static REACHED: [AtomicU64; MARKS] = [const { AtomicU64::new(0) }; MARKS];

/// The branch was reached.
#[inline]
pub fn reach(mark: Mark) {
    #[cfg(debug_assertions)]
    REACHED[mark as usize].fetch_add(1, Ordering::Relaxed);
    #[cfg(not(debug_assertions))]
    let _ = mark;
}

/// How often the branch was reached in this process; `None` in release builds.
#[must_use]
pub fn count(mark: Mark) -> Option<u64> {
    #[cfg(debug_assertions)]
    return Some(REACHED[mark as usize].load(Ordering::Relaxed));
    #[cfg(not(debug_assertions))]
    {
        let _ = mark;
        None
    }
}
