//! Gossip as a model: what chitchat's digests and deltas come to. A delta has a bound, as chitchat's messages have, and
//! may be cut short.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use herd_crdt::ServerName;
use herd_crdt::group::{GroupError, GroupFormat};

use crate::changes::{Change, Changes};
use crate::incarnation::Incarnation;
use crate::known_ids::{Admission, KnownIds};
use crate::membership::Sighting;
use crate::settlement::{Settlement, Told};

/// A heartbeat of its own from which a server goes on if a neighbour knows it, as `docs/security.md` has it.
const OWN_HEARTBEAT_MAX: u64 = 1 << 55;

/// Who gave no sign of life for so long is not held for live.
const SILENT_AFTER: Duration = Duration::from_secs(4);

/// What an incarnation sets: chitchat's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Tells,
    Settled,
    Buried,
    Links,
    Group(u32),
}

fn key_of(change: &Change) -> Key {
    match change {
        Change::Group { slot, .. } => Key::Group(slot.0),
        Change::Buried(_) => Key::Buried,
        Change::Links(_) => Key::Links,
        Change::Tells(_) => Key::Tells,
        Change::Settled(_) => Key::Settled,
    }
}

/// What a server has of what one incarnation published.
#[derive(Clone, Debug)]
struct Copy {
    version: u64,
    /// Everything up to this version was emptied, and is forgotten.
    emptied: u64,
    values: BTreeMap<Key, (u64, Change)>,
    heartbeat: u64,
    heard: Instant,
}

/// For each incarnation its heartbeat, and the version that its copy has.
pub(super) type Digest = BTreeMap<Incarnation, (u64, u64)>;

/// What a digest lacks of one incarnation.
#[derive(Clone, Debug)]
pub(super) struct NodeDelta {
    incarnation: Incarnation,
    /// It fits onto copies that have this version at least.
    from: u64,
    version: u64,
    emptied: u64,
    values: Vec<(u64, Change)>,
}

/// What a digest lacks, or as much of it as one message holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Delta {
    nodes: Vec<NodeDelta>,
    /// There is more.
    pub(super) is_cut: bool,
    /// Some group in it may be garbled.
    is_garbled: bool,
}

/// The gossip of one incarnation.
pub(super) struct Gossip {
    me: Incarnation,
    copies: BTreeMap<Incarnation, Copy>,
    noted: BTreeMap<(Incarnation, Key), (u64, Change)>,
    again: Vec<(Incarnation, Change)>,
    /// Which incarnations it may know. Outlives the incarnation.
    ids: KnownIds,
    /// The most values in one delta.
    values_max: usize,
    /// The newest version of the group format that its server reads.
    reads_up_to: u8,
    /// Some group in it may be garbled.
    is_garbled: bool,
    changed: bool,
}

impl Gossip {
    /// The first incarnation of a process.
    pub(super) fn begin(
        me: Incarnation,
        servers: &[ServerName],
        values_max: usize,
        format: GroupFormat,
        now: Instant,
    ) -> Self {
        let mut gossip = Gossip {
            me: me.clone(),
            copies: BTreeMap::new(),
            noted: BTreeMap::new(),
            again: Vec::new(),
            ids: KnownIds::new(servers),
            values_max,
            reads_up_to: format.reads_up_to(),
            is_garbled: false,
            changed: false,
        };
        gossip.begin_anew(me, now);
        gossip
    }

    /// The next incarnation of the process.
    pub(super) fn begin_anew(&mut self, me: Incarnation, now: Instant) {
        self.ids.begin(&me);
        self.me = me;
        self.copies.clear();
        self.noted.clear();
        self.again.clear();
        self.changed = false;
        self.set(Change::Tells(self.reads_up_to), now);
        self.tell(Settlement::default(), now);
    }

    pub(super) fn me(&self) -> &Incarnation {
        &self.me
    }

    /// Sets a value of this incarnation's own. Returns the version of its state.
    pub(super) fn set(&mut self, mut change: Change, now: Instant) -> u64 {
        let own = self.copies.entry(self.me.clone());
        let own = own.or_insert_with(|| copy(now));
        own.version += 1;
        if let Change::Group { version, .. } = &mut change {
            *version = own.version;
        }
        if let Change::Settled(told) = &mut change {
            told.version = own.version;
        }
        own.values.insert(key_of(&change), (own.version, change));
        own.version
    }

    /// The version of what this incarnation has published.
    pub(super) fn version(&self) -> u64 {
        self.copies.get(&self.me).map_or(0, |own| own.version)
    }

    pub(super) fn tell(&mut self, settlement: Settlement, now: Instant) {
        let version = 0;
        let told = Told {
            settlement,
            version,
        };
        self.set(Change::Settled(told), now);
    }

    /// All groups of all copies, its own too, with whoever published them.
    pub(super) fn groups(&self) -> impl Iterator<Item = (&Incarnation, &Change)> {
        self.copies.iter().flat_map(|(incarnation, copy)| {
            let changes = copy.values.values().map(|(_, change)| change);
            let groups = changes.filter(|change| matches!(change, Change::Group { .. }));
            groups.map(move |group| (incarnation, group))
        })
    }

    /// All incarnations that it knows.
    pub(super) fn known(&self) -> Vec<&Incarnation> {
        self.copies.keys().collect()
    }

    /// A sign of this server's own life.
    pub(super) fn beat(&mut self) {
        if let Some(own) = self.copies.get_mut(&self.me) {
            own.heartbeat += 1;
        }
    }

    pub(super) fn digest(&self) -> Digest {
        let copies = self.copies.iter();
        copies
            .map(|(incarnation, copy)| (incarnation.clone(), (copy.heartbeat, copy.version)))
            .collect()
    }

    /// What the owner of a digest lacks, of those first that it knows nothing of, and then of those of which it lacks most.
    pub(super) fn delta(&self, version_of: impl Fn(&Incarnation) -> u64) -> Delta {
        let mut stale: Vec<_> = self
            .copies
            .iter()
            .filter_map(|(incarnation, copy)| {
                let known = version_of(incarnation);
                let missing = copy
                    .version
                    .checked_sub(known)
                    .filter(|missing| *missing > 0)?;
                Some((known > 0, Reverse(missing), incarnation, copy))
            })
            .collect();
        stale.sort_by_key(|(is_known, missing, ..)| (*is_known, *missing));
        let mut delta = Delta {
            is_garbled: self.is_garbled,
            ..Delta::default()
        };
        let mut room = self.values_max;
        for (_, _, incarnation, copy) in stale {
            if room == 0 {
                delta.is_cut = true;
                break;
            }
            let (node, is_cut) = node_delta(incarnation, copy, version_of(incarnation), room);
            room -= node.values.len().max(1);
            delta.nodes.push(node);
            delta.is_cut |= is_cut;
        }
        delta
    }

    /// Takes in what another server knows of who lives. Returns whether it knows more of this incarnation than there is.
    pub(super) fn hear(&mut self, digest: &Digest, now: Instant) -> bool {
        let own_version = self.version();
        let own = digest.get(&self.me);
        let overstates = |(heartbeat, version): &(u64, u64)| {
            *version > own_version || *heartbeat > OWN_HEARTBEAT_MAX
        };
        if own.is_some_and(overstates) {
            return true;
        }
        // Of a server's incarnations the newest first: there may not be room for all.
        for (incarnation, (heartbeat, _)) in digest.iter().rev() {
            let is_own = *incarnation == self.me;
            if !is_own && self.ids.admit(incarnation) != Admission::Admitted {
                continue;
            }
            let copy = self.copies.entry(incarnation.clone());
            let copy = copy.or_insert_with(|| copy_of_a_stranger(now));
            if *heartbeat > copy.heartbeat {
                // Of its own it goes on from there, as `Engine::heartbeat` does.
                copy.heartbeat = *heartbeat;
                copy.heard = now;
            }
        }
        false
    }

    pub(super) fn take(&mut self, delta: Delta) {
        self.is_garbled |= delta.is_garbled;
        for node in delta.nodes {
            let Some(copy) = self.copies.get_mut(&node.incarnation) else {
                continue;
            };
            if node.incarnation == self.me
                || node.from > copy.version
                || node.version <= copy.version
            {
                continue;
            }
            if node.emptied > copy.version {
                copy.values.clear();
                copy.emptied = node.emptied;
            }
            let known = copy.version.max(copy.emptied);
            for (version, change) in node.values {
                if version > known {
                    let key = key_of(&change);
                    let noted = (node.incarnation.clone(), key);
                    self.noted.insert(noted, (version, change.clone()));
                    copy.values.insert(key, (version, change));
                }
            }
            copy.version = node.version;
            self.changed = true;
        }
    }

    /// Whether there is anything for the receiver.
    pub(super) fn has_changed(&self) -> bool {
        self.changed
    }

    /// The same, until the next time.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    pub(super) fn take_changes(&mut self) -> Changes {
        let mut changes: Vec<_> = std::mem::take(&mut self.noted).into_iter().collect();
        changes.sort_by_key(|(_, (version, _))| *version);
        let changes = changes.into_iter();
        let copies = self.copies.iter();
        Changes {
            changes: changes
                .map(|((incarnation, _), (_, change))| (incarnation, change))
                .collect(),
            versions: copies
                .map(|(incarnation, copy)| (incarnation.clone(), copy.version))
                .collect(),
            senders: Vec::new(),
        }
    }

    /// Notes everything that this incarnation publishes once more.
    pub(super) fn note_again(&mut self, incarnation: &Incarnation) {
        let copy = self.copies.get(incarnation);
        let mut values: Vec<_> = copy.into_iter().flat_map(|c| c.values.values()).collect();
        values.sort_by_key(|(version, _)| *version);
        let again = values.into_iter();
        let again = again.map(|(_, change)| (incarnation.clone(), change.clone()));
        self.again.extend(again);
        self.changed = true;
    }

    pub(super) fn take_again(&mut self) -> Vec<(Incarnation, Change)> {
        std::mem::take(&mut self.again)
    }

    pub(super) fn bury(&mut self, incarnation: &Incarnation) {
        if let Some(copy) = self.copies.get_mut(incarnation) {
            copy.values.clear();
            copy.emptied = copy.version;
        }
    }

    pub(super) fn forget(&mut self, incarnations: &BTreeSet<Incarnation>) {
        self.copies
            .retain(|incarnation, _| !incarnations.contains(incarnation));
        self.ids.forget(incarnations, self.copies.keys());
    }

    /// Whether there was no room for an incarnation since the last call.
    pub(super) fn take_was_full(&mut self) -> bool {
        self.ids.take_was_full()
    }

    /// Counts anew which incarnations it knows.
    pub(super) fn recount(&mut self) {
        self.ids.retain(self.copies.keys());
    }

    /// The version of the first group in its copy of an incarnation that is garbled, for a server of this format.
    pub(super) fn first_garbled(
        &self,
        incarnation: &Incarnation,
        format: GroupFormat,
    ) -> Option<u64> {
        let copy = self.copies.get(incarnation).filter(|_| self.is_garbled)?;
        let garbled = copy
            .values
            .values()
            .filter(|(_, change)| is_garbled(change, format));
        garbled.map(|(version, _)| *version).min()
    }

    /// Whether its copy of an incarnation holds a group of a format that a server of this one does not read.
    pub(super) fn holds_unread(&self, incarnation: &Incarnation, format: GroupFormat) -> bool {
        let copy = self.copies.get(incarnation);
        let mut values = copy.into_iter().flat_map(|copy| copy.values.values());
        values.any(|(_, change)| {
            let group = group_of(change);
            group.is_some_and(|group| {
                matches!(format.read(group), Err(GroupError::UnknownVersion(_)))
            })
        })
    }

    /// What it knows of all other incarnations.
    pub(super) fn sightings(&self, now: Instant) -> Vec<Sighting> {
        let others = self.copies.iter().filter(|(other, _)| **other != self.me);
        let sighting = |(incarnation, copy): (&Incarnation, &Copy)| Sighting {
            incarnation: incarnation.clone(),
            live: copy.heartbeat > 1 && now.saturating_duration_since(copy.heard) < SILENT_AFTER,
            heartbeat: copy.heartbeat,
            max_version: copy.version,
            holds_slots: copy
                .values
                .keys()
                .any(|key| matches!(key, Key::Group(_) | Key::Buried)),
        };
        others.map(sighting).collect()
    }
}

impl Delta {
    /// Garbles groups on their way: `draw` says which.
    pub(super) fn garble(&mut self, mut draw: impl FnMut() -> bool) {
        for (_, change) in self.nodes.iter_mut().flat_map(|node| &mut node.values) {
            if let Change::Group { group, .. } = change
                && draw()
            {
                self.is_garbled = true;
                // Every other one is no group at all, as one that is no base64.
                *group = group.take().filter(|_| draw()).map(|group| {
                    let mut bytes = group.to_vec();
                    bytes.truncate(bytes.len() / 2);
                    bytes.into()
                });
            }
        }
    }

    /// Claims that incarnations have published more than they have.
    pub(super) fn overstate(&mut self, more: u64) {
        for node in &mut self.nodes {
            node.version += more;
        }
    }
}

fn group_of(change: &Change) -> Option<&[u8]> {
    match change {
        Change::Group { group, .. } => group.as_deref(),
        _ => None,
    }
}

fn is_garbled(change: &Change, format: GroupFormat) -> bool {
    let Change::Group { group, .. } = change else {
        return false;
    };
    match group.as_deref().map(|group| format.read(group)) {
        Some(Ok(_) | Err(GroupError::UnknownVersion(_))) => false,
        Some(Err(_)) | None => true,
    }
}

/// What a server that has a copy up to this version lacks of it, but no more values than there is room for; and whether
/// it lacks more.
fn node_delta(
    incarnation: &Incarnation,
    copy: &Copy,
    known: u64,
    room: usize,
) -> (NodeDelta, bool) {
    let from = if known < copy.emptied { 0 } else { known };
    let values = copy.values.values().filter(|(version, _)| *version > from);
    let mut values: Vec<_> = values.cloned().collect();
    values.sort_by_key(|(version, _)| *version);
    let is_cut = values.len() > room;
    values.truncate(room);
    let last = values.last().filter(|_| is_cut);
    let node = NodeDelta {
        incarnation: incarnation.clone(),
        from,
        version: last.map_or(copy.version, |(version, _)| *version),
        emptied: copy.emptied,
        values,
    };
    (node, is_cut)
}

fn copy(now: Instant) -> Copy {
    Copy {
        version: 0,
        emptied: 0,
        values: BTreeMap::new(),
        heartbeat: 1,
        heard: now,
    }
}

/// The first heartbeat is no sign of life.
fn copy_of_a_stranger(now: Instant) -> Copy {
    Copy {
        heartbeat: 0,
        heard: now,
        ..copy(now)
    }
}
