//! What is logged once in a while, however often it happens.

use std::time::Duration;

use tokio::time::Instant;

/// How often it is logged.
const COMPLAINT_GAP: Duration = Duration::from_secs(10);

/// Keeps a flood of events from flooding the log.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    last: Option<Instant>,
}

impl Complaints {
    /// Whether the log is to be told now.
    pub(super) fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let due = self
            .last
            .is_none_or(|last| now.duration_since(last) >= COMPLAINT_GAP);
        if due {
            self.last = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn complaints_keep_a_distance() {
        let mut complaints = Complaints::default();
        assert!(complaints.is_due());
        assert!(!complaints.is_due());
        tokio::time::advance(COMPLAINT_GAP).await;
        assert!(complaints.is_due());
    }
}
