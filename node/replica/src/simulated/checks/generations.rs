//! No generation of a server is used twice: neighbours would take the new slots for those that they have.

use std::collections::{BTreeMap, BTreeSet};

use herd_crdt::ServerName;

use crate::incarnation::Incarnation;
use crate::timing::IDS_PER_SERVER_CROWDED;

/// All incarnations that there ever were.
#[derive(Debug, Default)]
pub(in super::super) struct Generations {
    begun: BTreeSet<Incarnation>,
    /// Of each server's process the greatest generation that its disk knew.
    on_disk: BTreeMap<ServerName, u64>,
}

impl Generations {
    /// Whether some server had so many incarnations that gossip thinned them out.
    pub(in super::super) fn has_crowd(&self) -> bool {
        let mut count: BTreeMap<&str, usize> = BTreeMap::new();
        for incarnation in &self.begun {
            *count.entry(&*incarnation.server).or_default() += 1;
        }
        count.values().any(|count| *count >= IDS_PER_SERVER_CROWDED)
    }

    /// A process has begun, and has read this generation on its disk; 0, if it has read none.
    pub(in super::super) fn begin_process(&mut self, server: &ServerName, on_disk: u64) {
        self.on_disk.insert(server.clone(), on_disk);
    }

    /// An incarnation has begun; says that it is not the first of its generation, if so. `known` is the greatest
    /// generation of its server that gossip knew.
    pub(in super::super) fn begin(
        &mut self,
        incarnation: &Incarnation,
        known: u64,
    ) -> Option<String> {
        if !self.begun.insert(incarnation.clone()) {
            return Some(format!("{incarnation} was begun twice"));
        }
        let on_disk = self.on_disk.get(&incarnation.server);
        let known = on_disk.map_or(known, |on_disk| known.max(*on_disk));
        let is_late = incarnation.generation > known;
        (!is_late).then(|| format!("{incarnation} was begun although {known:016x} was known"))
    }
}

#[test]
fn a_generation_that_comes_back_is_found() {
    let hill = |generation| Incarnation {
        server: "Hill".into(),
        generation,
    };
    let mut generations = Generations::default();
    assert_eq!(generations.begin(&hill(5), 0), None);
    assert_eq!(generations.begin(&hill(4), 0), None, "nobody remembered");
    assert_eq!(generations.begin(&hill(7), 5), None);
    assert!(generations.begin(&hill(5), 0).is_some());
    assert!(generations.begin(&hill(6), 7).is_some());
    generations.begin_process(&"Hill".into(), 9);
    assert!(generations.begin(&hill(8), 7).is_some());
    assert_eq!(generations.begin(&hill(10), 7), None);
}
