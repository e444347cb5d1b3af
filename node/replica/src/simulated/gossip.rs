//! Gossip as a model: what chitchat's digests and deltas come to, without bounds on messages.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use herd_crdt::group::GROUP_FORMAT_VERSION;

use crate::changes::{Change, Changes};
use crate::incarnation::Incarnation;
use crate::membership::Sighting;
use crate::settlement::{Settlement, Told};

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

/// The gossip of one incarnation.
pub(super) struct Gossip {
    me: Incarnation,
    copies: BTreeMap<Incarnation, Copy>,
    noted: BTreeMap<(Incarnation, Key), (u64, Change)>,
    again: Vec<(Incarnation, Change)>,
    /// Of each server the greatest generation that was forgotten.
    forgotten: BTreeMap<String, u64>,
    changed: bool,
}

impl Gossip {
    pub(super) fn begin(me: Incarnation, now: Instant) -> Self {
        let mut gossip = Gossip {
            me,
            copies: BTreeMap::new(),
            noted: BTreeMap::new(),
            again: Vec::new(),
            forgotten: BTreeMap::new(),
            changed: false,
        };
        gossip.set(Change::Tells(GROUP_FORMAT_VERSION), now);
        gossip.tell(Settlement::default(), now);
        gossip
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

    pub(super) fn tell(&mut self, settlement: Settlement, now: Instant) {
        let version = 0;
        let told = Told {
            settlement,
            version,
        };
        self.set(Change::Settled(told), now);
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

    /// What the owner of the digest lacks.
    pub(super) fn delta(&self, version_of: impl Fn(&Incarnation) -> u64) -> Vec<NodeDelta> {
        let mut delta = Vec::new();
        for (incarnation, copy) in &self.copies {
            let known = version_of(incarnation);
            if copy.version <= known {
                continue;
            }
            let from = if known < copy.emptied { 0 } else { known };
            let values = copy.values.values().filter(|(version, _)| *version > from);
            let mut values: Vec<_> = values.cloned().collect();
            values.sort_by_key(|(version, _)| *version);
            delta.push(NodeDelta {
                incarnation: incarnation.clone(),
                from,
                version: copy.version,
                emptied: copy.emptied,
                values,
            });
        }
        delta
    }

    /// Takes in what another server knows of who lives.
    pub(super) fn hear(&mut self, digest: &Digest, now: Instant) {
        for (incarnation, (heartbeat, _)) in digest {
            if *incarnation == self.me || self.is_forgotten(incarnation) {
                continue;
            }
            let copy = self.copies.entry(incarnation.clone());
            let copy = copy.or_insert_with(|| copy_of_a_stranger(now));
            if *heartbeat > copy.heartbeat {
                copy.heartbeat = *heartbeat;
                copy.heard = now;
            }
        }
    }

    pub(super) fn take(&mut self, delta: Vec<NodeDelta>) {
        for node in delta {
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
        for incarnation in incarnations {
            self.copies.remove(incarnation);
            let server = incarnation.server.to_string();
            let up_to = self.forgotten.entry(server).or_insert(0);
            *up_to = incarnation.generation.max(*up_to);
        }
    }

    fn is_forgotten(&self, incarnation: &Incarnation) -> bool {
        let up_to = self.forgotten.get(&*incarnation.server);
        up_to.is_some_and(|&up_to| incarnation.generation <= up_to)
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
