//! Two connections between the same two processes: which of them is the link. Pure.
//!
//! Both servers of a link dial, so their connections may cross. Both then keep the one that the **first** of the two by
//! name has dialled; docs/link-protocol.md says why this comes to rest in every order of events.

use super::offer::{Features, Offer, Protocol};

/// Who of the two servers of a link dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialling {
    /// Both, and both follow the rule of this module.
    Both,
    /// The other one is of a former release. It dials, if at all, whether or not there is a link, and takes the newest
    /// connection for it.
    OtherIsFormer,
    /// This one behaves as a server of a former release, in tests of upgrades.
    OwnIsFormer,
}

impl Dialling {
    /// By what this server offers, and what the two have agreed on.
    pub(crate) fn of(own: Offer, agreed: Protocol) -> Self {
        if !own.features.has(Features::BOTH_DIAL) {
            Dialling::OwnIsFormer
        } else if agreed.features.has(Features::BOTH_DIAL) {
            Dialling::Both
        } else {
            Dialling::OtherIsFormer
        }
    }
}

/// What an end knows of a connection whose handshake is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// This end has dialled it.
    pub(crate) dialled: bool,
    /// The generation of the other end.
    pub(crate) generation: u64,
    /// That of this end, as its hello said it.
    pub(crate) own_generation: u64,
    /// Who dials.
    pub(crate) dialling: Dialling,
}

impl Standing {
    /// Whether the two were dialled from both ends, and by the same two processes.
    pub(crate) fn crosses(self, other: Standing) -> bool {
        self.generation == other.generation
            && self.own_generation == other.own_generation
            && self.dialled != other.dialled
    }

    /// Whether this new connection gives way to the `present` one; otherwise it takes its place. `is_first`: this end is
    /// the first of the two by name. `is_healthy`: the present one has brought something lately.
    pub(crate) fn gives_way_to(self, present: Standing, is_first: bool, is_healthy: bool) -> bool {
        // A new process, or one that has lost its former connection, does not.
        self.crosses(present)
            && match self.dialling {
                Dialling::Both => is_healthy && self.dialled != is_first,
                Dialling::OtherIsFormer => self.dialled,
                Dialling::OwnIsFormer => false,
            }
    }

    /// Whether this end, for which this connection is the link no more but `kept`, leaves it to the other end to close
    /// it: only then does the other one see no moment without a link.
    pub(crate) fn is_closed_by_other(self, kept: Standing) -> bool {
        self.crosses(kept) && self.dialled && self.dialling != Dialling::OwnIsFormer
    }
}

#[cfg(test)]
#[path = "crossing_tests.rs"]
mod tests;
