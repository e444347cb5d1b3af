//! When records that were loaded count as taken in.

use async_trait::async_trait;

use herd_acknowledgement::{Acknowledgements, Begun};

/// Tells when everything that this server has taken in so far is as safe as its users were promised.
#[async_trait]
pub trait Confirm: Send + Sync + 'static {
    /// To be asked before the first record is taken in.
    fn begin(&self) -> Begun;

    /// Resolves when all that was reported from `begun` on, and before this call, is that safe. The wait is bounded.
    ///
    /// # Errors
    /// Why it may not be, as a text for an operator. Nothing is taken back.
    async fn confirm(&self, begun: Begun) -> Result<(), String>;
}

#[async_trait]
impl Confirm for Acknowledgements {
    fn begin(&self) -> Begun {
        self.begun()
    }

    async fn confirm(&self, begun: Begun) -> Result<(), String> {
        let confirmed = self.confirmed(self.ticket_since(begun)).await;
        confirmed.map_err(|reason| reason.to_string())
    }
}

/// A record counts as soon as it is in the map.
#[cfg(test)]
#[derive(Clone, Copy, Debug, Default)]
pub struct AtOnce;

#[cfg(test)]
#[async_trait]
impl Confirm for AtOnce {
    fn begin(&self) -> Begun {
        Begun::default()
    }

    async fn confirm(&self, _: Begun) -> Result<(), String> {
        Ok(())
    }
}
