//! What expiry sees of replication: the clocks of the neighbours, and a way to have everything merged again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use herd_expiry::HerdClocks;
use herd_gossip::links::Links;

/// A request to merge again, at the receiver's next look, all that other servers publish.
#[derive(Clone, Debug, Default)]
pub struct Rejoin {
    asked: Arc<AtomicBool>,
}

impl Rejoin {
    /// Asks for it.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Release);
    }

    /// Whether it was asked for since the last call.
    pub(super) fn take(&self) -> bool {
        self.asked.swap(false, Ordering::AcqRel)
    }
}

/// The herd as expiry sees it.
pub(super) fn herd_clocks(links: &Arc<Links>, rejoin: &Rejoin) -> HerdClocks {
    let (links, rejoin) = (links.clone(), rejoin.clone());
    HerdClocks {
        has_neighbours: !links.neighbours().is_empty(),
        offsets_ns: Box::new(move || links.clock_offsets_ns()),
        rejoin: Box::new(move || rejoin.ask()),
    }
}
