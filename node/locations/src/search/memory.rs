//! The memory that searches work with. A thread keeps it for its next search.

use std::cell::RefCell;
use std::collections::{BinaryHeap, HashSet};

use herd_crdt::ServerName;
use herd_grid::Frontier;

use super::Ranked;
use crate::hash_keys::KeyedAlready;

/// What a larger search has used is given back.
const KEPT_MAX: usize = 4_096;

/// A thread keeps copies of the names of at most this number of servers.
const NAMES_MAX: usize = 64;

/// What a search puts its work into: all of it is empty between two searches, but the names.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) frontier: Frontier,
    pub(super) best: BinaryHeap<Ranked>,
    pub(super) hashes: HashSet<u64, KeyedAlready>,
    pub(super) batch: Vec<u64>,
    pub(super) looked_up: Vec<Ranked>,
    /// See [`own_name`].
    pub(super) names: Vec<ServerName>,
}

thread_local! {
    static KEPT: RefCell<Option<Memory>> = const { RefCell::new(None) };
}

impl Memory {
    /// That of this thread's last search, or new.
    pub(super) fn take() -> Self {
        KEPT.take().unwrap_or_default()
    }

    /// Keeps it for this thread's next search.
    pub(super) fn keep(mut self) {
        let Memory {
            frontier,
            best,
            hashes,
            batch,
            looked_up,
            names: _,
        } = &mut self;
        let largest = hashes.capacity().max(best.capacity());
        if largest.max(frontier.capacity()) > KEPT_MAX {
            return;
        }
        frontier.begin_anew();
        best.clear();
        hashes.clear();
        batch.clear();
        looked_up.clear();
        KEPT.replace(Some(self));
    }
}

/// This thread's own copy of a server's name. All records of the server share one, so all threads that find such records
/// would count its users at one address, and wait for each other there.
pub(super) fn own_name(names: &mut Vec<ServerName>, name: &ServerName) -> ServerName {
    if let Some(own) = names.iter().find(|own| ***own == **name) {
        return ServerName::clone(own);
    }
    if names.len() == NAMES_MAX {
        names.clear();
    }
    let own = ServerName::from(&**name);
    names.push(ServerName::clone(&own));
    own
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn names_are_copied_once_and_bounded() {
        let (mut names, hill) = (Vec::new(), ServerName::from("Hill"));
        let own = own_name(&mut names, &hill);
        assert!(own == hill && !Arc::ptr_eq(&own, &hill));
        assert!(Arc::ptr_eq(&own, &own_name(&mut names, &hill)));
        for number in 0..1_000 {
            let name = ServerName::from(format!("Hill{number}"));
            assert_eq!(own_name(&mut names, &name), name);
            assert!(names.len() <= NAMES_MAX);
        }
    }
}
