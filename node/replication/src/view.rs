//! What the other parts of a server see of its replication.

use std::sync::Arc;

use super::erasure::Erasure;
use super::figures::Figures;
use super::reach::Reach;
use super::store_handle::StoreHandle;
use herd_gossip::links::Links;
use herd_locations::Locations;

/// Each part of a server takes from it what it shows.
#[derive(Clone)]
pub struct ReplicationView {
    /// The links to the neighbours.
    pub links: Arc<Links>,
    /// What replication says of itself.
    pub figures: Arc<Figures>,
    /// The store, for those who write to it or ask how it fares.
    pub store: Arc<StoreHandle>,
    /// How many forgotten clients are not erased yet.
    pub erasing: Erasing,
    /// How far this server is behind the herd.
    pub reach: Reach,
}

/// The clients whose locations may still be in gossip or on disk.
#[derive(Clone)]
pub struct Erasing {
    pub(super) locations: Arc<Locations>,
    pub(super) erasure: Arc<Erasure>,
}

impl Erasing {
    /// How many clients, at least.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.locations.forgettings() + self.erasure.attended()
    }
}
