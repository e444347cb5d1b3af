//! How many peer connections were closed before they became links, by why.

use std::sync::atomic::{AtomicU64, Ordering};

use super::handshake_error::HandshakeError;
use herd_tls::TlsFault;

/// Why a peer connection did not become a link: one of a few, whatever the other side does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedReason {
    /// There are as many peer connections as may be, and all are links.
    Full,
    /// It had not finished its handshake when there was no room for newcomers.
    Displaced,
    /// It said nothing for too long.
    Silent,
    /// It ended by itself.
    Ended,
    /// What came belongs in no handshake.
    Malformed,
    /// One side does not want the other.
    Refused,
    /// Its certificate is not good, or not for the server that it says it is.
    Certificate,
    /// TLS was not agreed on.
    Tls,
}

impl ClosedReason {
    /// All of them.
    pub const ALL: [ClosedReason; 8] = [
        ClosedReason::Full,
        ClosedReason::Displaced,
        ClosedReason::Silent,
        ClosedReason::Ended,
        ClosedReason::Malformed,
        ClosedReason::Refused,
        ClosedReason::Certificate,
        ClosedReason::Tls,
    ];

    /// Its word in metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            ClosedReason::Full => "full",
            ClosedReason::Displaced => "displaced",
            ClosedReason::Silent => "silent",
            ClosedReason::Ended => "ended",
            ClosedReason::Malformed => "malformed",
            ClosedReason::Refused => "refused",
            ClosedReason::Certificate => "certificate",
            ClosedReason::Tls => "tls",
        }
    }

    /// Why a handshake did not end in a link.
    #[must_use]
    pub fn of(error: &HandshakeError) -> Self {
        match error {
            HandshakeError::TimedOut => ClosedReason::Silent,
            HandshakeError::Ended(_) | HandshakeError::Tls(TlsFault::Ended) => ClosedReason::Ended,
            HandshakeError::Frame(_) | HandshakeError::NotHello | HandshakeError::OtherLayout => {
                ClosedReason::Malformed
            }
            HandshakeError::Refused { .. }
            | HandshakeError::NoCommonVersion(_)
            | HandshakeError::SpeaksFormer
            | HandshakeError::RefusedByOther(_) => ClosedReason::Refused,
            HandshakeError::StolenName { .. }
            | HandshakeError::Stranger(_)
            | HandshakeError::Tls(
                TlsFault::NoCertificate
                | TlsFault::UnknownAuthority
                | TlsFault::Expired
                | TlsFault::NotYetValid
                | TlsFault::Certificate(_),
            ) => ClosedReason::Certificate,
            HandshakeError::SpeaksTls | HandshakeError::Tls(_) => ClosedReason::Tls,
        }
    }
}

/// A count for each reason. Each only grows.
#[derive(Debug, Default)]
pub struct ClosedCounts([AtomicU64; ClosedReason::ALL.len()]);

impl ClosedCounts {
    /// One more was closed for this reason.
    pub fn add(&self, reason: ClosedReason) {
        self.0[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many were closed for this reason.
    #[must_use]
    pub fn get(&self, reason: ClosedReason) -> u64 {
        self.0[reason as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_count_and_a_word_of_its_own() {
        let counts = ClosedCounts::default();
        let mut words = std::collections::BTreeSet::new();
        for (index, reason) in ClosedReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
            assert!(words.insert(reason.label()));
            counts.add(reason);
            assert_eq!(counts.get(reason), 1);
        }
        let expired = HandshakeError::Tls(TlsFault::Expired);
        assert_eq!(ClosedReason::of(&expired), ClosedReason::Certificate);
    }
}
