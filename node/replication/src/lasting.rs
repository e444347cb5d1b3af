//! What outlives the incarnations of a server's replication.

use herd_replica::receiving::Known;

use super::store_writer::StoreWriter;

/// What is known of the other servers, and the way to the store. The receiver of each incarnation holds it.
pub(super) struct Lasting {
    pub(super) known: Known,
    pub(super) store: StoreWriter,
}
