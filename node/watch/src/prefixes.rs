//! Watchers by the beginnings of IDs that they watch.

use std::sync::Arc;

use super::marks::Watcher;

/// Prefixes as a radix tree. The way along an ID goes by all of its beginnings, and compares each byte of it about once,
/// however many of them are watched.
#[derive(Debug, Default)]
pub(crate) struct Prefixes {
    root: Node,
}

/// A prefix that is watched, or that several watched ones have in common.
#[derive(Debug, Default)]
struct Node {
    /// The bytes between the node above and this one. None at the root, and at least one elsewhere.
    run: Box<[u8]>,
    /// In the order of the first bytes of their runs, no two of which are the same.
    below: Vec<Node>,
    watchers: Vec<Arc<Watcher>>,
}

impl Prefixes {
    pub(crate) fn insert(&mut self, prefix: &[u8], watcher: &Arc<Watcher>) {
        let mut node = &mut self.root;
        let mut rest = prefix;
        while let Some(&first) = rest.first() {
            let place = match node.place(first) {
                Ok(place) => {
                    let next = &mut node.below[place];
                    let pairs = next.run.iter().zip(rest);
                    let common = pairs.take_while(|(a, b)| a == b).count();
                    next.split(common);
                    rest = &rest[common..];
                    place
                }
                Err(place) => {
                    let run = std::mem::take(&mut rest).into();
                    let leaf = Node {
                        run,
                        ..Node::default()
                    };
                    node.below.insert(place, leaf);
                    place
                }
            };
            node = &mut node.below[place];
        }
        node.watchers.push(Arc::clone(watcher));
    }

    pub(crate) fn remove(&mut self, prefix: &[u8], watcher: &Arc<Watcher>) {
        let mut node = &mut self.root;
        let mut rest = prefix;
        if rest.is_empty() {
            node.remove_watcher(watcher);
        }
        while let Some((place, beyond)) = node.step(rest) {
            if beyond.is_empty() {
                node.remove_watcher_below(place, watcher);
                return;
            }
            node = &mut node.below[place];
            rest = beyond;
        }
    }

    /// The watchers of prefixes of this ID, those of the shortest first.
    pub(crate) fn each(&self, client: &[u8], watched: impl FnMut(&Arc<Watcher>)) {
        let watchers = self.along(client).flat_map(|node| &node.watchers);
        watchers.for_each(watched);
    }

    /// The nodes that an ID begins with.
    fn along<'a>(&'a self, client: &'a [u8]) -> impl Iterator<Item = &'a Node> {
        let steps = std::iter::successors(Some((&self.root, client)), |&(node, rest)| {
            let (place, beyond) = node.step(rest)?;
            Some((&node.below[place], beyond))
        });
        steps.map(|(node, _)| node)
    }
}

impl Node {
    /// The place of the node below whose run begins with this byte, or where it would be.
    fn place(&self, first: u8) -> Result<usize, usize> {
        let first_of = |node: &Node| node.run.first().copied();
        self.below.binary_search_by_key(&Some(first), first_of)
    }

    /// The place of the node below that `rest` begins with, and what is behind.
    fn step<'a>(&self, rest: &'a [u8]) -> Option<(usize, &'a [u8])> {
        let place = self.place(*rest.first()?).ok()?;
        let beyond = rest.strip_prefix(&self.below[place].run[..])?;
        Some((place, beyond))
    }

    /// Makes two of it, if its run is longer than this: the upper one has so many bytes of it.
    fn split(&mut self, upper_bytes: usize) {
        let (upper, lower) = self.run.split_at(upper_bytes);
        if lower.is_empty() {
            return;
        }
        let (upper, lower) = (upper.into(), lower.into());
        let upper = Node {
            run: upper,
            ..Node::default()
        };
        let mut all = std::mem::replace(self, upper);
        all.run = lower;
        self.below.push(all);
    }

    fn remove_watcher(&mut self, watcher: &Arc<Watcher>) {
        self.watchers.retain(|other| !Arc::ptr_eq(other, watcher));
    }

    fn remove_watcher_below(&mut self, place: usize, watcher: &Arc<Watcher>) {
        let node = &mut self.below[place];
        node.remove_watcher(watcher);
        if node.watchers.is_empty() && node.below.is_empty() {
            self.below.remove(place);
            self.join();
        } else {
            node.join();
        }
    }

    /// Makes one of it and the only node below, if nobody watches this one.
    fn join(&mut self) {
        let is_root = self.run.is_empty();
        if is_root || !self.watchers.is_empty() || self.below.len() > 1 {
            return;
        }
        if let Some(mut only) = self.below.pop() {
            only.run = [&self.run[..], &only.run].concat().into();
            *self = only;
        }
    }
}

impl Drop for Prefixes {
    /// One node after the other: a chain of nodes may be as long as an ID, and too deep for the stack.
    fn drop(&mut self) {
        let mut left = std::mem::take(&mut self.root.below);
        while let Some(mut node) = left.pop() {
            left.append(&mut node.below);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::RandomState;

    use proptest::prelude::*;

    use super::super::budget::Budget;
    use super::*;

    /// Every node but the root is needed, and those below it are in order.
    fn fault(node: &Node, is_root: bool) -> Option<String> {
        let firsts: Vec<_> = node.below.iter().map(|node| node.run.first()).collect();
        let is_needed = is_root || !node.watchers.is_empty() || node.below.len() > 1;
        if !is_needed || !firsts.is_sorted_by(|a, b| a < b) || firsts.contains(&None) {
            return Some(format!("{node:?}"));
        }
        node.below.iter().find_map(|node| fault(node, false))
    }

    proptest! {
        #[test]
        fn every_prefix_of_an_id_is_found_once_and_no_other(
            prefixes in prop::collection::vec("[ab]{0,6}", 0..20),
            client in "[abc]{0,8}",
            removed in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let budget = Budget::new(1);
            let mut index = Prefixes::default();
            let mut watchers: Vec<(String, Arc<Watcher>)> = Vec::new();
            for prefix in prefixes {
                let watcher = Arc::new(Watcher::new(1, budget.share(), RandomState::new()));
                index.insert(prefix.as_bytes(), &watcher);
                watchers.push((prefix, watcher));
            }
            for removed in removed {
                if !watchers.is_empty() {
                    let (prefix, watcher) = watchers.swap_remove(removed.index(watchers.len()));
                    index.remove(prefix.as_bytes(), &watcher);
                }
                prop_assert_eq!(fault(&index.root, true), None);
            }
            let mut found = Vec::new();
            index.each(client.as_bytes(), |watcher| found.push(Arc::as_ptr(watcher)));
            let expected = watchers.iter().filter(|(prefix, _)| client.starts_with(prefix));
            let mut expected: Vec<_> = expected.map(|(_, watcher)| Arc::as_ptr(watcher)).collect();
            found.sort();
            expected.sort();
            prop_assert_eq!(found, expected);
            for (prefix, watcher) in watchers {
                index.remove(prefix.as_bytes(), &watcher);
            }
            prop_assert!(index.root.below.is_empty() && index.root.watchers.is_empty());
        }
    }

    /// The bytes that were compared on the way along an ID, but for those of a run that it does not go on with.
    fn compared(index: &Prefixes, client: &[u8]) -> usize {
        index.along(client).map(|node| node.run.len()).sum()
    }

    #[test]
    fn a_change_costs_its_id_once_not_once_a_prefix() {
        const PREFIXES: usize = 1_024;
        let budget = Budget::new(1);
        let longest = vec![b'a'; herd_crdt::CLIENT_ID_BYTES_MAX];
        let watcher = Arc::new(Watcher::new(1, budget.share(), RandomState::new()));
        let mut index = Prefixes::default();
        // In no order, so that runs are split and gone on with.
        let lengths = || (0..PREFIXES).map(|number| 8 * (1 + number * 515 % PREFIXES));
        for length in lengths() {
            index.insert(&longest[..length], &watcher);
        }
        let mut found = 0;
        index.each(&longest, |_| found += 1);
        assert_eq!(found, PREFIXES);
        assert_eq!(compared(&index, &longest), longest.len());
        assert_eq!(index.along(&longest).count(), 1 + PREFIXES);
        let mut other = longest.clone();
        other[100] = b'b';
        assert_eq!(compared(&index, &other), 96);
        for length in lengths().skip(1) {
            index.remove(&longest[..length], &watcher);
        }
        assert_eq!(index.along(&longest).count(), 2);
        index.remove(&longest[..lengths().next().unwrap()], &watcher);
        assert!(index.root.below.is_empty());
    }
}
