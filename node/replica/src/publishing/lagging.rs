//! How far neighbours are behind what this server publishes.

use std::collections::BTreeMap;

use herd_crdt::ServerName;

use crate::incarnation::Incarnation;

/// How far a neighbour has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeighbourProgress {
    /// The neighbour.
    pub name: ServerName,
    /// Its incarnation, while the link is up.
    pub up: Option<Incarnation>,
    /// The version of our published state that it has merged, if it has reported lately.
    pub merged_lately: Option<u64>,
}

/// Neighbours that have not caught up since their link was made.
#[derive(Debug, Default)]
pub(super) struct Lagging {
    links: BTreeMap<ServerName, CatchUp>,
}

/// An incarnation of a neighbour, and our version when its link was made.
#[derive(Debug)]
struct CatchUp {
    incarnation: Incarnation,
    version: u64,
    done: bool,
}

impl Lagging {
    /// How many of our groups each neighbour lags behind that is connected, has caught up once since
    /// it was, and has reported lately. Our published state has this version.
    pub(super) fn look(&mut self, neighbours: &[NeighbourProgress], version: u64) -> Vec<u64> {
        let mut lags = Vec::new();
        for neighbour in neighbours {
            let Some(incarnation) = &neighbour.up else {
                self.links.remove(&neighbour.name);
                continue;
            };
            let Some(merged) = neighbour.merged_lately else {
                continue;
            };
            let fresh = || CatchUp {
                incarnation: incarnation.clone(),
                version,
                done: false,
            };
            let name = neighbour.name.clone();
            let catch_up = self.links.entry(name).or_insert_with(fresh);
            if catch_up.incarnation != *incarnation {
                *catch_up = fresh();
            }
            catch_up.done |= merged >= catch_up.version;
            if catch_up.done {
                lags.push(version.saturating_sub(merged));
            }
        }
        lags
    }
}

/// How many of our groups the best of the connected neighbours lags behind.
pub(super) fn connected_lag(neighbours: &[NeighbourProgress], version: u64) -> Option<u64> {
    let connected = neighbours.iter().filter(|n| n.up.is_some());
    let merged = connected.map(|neighbour| neighbour.merged_lately.unwrap_or(0));
    let best = merged.max();
    best.map(|merged| version.saturating_sub(merged))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smith(generation: u64, merged_lately: Option<u64>) -> NeighbourProgress {
        let name = ServerName::from("Smith");
        NeighbourProgress {
            up: (generation > 0).then(|| Incarnation {
                server: name.clone(),
                generation,
            }),
            name,
            merged_lately,
        }
    }

    #[test]
    fn a_neighbour_counts_from_when_it_has_caught_up() {
        let mut lagging = Lagging::default();
        let mut look = |neighbour, version| lagging.look(&[neighbour], version);
        assert!(look(smith(1, Some(3)), 10).is_empty(), "its link is new");
        assert!(look(smith(1, Some(9)), 20).is_empty());
        assert_eq!(look(smith(1, Some(10)), 30), [20]);
        assert_eq!(look(smith(1, Some(5)), 30), [25], "as once it had");
        assert!(look(smith(1, None), 30).is_empty(), "it may have stopped");
        assert!(
            look(smith(2, Some(0)), 30).is_empty(),
            "another incarnation"
        );
        assert_eq!(look(smith(2, Some(30)), 31), [1]);
        assert!(look(smith(0, None), 31).is_empty());
        assert!(look(smith(2, Some(30)), 40).is_empty(), "linked anew");
    }

    #[test]
    fn the_lag_is_that_of_the_best_connected_neighbour() {
        assert_eq!(connected_lag(&[smith(0, Some(9))], 10), None);
        let two = [smith(1, None), smith(2, Some(7))];
        assert_eq!(connected_lag(&two[..1], 10), Some(10));
        assert_eq!(connected_lag(&two, 10), Some(3));
    }
}
