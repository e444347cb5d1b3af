//! chitchat's value: how it is made, and made anew without incarnations that are to be forgotten.
//!
//! chitchat forgets an id only when it has been dead for as long as all dead ones are kept. So its value is
//! replaced by a new one, into which everything but the forgotten moves, under its lock and between two
//! messages: its loop goes on with the new one.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use chitchat::{Chitchat, ChitchatConfig, ChitchatId, FailureDetectorConfig};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::info;

use super::{Engine, Noted, chitchat_id, incarnation_of};
use crate::digests::{Entry, syn_ack_of};
use crate::incarnation::Incarnation;
use crate::timing::{
    CHITCHAT_TICK, DEAD_GRACE, PHI_INITIAL_INTERVAL, PHI_INTERVAL_MAX, PHI_THRESHOLD, PHI_WINDOW,
};
use herd_topology::gossip_address;

/// Heartbeats that a live incarnation is given when chitchat is made anew: the first is no sign of life, and the
/// next two are an interval.
const HEARTBEATS_TO_LIVE: u64 = 3;

/// What is known of an incarnation's life: its heartbeat, and whether it is live.
type Lives = BTreeMap<Incarnation, (u64, bool)>;

pub(super) fn config(incarnation: &Incarnation, cluster: &str) -> ChitchatConfig {
    ChitchatConfig {
        chitchat_id: chitchat_id(incarnation),
        cluster_id: cluster.to_owned(),
        gossip_interval: CHITCHAT_TICK,
        listen_addr: gossip_address(&incarnation.server),
        // chitchat would gossip with seeds beside the pacer.
        seed_nodes: Vec::new(),
        failure_detector_config: FailureDetectorConfig::new(
            PHI_THRESHOLD,
            PHI_WINDOW,
            PHI_INTERVAL_MAX,
            PHI_INITIAL_INTERVAL,
            DEAD_GRACE,
        ),
        // We never delete a key.
        marked_for_deletion_grace_period: Duration::from_secs(3600),
        catchup_callback: None,
        // Else each tick clones the state of every live node for a watcher that we do not use.
        extra_liveness_predicate: Some(Box::new(|_| false)),
    }
}

impl Engine {
    /// From now on changes of others are noted. The callback runs under chitchat's lock: it only copies the value
    /// and wakes the receiver.
    pub(super) fn listen_to(&self, chitchat: &Chitchat) {
        let me = chitchat_id(&self.incarnation);
        let (noted, changed) = (self.noted.clone(), self.changed.clone());
        let links = self.links.clone();
        let listener = chitchat.subscribe_event("", move |event| {
            if *event.node != me {
                let key = (event.node.clone(), event.key.to_owned());
                let mut noted: parking_lot::MutexGuard<'_, Noted> = noted.lock();
                noted.values.insert(key, event.value.to_owned());
                noted.senders.extend(links.processing());
                drop(noted);
                changed.notify_one();
            }
        });
        listener.forever();
    }

    /// Makes chitchat forget these incarnations for good. Nothing that others publish is noted again.
    pub async fn forget(&self, incarnations: &BTreeSet<Incarnation>) {
        // No message that may speak of them is being processed.
        let gate = self.links.message_gate.clone().lock_owned().await;
        let started = Instant::now();
        let forgotten: BTreeSet<ChitchatId> = incarnations.iter().map(chitchat_id).collect();
        let lives = self
            .handle
            .with_chitchat(|chitchat| {
                let config = config(&self.incarnation, &self.links.view.cluster);
                let lives = lives(chitchat, &forgotten);
                let anew = without(chitchat, config, &forgotten);
                *chitchat = anew;
                self.listen_to(chitchat);
                let known = lives.keys().chain([&self.incarnation]);
                self.links.ids.lock().forget(incarnations, known);
                lives
            })
            .await;
        drop(gate);
        info!(
            incarnations = incarnations.len(),
            left = lives.len(),
            took_us = started.elapsed().as_micros() as u64,
            "superseded incarnations are forgotten"
        );
        self.revive(&lives).await;
    }

    /// Counts anew which ids chitchat knows: it forgets some by itself.
    pub async fn recount(&self) {
        // No id that was admitted is on its way to chitchat.
        let gate = self.links.message_gate.clone().lock_owned().await;
        self.handle
            .with_chitchat(|chitchat| {
                let known: Vec<_> = chitchat.node_states().keys().map(incarnation_of).collect();
                self.links.ids.lock().retain(known.iter());
            })
            .await;
        drop(gate);
    }

    /// Tells the new chitchat how alive the others are, in digests as a neighbour would.
    async fn revive(&self, lives: &Lives) {
        for back in (0..HEARTBEATS_TO_LIVE).rev() {
            let told = lives.iter().filter(|(_, (_, live))| *live || back == 0);
            let told = told.map(|(incarnation, (heartbeat, _))| (incarnation, *heartbeat));
            let entries: Vec<Entry<'_>> = told
                .chain([(&self.incarnation, 0)])
                .map(|(incarnation, heartbeat)| Entry {
                    incarnation,
                    heartbeat: heartbeat.saturating_sub(back),
                    last_gc_version: 0,
                    // It asks for nothing.
                    version: u64::MAX,
                })
                .collect();
            if let Some(message) = syn_ack_of(entries.into_iter()) {
                self.links.hand_in_own(message).await;
            }
        }
    }
}

fn lives(chitchat: &Chitchat, forgotten: &BTreeSet<ChitchatId>) -> Lives {
    let live: HashSet<&ChitchatId> = chitchat.live_nodes().collect();
    let others = chitchat
        .node_states()
        .iter()
        .filter(|(id, _)| *id != chitchat.self_chitchat_id() && !forgotten.contains(id));
    let life = |(id, state): (&ChitchatId, &chitchat::NodeState)| {
        let heartbeat = state.heartbeat().into();
        (incarnation_of(id), (heartbeat, live.contains(id)))
    };
    others.map(life).collect()
}

/// A chitchat that knows all that `old` does but for the forgotten. `old` is emptied node by node, so that hardly
/// more than one node is there twice at any time.
fn without(
    old: &mut Chitchat,
    config: ChitchatConfig,
    forgotten: &BTreeSet<ChitchatId>,
) -> Chitchat {
    // Nothing is ever sent over it: there are no seeds.
    let (_, no_seeds) = watch::channel(HashSet::new());
    let mut new = Chitchat::with_chitchat_id_and_seeds(config, no_seeds, Vec::new());
    let ids: Vec<ChitchatId> = old.node_states().keys().cloned().collect();
    for id in ids.iter().filter(|id| !forgotten.contains(id)) {
        let Some(state) = old.node_state(id) else {
            continue;
        };
        let (last_gc_version, max_version) = state.monotonic_property();
        if (last_gc_version, max_version) == (0, 0) {
            // Nothing was heard of it but its heartbeat, which it is told later.
            continue;
        }
        let values = state
            .key_values_including_deleted()
            .map(|(key, value)| (key.to_owned(), value.clone()));
        new.reset_node_state_if_update(id, values, max_version, last_gc_version);
        if last_gc_version < max_version {
            old.reset_node_state_if_update(id, std::iter::empty(), max_version, max_version);
        }
    }
    let heartbeat = old.self_node_state().heartbeat();
    new.self_node_state().try_set_heartbeat(heartbeat);
    new
}

#[cfg(test)]
#[path = "rebuild_tests.rs"]
pub(super) mod tests;
