//! What the other parts of a server see of its replication.

use std::sync::Arc;

use super::figures::Figures;
use super::reach::Reach;
use super::store_handle::StoreHandle;
use herd_gossip::links::Links;

/// Each part of a server takes from it what it shows.
#[derive(Clone)]
pub struct ReplicationView {
    /// The links to the neighbours.
    pub links: Arc<Links>,
    /// What replication says of itself.
    pub figures: Arc<Figures>,
    /// The store, for those who write to it or ask how it fares.
    pub store: Arc<StoreHandle>,
    /// How far this server is behind the herd.
    pub reach: Reach,
}
