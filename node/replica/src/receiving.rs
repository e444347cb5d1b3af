//! The receiver: merges the groups of other servers, reports how far it got, and looks after the records of publishers
//! that are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use herd_crdt::group::GroupFormat;
use herd_crdt::{ServerMap, ServerName};

use self::forgetting::Forgetting;
use self::garbled::Garbled;
pub use self::readers::Readers;
use crate::adoption::OrphanSchedule;
use crate::incarnation::Incarnation;
use crate::kept_groups::KeptGroups;
use crate::link_words::{LinkTeller, LinkWord};
use crate::membership::{Membership, Sighting};
use crate::report::{Applied, AppliedReport};
use crate::settlement::{Settlement, SettlementTeller, Settlements};
use crate::status::ReplicationStatus;
use crate::store::{Store, WriteNumber};
use crate::store_feed::StoreFeed;
use crate::timing::ADOPTION_REVIEW;
use crate::verdict::IncarnationVerdict;

mod adopting;
mod burying;
mod forgetting;
mod garbled;
mod liveness;
pub mod merging;
mod readers;
mod settling;
#[cfg(test)]
mod tests;

/// What a server knows of the others, and of what it has stored of them. Outlives incarnations of
/// this server: the map refers to others by the numbers in it.
pub struct Known {
    /// The other servers.
    pub membership: Membership,
    /// What is stored of them.
    pub feed: StoreFeed,
    /// The versions of the group format that others read.
    pub readers: Readers,
}

/// What the receiver works on.
pub struct Ground<'a, M> {
    /// The map of this server.
    pub map: &'a mut M,
    /// What it knows of the others.
    pub known: &'a mut Known,
    /// The way to the store.
    pub store: &'a mut dyn Store,
    /// What others told of their maps.
    pub settlements: &'a mut Settlements,
    /// What is to be done, in this order.
    pub effects: &'a mut Vec<Effect>,
}

/// What the receiver sees when it looks around.
pub struct Surroundings<'a> {
    /// The time.
    pub now: Instant,
    /// What gossip knows of all other incarnations.
    pub sightings: &'a [Sighting],
    /// The greatest generation of a server that is live: by gossip, or at the end of a link; 0 if none is.
    pub live_generation: &'a dyn Fn(&str) -> u64,
    /// The greatest generation of a server that is known, 0 if none is.
    pub known_generation: &'a dyn Fn(&str) -> u64,
    /// How the links of this server are.
    pub links: Vec<LinkWord>,
    /// How many rounds the publisher has done.
    pub rounds: u64,
    /// Somebody wants everything of others merged again.
    pub rejoin: bool,
    /// Gossip had no room for an incarnation since the last look.
    pub ids_were_full: bool,
}

/// What the receiver wants to be done.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// There is news for every neighbour but the one that all of it came from.
    KickOthers(Vec<SocketAddr>),
    /// Take what this incarnation publishes once more.
    NoteAgain(Incarnation),
    /// Empty the copy of what this incarnation published.
    Bury(Incarnation),
    /// Tell the herd which incarnations are buried here.
    NameBuried(Vec<Incarnation>),
    /// Tell the herd how the links of this server are.
    TellLinks(String),
    /// Tell the herd of this server's map.
    TellSettlement(Settlement),
    /// Count anew which incarnations gossip knows.
    Recount,
    /// Make gossip forget these incarnations for good.
    Forget(BTreeSet<Incarnation>),
    /// A group with news came, whose server heard the latest of its records then, by its wall clock.
    Travelled {
        /// The server that heard it.
        origin: ServerName,
        /// In ns since the POSIX epoch.
        heard_ns: i64,
    },
    /// This live server's release does not read tombstones, or all do. A look that does not know says nothing.
    TombstonesUnreadBy(Option<ServerName>),
    /// This incarnation has to end.
    End(IncarnationVerdict),
    /// The state of replication is this.
    Show(ReplicationStatus),
}

/// See the module.
pub struct Receiving {
    me: Incarnation,
    /// All servers of the topology.
    servers: Vec<ServerName>,
    format: GroupFormat,
    kept: KeptGroups,
    /// When this incarnation began to listen.
    began: Instant,
    /// The same by our wall clock, in ns since the POSIX epoch.
    listens_since_ns: i64,
    /// The version merged of each incarnation.
    merged: Vec<(Incarnation, u64)>,
    schedule: OrphanSchedule,
    /// Groups that could not be decoded, by incarnation: those of a newer format are kept until a
    /// server that reads it comes along, so their incarnation is not buried.
    undecoded: BTreeMap<Incarnation, u64>,
    /// Groups that nobody can read.
    garbled: Garbled,
    /// Incarnations whose copies are empty here, oldest burial first.
    buried: Vec<Incarnation>,
    /// What others say of their links.
    links_of: BTreeMap<Incarnation, Arc<[LinkWord]>>,
    teller: LinkTeller,
    settlement: SettlementTeller,
    /// Records adopted and publications given up by this incarnation.
    adopted: usize,
    given_up: usize,
    /// When publications are looked through next for those that a server of lower rank has too, though
    /// nobody came or went: clients may have had them published again.
    next_review: Instant,
    /// When what the living deliver may be looked at next for the sake of kept records.
    next_ask: Instant,
    forgetting: Forgetting,
    /// Gossip had no room for an incarnation, and that was not looked at yet.
    ids_were_full: bool,
}

impl Receiving {
    /// An incarnation that begins to listen now; `now_ns` is the wall clock.
    pub fn new(
        me: Incarnation,
        servers: Vec<ServerName>,
        format: GroupFormat,
        now: Instant,
        now_ns: i64,
    ) -> Self {
        Receiving {
            kept: KeptGroups::new(me.clone(), format),
            me,
            servers,
            format,
            began: now,
            listens_since_ns: now_ns,
            merged: Vec::new(),
            schedule: OrphanSchedule::default(),
            undecoded: BTreeMap::new(),
            garbled: Garbled::default(),
            buried: Vec::new(),
            links_of: BTreeMap::new(),
            teller: LinkTeller::default(),
            settlement: SettlementTeller::default(),
            adopted: 0,
            given_up: 0,
            next_review: now + ADOPTION_REVIEW,
            next_ask: now,
            forgetting: Forgetting::default(),
            ids_were_full: false,
        }
    }

    /// How far this server has merged what others publish. Everything up to `synced` is on its disk.
    pub fn report(&mut self, synced: WriteNumber, feed: &mut StoreFeed) -> AppliedReport {
        let durable = feed.durable(synced);
        let applied = self.merged.iter().map(|(incarnation, merged)| {
            let merged = self.garbled.limit(incarnation, *merged);
            let durable = durable.get(incarnation).copied().unwrap_or(0);
            let applied = Applied {
                merged,
                durable: durable.min(merged),
            };
            (incarnation.clone(), applied)
        });
        AppliedReport::new(applied)
    }

    /// The incarnation ends, however: while it lasted, its groups in the store were all that some records had there.
    pub fn end(&mut self, feed: &StoreFeed, map: &mut impl ServerMap) {
        self.kept.hand_over(&feed.held, map);
    }
}

/// Looks again at everything that live publishers deliver.
fn note_the_living_again(ground: &mut Ground<'_, impl ServerMap>) {
    let live = ground.known.membership.live().cloned();
    ground.effects.extend(live.map(Effect::NoteAgain));
}
