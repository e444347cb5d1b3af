//! Who asks, and the rights that follow from that.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::watch;

use super::current::Access;
use super::tokens::Grant;

/// Who asks.
#[derive(Clone, Debug)]
pub enum Principal {
    /// Anyone who reaches the server: no tokens are needed.
    Anyone,
    /// A token is needed, and these are the rights of the token that was shown; none without a known token.
    Holder {
        /// The tokens that count now.
        access: Arc<Access>,
        /// The rights of the token.
        grant: Option<Arc<Grant>>,
    },
}

impl Principal {
    /// Whether a token is needed and none that is known was shown; a refusal is counted.
    #[must_use]
    pub fn is_refused_as_stranger(&self) -> bool {
        matches!(self, Principal::Holder { grant: None, .. }) && !self.allows(|_| true)
    }

    /// Whether this client may be reported; a refusal is counted.
    #[must_use]
    pub fn may_report(&self, client: &[u8]) -> bool {
        self.allows(|grant| grant.report.cover(client))
    }

    /// Whether this client may be asked about; a refusal is counted.
    #[must_use]
    pub fn may_ask(&self, client: &[u8]) -> bool {
        self.allows(|grant| grant.ask.cover(client))
    }

    /// Whether this client may be forgotten; a refusal is counted.
    #[must_use]
    pub fn may_forget(&self, client: &[u8]) -> bool {
        self.allows(|grant| grant.forget.cover(client))
    }

    /// Whether this client exists for it, where clients are not asked for by their ids.
    #[must_use]
    pub fn may_see(&self, client: &[u8]) -> bool {
        match self {
            Principal::Anyone => true,
            Principal::Holder { grant, .. } => {
                grant.as_ref().is_some_and(|grant| grant.ask.cover(client))
            }
        }
    }

    /// Whether any client exists for it.
    #[must_use]
    pub fn may_see_some(&self) -> bool {
        match self {
            Principal::Anyone => true,
            Principal::Holder { grant, .. } => {
                grant.as_ref().is_some_and(|grant| !grant.ask.is_empty())
            }
        }
    }

    /// Whether the same clients exist for it as for another.
    #[must_use]
    pub fn sees_as(&self, other: &Self) -> bool {
        let grant = |principal: &Self| match principal {
            Principal::Anyone => None,
            Principal::Holder { grant, .. } => grant.clone(),
        };
        match (grant(self), grant(other)) {
            (None, None) => true,
            (Some(own), Some(other)) => Arc::ptr_eq(&own, &other) || own.ask == other.ask,
            _ => false,
        }
    }

    /// Tells when the tokens have changed, if tokens are needed.
    #[must_use]
    pub fn changes(&self) -> Option<watch::Receiver<u64>> {
        match self {
            Principal::Anyone => None,
            Principal::Holder { access, .. } => Some(access.changes()),
        }
    }

    fn allows(&self, is_covered: impl FnOnce(&Grant) -> bool) -> bool {
        let Principal::Holder { access, grant } = self else {
            return true;
        };
        let allowed = grant.as_ref().is_some_and(|grant| is_covered(grant));
        if !allowed {
            let forbidden = &access.statistics().commands_forbidden;
            forbidden.fetch_add(1, Ordering::Relaxed);
        }
        allowed
    }
}
