//! Clients are slowed down while even the best neighbour that once kept up is far behind, and at no other time.

use std::collections::BTreeMap;

use herd_crdt::ServerName;

use crate::incarnation::Incarnation;
use crate::publishing::lagging::NeighbourProgress;

/// Groups that the best neighbour may be behind, as `docs/replication.md` says it.
const LAG_MAX: u64 = 128;
/// Records that may wait to be published.
const PENDING_MAX: usize = 65_536;

/// For each neighbour that is linked: who it is, and the version that it has to reach before it counts; 0 once it has.
#[derive(Debug, Default)]
pub(in super::super) struct Slowing {
    linked: BTreeMap<ServerName, (Incarnation, u64)>,
}

impl Slowing {
    /// Whether a server whose state has this version should slow its clients down.
    pub(in super::super) fn should(
        &mut self,
        neighbours: &[NeighbourProgress],
        pending: usize,
        version: u64,
    ) -> bool {
        let up = |name: &ServerName| {
            let mut neighbours = neighbours.iter();
            neighbours.any(|n| n.name == *name && n.up.is_some())
        };
        self.linked.retain(|name, _| up(name));
        let mut best = None;
        for neighbour in neighbours {
            let (Some(who), Some(merged)) = (&neighbour.up, neighbour.merged_lately) else {
                continue;
            };
            let fresh = (who.clone(), version);
            let (known, due) = self
                .linked
                .entry(neighbour.name.clone())
                .and_modify(|known| {
                    if known.0 != *who {
                        *known = fresh.clone();
                    }
                })
                .or_insert_with(|| fresh.clone());
            debug_assert_eq!(known, who);
            if merged >= *due {
                *due = 0;
                best = best.max(Some(merged));
            }
        }
        let lag = best.map_or(0, |merged| version.saturating_sub(merged));
        pending > PENDING_MAX || lag > LAG_MAX
    }
}

#[test]
fn the_best_neighbour_that_once_kept_up_decides() {
    let progress = |name: &str, merged| {
        let name = ServerName::from(name);
        let up = Some(Incarnation {
            server: name.clone(),
            generation: 1,
        });
        NeighbourProgress {
            name,
            up,
            merged_lately: merged,
        }
    };
    let mut slowing = Slowing::default();
    let mut should =
        |neighbours: &[NeighbourProgress], version| slowing.should(neighbours, 0, version);
    assert!(!should(&[progress("Hill", Some(0))], 500), "it is new");
    assert!(!should(&[progress("Hill", Some(500))], 600));
    assert!(should(&[progress("Hill", Some(500))], 629));
    let both = [progress("Hill", Some(500)), progress("Smith", Some(629))];
    assert!(!should(&both, 629));
    assert!(
        !should(&[progress("Hill", None)], 900),
        "it may have stopped"
    );
    assert!(slowing.should(&[], PENDING_MAX + 1, 0));
}
