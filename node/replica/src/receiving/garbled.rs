//! Groups that nobody can read: what is published behind them is not reported as merged.

use std::collections::BTreeMap;

use herd_crdt::SlotId;

use crate::incarnation::Incarnation;

/// For each incarnation its slots whose present group is garbled, with the version that each was set with. No larger
/// than our copies of their states.
#[derive(Debug, Default)]
pub(super) struct Garbled(BTreeMap<Incarnation, BTreeMap<SlotId, u64>>);

impl Garbled {
    /// A slot was set with this version, to a group that can be read or not. Version 0 is that of a copy that was emptied.
    pub(super) fn note(
        &mut self,
        incarnation: &Incarnation,
        slot: SlotId,
        version: u64,
        is_garbled: bool,
    ) {
        if is_garbled && version > 0 {
            let slots = self.0.entry(incarnation.clone()).or_default();
            slots.insert(slot, version);
        } else if let Some(slots) = self.0.get_mut(incarnation) {
            slots.remove(&slot);
            if slots.is_empty() {
                self.0.remove(incarnation);
            }
        }
    }

    /// The version up to which everything is merged, of `version` that came: records in a garbled group are nowhere here.
    pub(super) fn limit(&self, incarnation: &Incarnation, version: u64) -> u64 {
        let slots = self.0.get(incarnation);
        let first = slots.and_then(|slots| slots.values().min());
        first.map_or(version, |first| version.min(first.saturating_sub(1)))
    }

    /// Leaves those incarnations whose copies are still here.
    pub(super) fn retain(&mut self, is_held: impl Fn(&Incarnation) -> bool) {
        self.0.retain(|incarnation, _| is_held(incarnation));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_up_to_the_first_garbled_group() {
        let smith = Incarnation {
            server: "Smith".into(),
            generation: 1,
        };
        let mut garbled = Garbled::default();
        assert_eq!(garbled.limit(&smith, 9), 9);
        garbled.note(&smith, SlotId(1), 5, true);
        garbled.note(&smith, SlotId(2), 7, true);
        garbled.note(&smith, SlotId(3), 8, false);
        assert_eq!(garbled.limit(&smith, 9), 4);
        assert_eq!(garbled.limit(&smith, 3), 3);
        garbled.note(&smith, SlotId(1), 10, false);
        assert_eq!(garbled.limit(&smith, 10), 6);
        garbled.note(&smith, SlotId(2), 0, true);
        assert_eq!(garbled.limit(&smith, 10), 10);
        garbled.note(&smith, SlotId(2), 11, true);
        garbled.retain(|_| false);
        assert_eq!(garbled.limit(&smith, 11), 11);
    }
}
