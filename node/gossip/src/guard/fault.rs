//! Why a message was refused, or a part of it left out, and how often.

use std::sync::atomic::{AtomicU64, Ordering};

use super::bounds::{BLOCK_BYTES_MAX, KEY_BYTES_MAX, NUMBER_MAX, VALUE_BYTES_MAX};

/// Why a gossip message was refused. Nothing of it reached the engine, and nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It ends before it is whole.
    #[error("gossip message ends too soon")]
    CutOff,
    /// Bytes follow its end.
    #[error("gossip message has bytes behind its end")]
    LeftOver,
    /// Not a kind or version of message that servers send to each other.
    #[error("not a gossip message")]
    NotGossip,
    /// A text is not UTF-8.
    #[error("gossip message has a text that is none")]
    NotText,
    /// A block of unknown kind, or one that does not unpack.
    #[error(
        "gossip message has a garbled block, or one of more than {BLOCK_BYTES_MAX} bytes unpacked"
    )]
    Block,
    /// It comes from another herd, or takes this server for one of another.
    #[error("gossip message belongs to another cluster")]
    ForeignCluster,
    /// An id whose name no server can have.
    #[error("gossip message has an id that is no server's name")]
    Name,
    /// An id whose address is not the one that is made from its name.
    #[error("gossip message has an id with the address of another")]
    Address,
    /// An id whose generation lies a century ahead of our clock.
    #[error("gossip message has an id whose generation lies a century ahead of our clock")]
    Generation,
    /// Ids twice, or not in their order.
    #[error("gossip message has ids twice or out of order")]
    IdOrder,
    /// A key that no version of herd sets.
    #[error("gossip message has a key that is none, or of more than {KEY_BYTES_MAX} bytes")]
    Key,
    /// A value that is too long.
    #[error("gossip message has a value of more than {VALUE_BYTES_MAX} bytes")]
    Value,
    /// A key is deleted, which no server does.
    #[error("gossip message deletes a key")]
    Deletion,
    /// An operation without an id, or of an unknown kind, or where none may be.
    #[error("gossip message has an operation out of place")]
    Operation,
    /// A version or heartbeat that goes back, or that no server reaches.
    #[error("gossip message has versions that go back, or numbers above {NUMBER_MAX}")]
    Version,
    /// It claims to know more of this incarnation than this incarnation has published, or a heartbeat that it cannot
    /// have reached.
    #[error(
        "gossip message claims to know more of this server than it has published, or an impossible heartbeat"
    )]
    Own,
}

/// Groups of [`Fault`]s, one label of a metric each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Not the form of a message.
    Malformed,
    /// A block that is garbled or unpacks to too much.
    Block,
    /// Ids.
    Id,
    /// Keys and values.
    Key,
    /// Versions.
    Version,
    /// About this server itself.
    Own,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [FaultKind; 6] = [
        FaultKind::Malformed,
        FaultKind::Block,
        FaultKind::Id,
        FaultKind::Key,
        FaultKind::Version,
        FaultKind::Own,
    ];

    /// Its word in metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            FaultKind::Malformed => "malformed",
            FaultKind::Block => "block",
            FaultKind::Id => "id",
            FaultKind::Key => "key",
            FaultKind::Version => "version",
            FaultKind::Own => "own",
        }
    }
}

impl From<Fault> for FaultKind {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::CutOff | Fault::LeftOver | Fault::NotGossip | Fault::NotText => {
                FaultKind::Malformed
            }
            Fault::Operation => FaultKind::Malformed,
            Fault::Block => FaultKind::Block,
            Fault::ForeignCluster | Fault::Name | Fault::Address => FaultKind::Id,
            Fault::Generation | Fault::IdOrder => FaultKind::Id,
            Fault::Key | Fault::Value | Fault::Deletion => FaultKind::Key,
            Fault::Version => FaultKind::Version,
            Fault::Own => FaultKind::Own,
        }
    }
}

/// Why a part of a message was left out, while the rest was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// Somebody else's word on what this incarnation publishes.
    Own,
    /// A delta beyond what one message may unpack to. The next round brings it.
    Size,
}

impl LeftOut {
    /// All of them.
    pub const ALL: [LeftOut; 2] = [LeftOut::Own, LeftOut::Size];

    /// Its word in metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            LeftOut::Own => "own",
            LeftOut::Size => "size",
        }
    }
}

/// How often each of this happened. Each count only grows.
#[derive(Debug, Default)]
pub struct GuardCounts {
    refused: [AtomicU64; FaultKind::ALL.len()],
    left_out: [AtomicU64; LeftOut::ALL.len()],
}

impl GuardCounts {
    pub(super) fn note_refused(&self, fault: Fault) {
        self.refused[FaultKind::from(fault) as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn note_left_out(&self, why: LeftOut) {
        self.left_out[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Messages that were refused for such a fault.
    #[must_use]
    pub fn refused(&self, kind: FaultKind) -> u64 {
        self.refused[kind as usize].load(Ordering::Relaxed)
    }

    /// Parts of messages that were left out for this.
    #[must_use]
    pub fn left_out(&self, why: LeftOut) -> u64 {
        self.left_out[why as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_count_and_a_word_of_its_own() {
        let counts = GuardCounts::default();
        for (index, kind) in FaultKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
        for (index, why) in LeftOut::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, index);
            counts.note_left_out(why);
            assert_eq!(counts.left_out(why), 1);
        }
        counts.note_refused(Fault::Own);
        assert_eq!(counts.refused(FaultKind::Own), 1);
        assert_eq!(counts.refused(FaultKind::Id), 0);
        let faults: std::collections::BTreeSet<_> = FaultKind::ALL.map(FaultKind::label).into();
        assert_eq!(faults.len(), FaultKind::ALL.len());
        let left_out: std::collections::BTreeSet<_> = LeftOut::ALL.map(LeftOut::label).into();
        assert_eq!(left_out.len(), LeftOut::ALL.len());
    }
}
