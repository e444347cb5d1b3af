//! Where the floor outlives a restart.

use async_trait::async_trait;

/// The floor could not be stored. It was not raised; it is tried again at the next look.
#[derive(Debug, thiserror::Error)]
#[error("cannot store the floor of expiry, so it stays where it is: {0}")]
pub struct FloorStoreError(pub String);

/// Stores the floor, so that a server that restarts does not accept expired records.
#[async_trait]
pub trait FloorStore: Send + Sync + 'static {
    /// Returns when `floor_ns`, in nanoseconds since the epoch, will be there after a crash. Called
    /// with rising values.
    ///
    /// # Errors
    /// If it is not stored.
    async fn store(&self, floor_ns: i64) -> Result<(), FloorStoreError>;
}

/// For a server that keeps nothing on disk: expired records are not there after a restart, except for those of other
/// servers, which expire them too.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFloorStore;

#[async_trait]
impl FloorStore for NoFloorStore {
    async fn store(&self, _floor_ns: i64) -> Result<(), FloorStoreError> {
        Ok(())
    }
}
