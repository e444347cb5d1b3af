//! What others publish, taken once more though nothing of it has changed: publications are given up to servers that have
//! come back, and publishers become known that were not.
//!
//! All that gossip holds may be noted so at once, as when links flap. So its keys are noted, and a few values are read at
//! the moment they are needed.

use std::collections::VecDeque;

use chitchat::ChitchatId;

use super::{Engine, Noticed, chitchat_id, incarnation_of};
use crate::incarnation::Incarnation;
use crate::timing::GROUPS_PER_LOCK;
use herd_replica::changes::Change;

/// Keys by incarnation, each list in the order of publication.
#[derive(Debug, Default)]
pub(super) struct NotedAgain {
    of: VecDeque<KeysOf>,
}

#[derive(Debug)]
struct KeysOf {
    id: ChitchatId,
    keys: VecDeque<VersionedKey>,
}

/// A key, and the version with which it had the value that is meant.
type VersionedKey = (u64, String);

impl NotedAgain {
    /// In place of what was noted of this incarnation and not taken.
    fn note(&mut self, id: ChitchatId, mut keys: Vec<VersionedKey>) {
        self.of.retain(|of| of.id != id);
        if !keys.is_empty() {
            keys.sort_unstable();
            let keys = keys.into();
            self.of.push_back(KeysOf { id, keys });
        }
    }

    /// The next keys of one incarnation, at most `max`.
    fn take(&mut self, max: usize) -> Option<(ChitchatId, Vec<VersionedKey>)> {
        let of = self.of.front_mut()?;
        let taken = of.keys.drain(..max.min(of.keys.len())).collect();
        let id = of.id.clone();
        if of.keys.is_empty() {
            self.of.pop_front();
        }
        Some((id, taken))
    }
}

impl Engine {
    /// Notes everything that `incarnation` publishes, to be taken once more by `take_again`.
    pub async fn note_again(&self, incarnation: &Incarnation) {
        let id = chitchat_id(incarnation);
        let keys: Vec<VersionedKey> = self
            .handle
            .with_chitchat(|chitchat| {
                let Some(state) = chitchat.node_state(&id) else {
                    return Vec::new();
                };
                let all = state.key_values_including_deleted();
                let set = all.filter(|(_, value)| !value.is_deleted());
                set.map(|(key, value)| (value.version, key.to_owned()))
                    .collect()
            })
            .await;
        self.again.lock().note(id, keys);
        self.changed.notify_one();
    }

    /// Takes a few of the values that were noted again, in the order in which their publisher set them. What it has set
    /// anew since is left out: it is among what [`Engine::take_changes`] takes, to be merged after all of these, of which
    /// some may be older. `None` when no more are left.
    pub async fn take_again(&self) -> Option<Vec<(Incarnation, Change)>> {
        let (id, keys) = self.again.lock().take(GROUPS_PER_LOCK)?;
        let noticed: Vec<Noticed> = self
            .handle
            .with_chitchat(|chitchat| {
                // None if it was forgotten meanwhile.
                let Some(state) = chitchat.node_state(&id) else {
                    return Vec::new();
                };
                let present = keys.iter().filter_map(|(version, key)| {
                    let value = state.get_versioned(key)?;
                    let is_meant = value.version == *version && !value.is_deleted();
                    is_meant.then(|| (id.clone(), key.clone(), *version, value.value.clone()))
                });
                present.collect()
            })
            .await;
        let incarnation = incarnation_of(&id);
        let changes = noticed.into_iter().filter_map(|(_, key, version, value)| {
            let change = self.change_of(&key, version, &value)?;
            Some((incarnation.clone(), change))
        });
        Some(changes.collect())
    }
}

#[cfg(test)]
mod tests {
    use herd_crdt::SlotId;

    use super::super::rebuild::tests::{group, hill};
    use super::*;

    fn id(server: &str) -> ChitchatId {
        chitchat_id(&Incarnation {
            server: server.into(),
            generation: 1,
        })
    }

    fn keys(versions: impl IntoIterator<Item = u64>) -> Vec<VersionedKey> {
        let key = |version: u64| (version, format!("s/{version}"));
        versions.into_iter().map(key).collect()
    }

    #[test]
    fn noted_keys_come_once_in_order_and_in_pieces() {
        let mut noted = NotedAgain::default();
        noted.note(id("Hill"), keys([5, 3, 9]));
        noted.note(id("Smith"), keys([7]));
        noted.note(id("Jaquez"), Vec::new());
        assert_eq!(noted.take(2), Some((id("Hill"), keys([3, 5]))));
        noted.note(id("Hill"), keys([9, 3, 5]));
        assert_eq!(noted.take(2), Some((id("Smith"), keys([7]))));
        assert_eq!(noted.take(2), Some((id("Hill"), keys([3, 5]))));
        assert_eq!(noted.take(2), Some((id("Hill"), keys([9]))));
        assert_eq!(noted.take(2), None);
    }

    fn smith() -> Incarnation {
        Incarnation {
            server: "Smith".into(),
            generation: 1,
        }
    }

    /// Smith publishes what Hill does.
    async fn smith_publishes_it_too(engine: &Engine) {
        let id = chitchat_id(&smith());
        let copy = |chitchat: &mut chitchat::Chitchat| {
            let state = chitchat.self_node_state();
            let values: Vec<_> = state
                .key_values_including_deleted()
                .map(|(key, value)| (key.to_owned(), value.clone()))
                .collect();
            let version = state.max_version();
            chitchat.reset_node_state_if_update(&id, values.into_iter(), version, 0);
        };
        engine.handle.with_chitchat(copy).await;
    }

    #[tokio::test(start_paused = true)]
    async fn values_noted_again_are_read_late_but_for_new_ones() {
        const SLOTS: usize = 3 * GROUPS_PER_LOCK;
        let (engine, _links) = hill().await;
        let groups: Vec<_> = (0..u32::try_from(SLOTS).unwrap())
            .map(|slot| group(slot, 100))
            .collect();
        engine.set_groups(&groups).await;
        smith_publishes_it_too(&engine).await;
        engine.take_changes().await;
        engine.note_again(&smith()).await;
        // No value is held meanwhile.
        assert!(engine.noted.lock().values.is_empty());
        let mut slots = Vec::new();
        let mut last_version = 0;
        while let Some(piece) = engine.take_again().await {
            assert!(piece.len() <= GROUPS_PER_LOCK);
            for (incarnation, change) in piece {
                assert_eq!(incarnation, smith());
                if let Change::Group { slot, version, .. } = change {
                    assert!(version > last_version, "in the order of publication");
                    last_version = version;
                    slots.push(slot);
                }
            }
            if slots.len() < 2 * GROUPS_PER_LOCK {
                engine.set_groups(&[group(SLOTS as u32 - 1, 200)]).await;
                smith_publishes_it_too(&engine).await;
            }
        }
        let all_but_the_last = (0..SLOTS as u32 - 1).map(SlotId);
        assert!(slots.into_iter().eq(all_but_the_last));
        assert!(engine.take_again().await.is_none());
    }

    /// What is freed has to leave the process, or it hides what is taken: with glibc,
    /// `MALLOC_MMAP_THRESHOLD_=4096 cargo test --lib -- --ignored --nocapture what_it_takes`.
    #[tokio::test]
    #[ignore = "a measurement"]
    async fn what_it_takes_in_memory_to_note_a_million_clients_again() {
        let (engine, _links) = hill().await;
        for slot in 0..8_000 {
            engine.set_groups(&[group(slot, 12_000)]).await;
        }
        smith_publishes_it_too(&engine).await;
        engine.take_changes().await;
        let status = || std::fs::read_to_string("/proc/self/status").unwrap();
        let peak_kib = |status: &str| -> u64 {
            let line = status.lines().find(|line| line.starts_with("VmHWM"));
            let line = line.unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        // The peak is counted from here on.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = peak_kib(&status());
        engine.note_again(&smith()).await;
        let mut groups = 0;
        while let Some(piece) = engine.take_again().await {
            groups += piece.len();
        }
        let grown = peak_kib(&status()) - before;
        println!("{groups} groups noted again: {} MiB more", grown / 1_024);
    }
}
