//! Watchers by the beginnings of IDs that they watch.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::marks::Watcher;

/// Prefixes in the order of their bytes.
#[derive(Debug, Default)]
pub(crate) struct Prefixes {
    by_prefix: BTreeMap<Box<[u8]>, Vec<Arc<Watcher>>>,
}

impl Prefixes {
    pub(crate) fn insert(&mut self, prefix: &[u8], watcher: &Arc<Watcher>) {
        let watchers = self.by_prefix.entry(prefix.into()).or_default();
        watchers.push(Arc::clone(watcher));
    }

    pub(crate) fn remove(&mut self, prefix: &[u8], watcher: &Arc<Watcher>) {
        if let Some(watchers) = self.by_prefix.get_mut(prefix) {
            watchers.retain(|other| !Arc::ptr_eq(other, watcher));
            if watchers.is_empty() {
                self.by_prefix.remove(prefix);
            }
        }
    }

    /// The watchers of prefixes of this ID, those of the longest first.
    ///
    /// The greatest prefix that is not greater than the ID is either one of its beginnings, or it says how long the next
    /// can be at most: as much as both have in common.
    pub(crate) fn each(&self, client: &[u8], mut watched: impl FnMut(&Arc<Watcher>)) {
        let mut beginning = client;
        while !beginning.is_empty() {
            let up_to = (Bound::Unbounded, Bound::Included(beginning));
            let Some((prefix, watchers)) = self.by_prefix.range::<[u8], _>(up_to).next_back()
            else {
                return;
            };
            let pairs = prefix.iter().zip(beginning);
            let common = pairs.take_while(|(a, b)| a == b).count();
            beginning = if common == prefix.len() {
                watchers.iter().for_each(&mut watched);
                &beginning[..common.saturating_sub(1)]
            } else {
                &beginning[..common]
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::budget::Budget;
    use super::*;

    proptest! {
        #[test]
        fn every_prefix_of_an_id_is_found_once_and_no_other(
            prefixes in prop::collection::vec("[ab]{1,6}", 0..20),
            client in "[abc]{0,8}",
            removed in any::<prop::sample::Index>(),
        ) {
            let budget = Budget::new(1);
            let mut index = Prefixes::default();
            let mut watchers: Vec<(String, Arc<Watcher>)> = Vec::new();
            for prefix in prefixes {
                let watcher = Arc::new(Watcher::new(1, budget.share()));
                index.insert(prefix.as_bytes(), &watcher);
                watchers.push((prefix, watcher));
            }
            if !watchers.is_empty() {
                let (prefix, watcher) = watchers.swap_remove(removed.index(watchers.len()));
                index.remove(prefix.as_bytes(), &watcher);
            }
            let mut found = Vec::new();
            index.each(client.as_bytes(), |watcher| found.push(Arc::as_ptr(watcher)));
            let expected = watchers.iter().filter(|(prefix, _)| client.starts_with(prefix));
            let mut expected: Vec<_> = expected.map(|(_, watcher)| Arc::as_ptr(watcher)).collect();
            found.sort();
            expected.sort();
            prop_assert_eq!(found, expected);
        }
    }
}
