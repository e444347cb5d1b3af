//! The end of a server that was told to stop: what clients reported last is brought to safety.

use tracing::warn;

use super::Replication;
use crate::storing::StorageState;
use crate::timing::HANDOVER_MAX;
use herd_acknowledgement::AckLevel;

impl Replication {
    /// Waits, not for long, until what clients reported last is on disk and a neighbour has it.
    pub(super) async fn hand_over(&self) {
        let ticket = self.parts.acknowledgements.ticket();
        let reach = |level| {
            self.parts
                .acknowledgements
                .reach(level, ticket, HANDOVER_MAX)
        };
        let has_store = matches!(*self.parts.store.state().borrow(), StorageState::Open);
        let has_peer = self.parts.links.neighbours().iter().any(|n| n.is_up());
        let (disk, peer) = tokio::join!(
            async {
                if has_store {
                    reach(AckLevel::Disk).await
                } else {
                    Ok(())
                }
            },
            async {
                if has_peer {
                    reach(AckLevel::Peer).await
                } else {
                    Ok(())
                }
            },
        );
        if disk.is_err() {
            warn!("stopping: what clients reported last may not be on this disk");
        }
        if peer.is_err() {
            warn!(
                "stopping: no neighbour has said that it has everything from here; what it lacks spreads \
                 when this server starts again with its disk"
            );
        }
    }
}
