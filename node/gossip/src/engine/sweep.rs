//! A look at all groups that others publish, a few at a time.

use std::collections::VecDeque;

use bytes::Bytes;
use chitchat::ChitchatId;

use super::{Engine, SLOT_PREFIX, chitchat_id};
use crate::timing::GROUPS_PER_LOCK;

/// The slots of other incarnations that are still to be looked at. One that is set meanwhile is seen as it was, or as it
/// is then.
#[derive(Debug)]
pub struct Sweep {
    slots: VecDeque<(ChitchatId, String)>,
}

impl Engine {
    /// Notes all slots of other incarnations.
    pub async fn begin_sweep(&self) -> Sweep {
        let me = chitchat_id(&self.incarnation);
        let slots = self
            .handle
            .with_chitchat(|chitchat| {
                let states = chitchat.node_states().iter();
                let others = states.filter(|(id, _)| **id != me);
                let slots = others.flat_map(|(id, state)| {
                    let keys = state.key_values_including_deleted();
                    let set = keys
                        .filter(|(key, value)| key.starts_with(SLOT_PREFIX) && !value.is_deleted());
                    set.map(|(key, _)| (id.clone(), key.to_owned()))
                });
                slots.collect()
            })
            .await;
        Sweep { slots }
    }

    /// The next groups, without values that hold none; `None` at the end.
    pub async fn sweep_on(&self, sweep: &mut Sweep) -> Option<Vec<Bytes>> {
        if sweep.slots.is_empty() {
            return None;
        }
        let piece = sweep.slots.len().min(GROUPS_PER_LOCK);
        let piece: Vec<_> = sweep.slots.drain(..piece).collect();
        let texts: Vec<String> = self
            .handle
            .with_chitchat(|chitchat| {
                let present = piece.iter().filter_map(|(id, key)| {
                    let value = chitchat.node_state(id)?.get_versioned(key)?;
                    (!value.is_deleted()).then(|| value.value.clone())
                });
                present.collect()
            })
            .await;
        let groups = texts.iter().filter_map(|text| self.values.group_of(text));
        Some(groups.collect())
    }
}
