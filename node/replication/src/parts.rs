//! What the tasks of a server's replication share.

use std::sync::Arc;

use parking_lot::Mutex;

use super::erasure::Erasure;
use super::expiry_views::Rejoin;
use super::figures::Figures;
use super::store_handle::StoreHandle;
use herd_acknowledgement::Acknowledgements;
use herd_gossip::links::Links;
use herd_locations::Locations;
use herd_replica::settlement::Settlements;

/// See the module. Each task takes from it the parts that it works with.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) locations: Arc<Locations>,
    pub(super) links: Arc<Links>,
    pub(super) acknowledgements: Arc<Acknowledgements>,
    pub(super) figures: Arc<Figures>,
    pub(super) store: Arc<StoreHandle>,
    /// What others told of their maps.
    pub(super) settlements: Arc<Mutex<Settlements>>,
    pub(super) rejoin: Rejoin,
    pub(super) erasure: Arc<Erasure>,
}
