//! What replication says of itself, for operators and tests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::incarnation::Incarnation;
use super::link_words::LinkWord;
use super::membership::Sighting;

/// One incarnation, as this server sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// What gossip says of it.
    pub sighting: Sighting,
    /// Whether it counts as gone.
    pub gone: bool,
    /// When it last gave a sign of life, or was first seen.
    pub last_live: Instant,
    /// How many records of this server's map have no other known publisher.
    pub relied_on_by: usize,
    /// What it says of its links, if it said anything. Names are not checked.
    pub links: Option<Arc<[LinkWord]>>,
}

impl MemberStatus {
    /// What it says of its links, by the name of the neighbour; nothing if it is not live. A name may be
    /// no neighbour's.
    #[must_use]
    pub fn words(&self) -> BTreeMap<&str, &LinkWord> {
        let is_live = self.sighting.live && !self.gone;
        let words = self.links.iter().filter(|_| is_live);
        words
            .flat_map(|words| words.iter())
            .map(|word| (&*word.neighbour, word))
            .collect()
    }
}

/// The state of replication at the receiver's last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicationStatus {
    /// All other incarnations that gossip knows.
    pub members: Vec<MemberStatus>,
    /// Incarnations whose copies are empty here.
    pub buried: Vec<Incarnation>,
    /// Records that this incarnation took over from publishers that were gone.
    pub adopted: usize,
    /// Publications that it gave up to servers of lower rank.
    pub given_up: usize,
}

/// What this incarnation publishes, after the publisher's last round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotsStatus {
    /// Slots there are, free ones included.
    pub slots: usize,
    /// Slots of these without a live record.
    pub free: usize,
    /// Records that live in slots.
    pub live_records: usize,
    /// The version of the published state: how often a slot was set.
    pub version: u64,
    /// The publisher's rounds so far.
    pub rounds: u64,
}
