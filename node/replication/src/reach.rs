//! How far this server is behind the herd, and whether it reaches it at all, as readiness asks.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use herd_gossip::links::Links;
use herd_replica::baseline::Behind;
use herd_replica::readiness::CatchUp;
use herd_replica::settlement::Settlements;

/// See the module.
#[derive(Clone)]
pub struct Reach {
    pub(super) links: Arc<Links>,
    /// What others told of their maps.
    pub(super) settlements: Arc<Mutex<Settlements>>,
}

impl Reach {
    /// How far this server is behind its neighbours.
    #[must_use]
    pub fn catch_up(&self) -> CatchUp {
        let settlements = self.settlements.lock();
        let own = self.links.applied_report();
        let mut catch_up = CatchUp::default();
        for neighbour in self.links.neighbours() {
            let name = || neighbour.config.name.to_string();
            let has_forgotten = |incarnation: &_| self.links.ids.lock().is_forgotten(incarnation);
            match neighbour.behind(&own, &settlements, has_forgotten) {
                None => catch_up.absent.push(name()),
                Some(Behind::Unsettled) => catch_up.unsettled.push(name()),
                Some(Behind::Versions(0)) => {}
                Some(Behind::Versions(missing)) => {
                    catch_up.ahead.push(name());
                    catch_up.missing = catch_up.missing.saturating_add(missing);
                }
            }
        }
        catch_up
    }

    /// How long no link has stood; zero while one does, and for a server that has no neighbours. A link that is lost
    /// again at once does not count.
    #[must_use]
    pub fn linkless_for(&self) -> Duration {
        let neighbours = self.links.neighbours().iter();
        let stood = neighbours.map(|neighbour| neighbour.stood_until()).max();
        let now = Instant::now();
        stood.map_or(Duration::ZERO, |stood| now.saturating_duration_since(stood))
    }
}
