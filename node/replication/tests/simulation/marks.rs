//! Which branches the seeds have to reach: a simulation that does not get there proves nothing about them.

use herd_marks::{Mark, count};

/// All but [`Mark::OldestDropped`], which takes a peer that never lets the queue of a link run empty: its test
/// is in `node/gossip/src/neighbour.rs`. [`Mark::OverwrittenTakenOver`] is reached by one seed in a hundred or so,
/// and has its test in `node/replica/src/kept_groups.rs`; a store that is set aside has one in
/// `node/storage/tests/storage/data_folder.rs`.
const REACHED_BY_SEEDS: [Mark; 9] = [
    Mark::TieBroken,
    Mark::StaleRefused,
    Mark::SlotCompacted,
    Mark::GroupRepeated,
    Mark::OrphanAtRankZero,
    Mark::OrphanAtHigherRank,
    Mark::PublicationGivenUp,
    Mark::IncarnationBuried,
    Mark::OverwrittenKept,
];

/// Fails with the marks that no seed reached.
pub(super) fn every_mark_was_reached() {
    let mut missed = Vec::new();
    for mark in REACHED_BY_SEEDS {
        // In release builds nobody counts.
        if let Some(times) = count(mark) {
            println!("{mark:?}: {times} times");
            if times == 0 {
                missed.push(mark);
            }
        }
    }
    assert!(missed.is_empty(), "no seed reached {missed:?}");
}
