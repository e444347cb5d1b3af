//! The gossip engine: chitchat, and all that the rest of the program needs to know of it.
//!
//! Each incarnation of a server is one chitchat node. Its key-value state holds one key for each
//! slot, whose value is the slot's delta group as a text (`slot_value`), one key that names the
//! incarnations whose copies this server has buried, one that tells how its links are, and two that tell of its map
//! (`settlement`). chitchat's digests and deltas carry these to everyone.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use again::NotedAgain;
use chitchat::{
    Chitchat, ChitchatHandle, ChitchatId, Deserializable as _, Heartbeat, NodeState, spawn_chitchat,
};
use herd_crdt::group::GroupFormat;
use herd_crdt::{SlotGroup, SlotId};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::digests::{Entry, chitchat_id, incarnation_of, syn_of};
use super::guard::key::{BURIED_KEY, LINKS_KEY, SETTLEMENT_KEY, SLOT_PREFIX, TOLD_KEY};
use super::incarnation::Incarnation;
use super::links::Links;
use super::slot_value::SlotValues;
use super::socket::LinkTransport;
use super::timing::GROUPS_PER_LOCK;
use herd_replica::changes::{Change, Changes};
use herd_replica::engine_error::EngineError;
use herd_replica::link_words;
use herd_replica::membership::Sighting;
use herd_replica::push::{Comparison, EVERYTHING, NodeVersions};
use herd_replica::settlement::{Settlement, Told};
use herd_topology::gossip_address;

mod again;
mod rebuild;
mod sweep;

/// What came in and was not taken yet. Bounded by the size of the state itself.
#[derive(Default)]
struct Noted {
    /// By node and key: a value that is overwritten before it was taken is not needed.
    values: BTreeMap<(ChitchatId, String), String>,
    senders: BTreeSet<SocketAddr>,
}

/// A running incarnation.
pub struct Engine {
    handle: ChitchatHandle,
    incarnation: Incarnation,
    links: Arc<Links>,
    values: SlotValues,
    noted: Arc<Mutex<Noted>>,
    again: Mutex<NotedAgain>,
    changed: Arc<Notify>,
}

impl Engine {
    /// Starts gossip under `incarnation`, over `links`. No round begins by itself: see
    /// [`Engine::begin_round`].
    ///
    /// # Errors
    /// If chitchat does not start.
    pub async fn start(
        incarnation: Incarnation,
        links: &Arc<Links>,
        format: GroupFormat,
    ) -> Result<Engine, EngineError> {
        let config = rebuild::config(&incarnation, &links.view.cluster);
        let values = SlotValues::new().map_err(EngineError::new)?;
        let transport = LinkTransport {
            links: links.clone(),
        };
        // Before anybody can have anything else of this incarnation.
        let initial = [
            (TOLD_KEY, format.reads_up_to().to_string()),
            (SETTLEMENT_KEY, Settlement::default().text().to_owned()),
        ];
        let initial = initial.map(|(key, value)| (key.to_owned(), value));
        links.note_published(incarnation.generation, initial.len() as u64);
        let handle = spawn_chitchat(config, initial.to_vec(), &transport)
            .await
            .map_err(EngineError::new)?;
        let engine = Engine {
            handle,
            incarnation,
            links: links.clone(),
            values,
            noted: Arc::default(),
            again: Mutex::default(),
            changed: Arc::default(),
        };
        engine
            .handle
            .with_chitchat(|chitchat| engine.listen_to(chitchat))
            .await;
        Ok(engine)
    }

    /// The incarnation that runs.
    pub fn incarnation(&self) -> &Incarnation {
        &self.incarnation
    }

    /// Resolves when something has changed since the last `Engine::take_changes`, or was noted again.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Takes what other incarnations have changed since the last call.
    pub async fn take_changes(&self) -> Changes {
        // One hold of the lock: no change can come between the values and the versions.
        let (values, senders, versions) = self
            .handle
            .with_chitchat(|chitchat| {
                let versions: Vec<_> = chitchat
                    .node_states()
                    .iter()
                    .map(|(id, state)| (incarnation_of(id), state.max_version()))
                    .collect();
                let Noted { values, senders } = std::mem::take(&mut *self.noted.lock());
                let values: Vec<_> = values
                    .into_iter()
                    .map(|((id, key), value)| {
                        let state = chitchat.node_state(&id);
                        let version = state.and_then(|state| state.get_versioned(&key));
                        let version = version.map_or(0, |versioned| versioned.version);
                        (id, key, version, value)
                    })
                    .collect();
                (values, senders, versions)
            })
            .await;
        let changes = in_order_of_publication(values)
            .into_iter()
            .filter_map(|(id, key, version, value)| {
                let change = self.change_of(&key, version, &value)?;
                Some((incarnation_of(&id), change))
            })
            .collect();
        Changes {
            changes,
            versions,
            senders: senders.into_iter().collect(),
        }
    }

    /// What a key's new value means; `None` for keys of a later version of herd.
    fn change_of(&self, key: &str, version: u64, value: &str) -> Option<Change> {
        if key == BURIED_KEY {
            return Some(Change::Buried(
                value.lines().filter_map(parse_buried).collect(),
            ));
        }
        if key == LINKS_KEY {
            return Some(Change::Links(link_words::parse(value)));
        }
        if key == TOLD_KEY {
            // Releases that read version 1 alone say 1.
            return Some(Change::Tells(value.parse().unwrap_or(1)));
        }
        if key == SETTLEMENT_KEY {
            let settlement = Settlement::parse(value);
            return Some(Change::Settled(Told {
                settlement,
                version,
            }));
        }
        let digits = key.strip_prefix(SLOT_PREFIX)?;
        let slot = SlotId(u32::from_str_radix(digits, 16).ok()?);
        // One way to write each number: two keys for one slot would overwrite each other in the store.
        (slot_key(slot) == key).then_some(())?;
        Some(Change::Group {
            slot,
            version,
            group: self.values.group_of(value),
        })
    }

    /// Sets slots, in this order. Returns the version of our state.
    pub async fn set_groups(&self, groups: &[SlotGroup]) -> u64 {
        let mut version = 0;
        for chunk in groups.chunks(GROUPS_PER_LOCK) {
            let mut encoded: Vec<(String, String)> = chunk
                .iter()
                .map(|group| (slot_key(group.slot), self.values.text_of(&group.group)))
                .collect();
            version = self
                .handle
                .with_chitchat(|chitchat| {
                    let state = chitchat.self_node_state();
                    for (key, value) in encoded.drain(..) {
                        state.set(key, value);
                    }
                    self.note_published(state)
                })
                .await;
        }
        version
    }

    /// What gossip knows of all other incarnations.
    pub async fn sightings(&self) -> Vec<Sighting> {
        let me = chitchat_id(&self.incarnation);
        self.handle
            .with_chitchat(|chitchat| {
                let live: BTreeSet<&ChitchatId> = chitchat.live_nodes().collect();
                chitchat
                    .node_states()
                    .iter()
                    .filter(|(id, _)| **id != me)
                    .map(|(id, state)| Sighting {
                        incarnation: incarnation_of(id),
                        live: live.contains(id),
                        heartbeat: state.heartbeat().into(),
                        max_version: state.max_version(),
                        holds_slots: holds_slots(state),
                    })
                    .collect()
            })
            .await
    }

    /// Whether the engine's loop has come round since its heartbeat was `last`, and its heartbeat now.
    ///
    /// If a neighbour knows a higher heartbeat of this incarnation, somebody has made that up. Whoever believes it would
    /// hear no sign of life until this incarnation had got that far, so it goes on from there.
    pub async fn heartbeat(&self, last: u64) -> (bool, u64) {
        let claimed = self.links.claimed_heartbeat(self.incarnation.generation);
        let claimed = Heartbeat::deserialize(&mut claimed.to_le_bytes().as_slice());
        self.handle
            .with_chitchat(|chitchat| {
                let state = chitchat.self_node_state();
                let has_turned = u64::from(state.heartbeat()) != last;
                if let Ok(claimed) = claimed {
                    state.try_set_heartbeat(claimed);
                }
                (has_turned, state.heartbeat().into())
            })
            .await
    }

    /// Empties our copy of what `incarnation` published, and keeps its id and version, so that
    /// neighbours do not send it again.
    pub async fn bury(&self, incarnation: &Incarnation) {
        let id = chitchat_id(incarnation);
        self.handle
            .with_chitchat(|chitchat| {
                let Some(state) = chitchat.node_state(&id) else {
                    return;
                };
                let version = state.max_version();
                // chitchat asserts that a reset moves forward.
                if state.last_gc_version() < version {
                    // "Everything up to this version was deleted, and forgotten."
                    chitchat.reset_node_state_if_update(&id, std::iter::empty(), version, version);
                }
            })
            .await;
    }

    /// Tells the others which incarnations are buried here.
    pub async fn name_buried(&self, buried: &[Incarnation]) {
        let lines: Vec<String> = buried
            .iter()
            .map(|incarnation| format!("{:016x} {}", incarnation.generation, incarnation.server))
            .collect();
        let value = lines.join("\n");
        self.handle
            .with_chitchat(|chitchat| self.publish(chitchat.self_node_state(), BURIED_KEY, &value))
            .await;
    }

    /// Tells the others how the links of this server are. It travels with the next push or round.
    pub async fn tell_links(&self, text: &str) {
        self.handle
            .with_chitchat(|chitchat| self.publish(chitchat.self_node_state(), LINKS_KEY, text))
            .await;
    }

    /// Tells the others of the map of this server. It travels with the next push or round.
    pub async fn tell_settlement(&self, settlement: Settlement) {
        let text = settlement.text();
        self.handle
            .with_chitchat(|chitchat| {
                self.publish(chitchat.self_node_state(), SETTLEMENT_KEY, text);
            })
            .await;
    }

    fn publish(&self, state: &mut NodeState, key: &str, value: &str) {
        state.set(key, value);
        self.note_published(state);
    }

    /// Under chitchat's lock, and so before anybody can hear of it. Returns the version of our state.
    fn note_published(&self, state: &NodeState) -> u64 {
        let version = state.max_version();
        self.links
            .note_published(self.incarnation.generation, version);
        version
    }

    /// What this server has of all incarnations that gossip hands on, beside what a neighbour has by
    /// `neighbours_version`; `None` if that has never heard of one of them.
    pub async fn compare(
        &self,
        neighbours_version: impl Fn(&Incarnation) -> Option<u64>,
    ) -> Option<Comparison> {
        let nodes: Option<Vec<NodeVersions>> = self
            .handle
            .with_chitchat(|chitchat| {
                passed_on(chitchat)
                    .map(|(id, state)| {
                        let incarnation = incarnation_of(id);
                        let neighbours_version = match neighbours_version(&incarnation) {
                            Some(version) => version,
                            // Nothing is lost if it never hears of that one, which it may have forgotten.
                            None if !holds_slots(state) => EVERYTHING,
                            None => return None,
                        };
                        Some(NodeVersions {
                            neighbours_version,
                            incarnation,
                            own_version: state.max_version(),
                        })
                    })
                    .collect()
            })
            .await;
        nodes.map(Comparison)
    }

    /// Begins a round with a neighbour: sends it a SYN. chitchat's own loop would make the same one, but in its turn among
    /// the branches of that loop, which it draws.
    pub async fn begin_round(&self, neighbour: &str) {
        let cluster = &self.links.view.cluster;
        let syn = self
            .handle
            .with_chitchat(|chitchat| {
                let states = passed_on(chitchat).map(|(id, state)| (incarnation_of(id), state));
                let states: Vec<_> = states.collect();
                let entries = states.iter().map(|(incarnation, state)| Entry {
                    incarnation,
                    heartbeat: state.heartbeat().into(),
                    last_gc_version: state.last_gc_version(),
                    version: state.max_version(),
                });
                syn_of(cluster, entries)
            })
            .await;
        // Gossip knows fewer incarnations than a digest can name.
        if let Some(syn) = syn {
            self.links.send(gossip_address(neighbour), syn);
        }
    }

    /// Resolves when the engine's loop has ended, by itself or by a panic.
    pub fn terminated(&self) -> impl Future<Output = EngineError> + use<> {
        let ended = self.handle.termination_watcher();
        async move {
            match ended.await {
                Ok(()) => EngineError::new("its loop has ended"),
                Err(error) => EngineError::new(error),
            }
        }
    }

    /// Ends the engine's loop at once.
    pub fn stop(&self) {
        self.handle.abort();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The states of all incarnations but those that are about to be forgotten: neither digests nor deltas speak of them
/// any more.
fn passed_on(chitchat: &Chitchat) -> impl Iterator<Item = (&ChitchatId, &NodeState)> {
    let leaving: BTreeSet<_> = chitchat.scheduled_for_deletion_nodes().collect();
    let states = chitchat.node_states().iter();
    states.filter(move |(id, _)| !leaving.contains(id))
}

/// A key that changed, its version, and its value.
type Noticed = (ChitchatId, String, u64, String);

/// What compaction moved stands in two slots until the former one is used again, and both may come together. The
/// later one is where it is, and has to be merged last: a record that is looked for in the other is missed when that
/// is overwritten. What gossip has forgotten by now has version 0 and is in no order: nothing will overwrite it.
fn in_order_of_publication(mut noticed: Vec<Noticed>) -> Vec<Noticed> {
    // Stable: of those with the same version the order is that of ids and keys.
    noticed.sort_by_key(|(_, _, version, _)| *version);
    noticed
}

/// No copy is a burden for what its server said of its links and its map.
fn holds_slots(state: &NodeState) -> bool {
    let mut keys = state.key_values_including_deleted();
    keys.any(|(key, _)| ![LINKS_KEY, TOLD_KEY, SETTLEMENT_KEY].contains(&key))
}

fn slot_key(slot: SlotId) -> String {
    format!("{SLOT_PREFIX}{:08x}", slot.0)
}

fn parse_buried(line: &str) -> Option<Incarnation> {
    let (generation, server) = line.split_once(' ')?;
    let generation = u64::from_str_radix(generation, 16).ok()?;
    Some(Incarnation {
        server: server.into(),
        generation,
    })
}

#[cfg(test)]
mod tests;
