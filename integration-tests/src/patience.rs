//! Waiting for conditions.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// Longer than anything takes that should happen, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// The pause between two looks at a condition.
const POLL: Duration = Duration::from_millis(10);

/// Waits until `condition` is true, and returns the time that it took. Fails the test with the text `what` if it is
/// not true within [`PATIENCE`].
pub async fn eventually(what: impl Display, mut condition: impl AsyncFnMut() -> bool) -> Duration {
    let started = Instant::now();
    let waiting = async {
        while !condition().await {
            sleep(POLL).await;
        }
    };
    if timeout(PATIENCE, waiting).await.is_err() {
        panic!("not within {PATIENCE:?}: {what}");
    }
    started.elapsed()
}

/// The result of `future`. Fails the test with the text `what` if it takes longer than [`PATIENCE`].
pub async fn within<T>(what: impl Display, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(result) => result,
        Err(_) => panic!("not within {PATIENCE:?}: {what}"),
    }
}
