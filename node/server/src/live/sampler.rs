//! Walks over all clients for the pages that are open, and not at all while there are none.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use herd_crdt::Record;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::client_text;
use super::question::Chosen;
use super::thinning::{ClientKey, Thinning};
use super::viewers::{OpenPage, Viewers, WalkResult};
use herd_locations::{Locations, Walk};
use herd_topology::Topology;

/// The least time between two walks, unless a page has just opened, and without the next.
const WALK_GAP: Duration = Duration::from_millis(220);

/// The least time between two walks all the same. At least as long as the last one took, so that pages that open
/// and close all the time cost half of a core at most.
const WALK_GAP_MIN: Duration = Duration::from_millis(30);

/// The gap after a walk is at least this number of times the duration of the walk: a fifth of one core at most.
const GAP_FOR_WALK: u32 = 4;

/// Characters of an id that a dot carries.
const LABEL_CHARS_MAX: usize = 40;

/// See the module.
pub(super) struct Sampler {
    locations: Arc<Locations>,
    topology: Arc<Topology>,
    viewers: Arc<Viewers>,
    /// Makes keys that tell nothing of the map's own hashes.
    keys: RandomState,
}

/// One page's part of a walk.
struct PageWalk {
    seat: Arc<OpenPage>,
    thinning: Thinning,
    chosen: Option<Record>,
}

impl Sampler {
    /// Answers the questions of `viewers` from `locations`.
    #[must_use]
    pub(super) fn new(
        locations: Arc<Locations>,
        topology: Arc<Topology>,
        viewers: Arc<Viewers>,
    ) -> Self {
        Sampler {
            locations,
            topology,
            viewers,
            keys: RandomState::new(),
        }
    }

    /// Walks until `shutdown`.
    pub(super) async fn run(self, shutdown: CancellationToken) {
        shutdown.run_until_cancelled(self.walk_for_viewers()).await;
    }

    async fn walk_for_viewers(&self) {
        loop {
            let seats = self.viewers.seats();
            if seats.is_empty() {
                self.viewers.opened().await;
                continue;
            }
            let began = Instant::now();
            self.walk(seats).await;
            let took = began.elapsed();
            sleep(WALK_GAP_MIN.max(took)).await;
            // The maximal wait of a page that was just opened or moved.
            let gap = WALK_GAP.max(took * (GAP_FOR_WALK - 1));
            let _ = timeout(gap, self.viewers.opened()).await;
        }
    }

    async fn walk(&self, seats: Vec<Arc<OpenPage>>) {
        let parts = seats.into_iter().map(|seat| PageWalk {
            thinning: Thinning::new(seat.question.viewport),
            chosen: None,
            seat,
        });
        let mut parts: Vec<PageWalk> = parts.collect();
        let mut walk = Walk::default();
        while let Some(piece) = walk.next_piece(&self.locations) {
            let floor_ns = self.locations.floor_ns();
            let current = piece.iter().filter(|record| record.time().ns() >= floor_ns);
            for record in current {
                self.add(record, &mut parts);
            }
            tokio::task::yield_now().await;
        }
        for part in parts {
            let chosen = match &part.seat.question.chosen {
                Chosen::Client(client) => self.locations.find(client),
                Chosen::Dot(_) | Chosen::Nobody => part.chosen,
            };
            let scene = part.thinning.finish();
            part.seat
                .found
                .send_replace(Arc::new(WalkResult { scene, chosen }));
        }
    }

    fn add(&self, record: &Record, parts: &mut [PageWalk]) {
        let Some(location) = record.location() else {
            return;
        };
        let point = location.coordinates();
        let position = (point.latitude_degrees, point.longitude_degrees);
        let key = self.key(record.client());
        for part in parts {
            part.thinning.add(key, position, || {
                let server = self.topology.index_of(record.server());
                let server = server.and_then(|place| u16::try_from(place).ok());
                let label = client_text::label(record.client(), LABEL_CHARS_MAX);
                (server, label)
            });
            if part.seat.question.chosen == Chosen::Dot(key) {
                part.chosen = Some(record.clone());
            }
        }
    }

    fn key(&self, client: &[u8]) -> ClientKey {
        self.keys.hash_one(client)
    }
}

#[cfg(test)]
mod tests {
    use super::super::question::PageQuestion;
    use super::*;
    use herd_topology::{PortBases, builtin};

    const PATIENCE: Duration = Duration::from_secs(20);

    fn report(locations: &Locations, client: &str, location: &str, time: &str) {
        let (client, location, time) = (client.as_bytes(), location.as_bytes(), time.as_bytes());
        let record = Record::new(client, location, time, "Smith".into(), 0).unwrap();
        locations.report(record);
    }

    #[tokio::test]
    async fn a_page_sees_its_clients_and_the_chosen_one_move() {
        let locations = Arc::new(Locations::default());
        let viewers = Arc::new(Viewers::new(16));
        let topology = Arc::new(builtin(PortBases::default()));
        let shutdown = CancellationToken::new();
        let sampler = Sampler::new(locations.clone(), topology, viewers.clone());
        let running = tokio::spawn(sampler.run(shutdown.clone()));
        report(&locations, "kiwi", "+10+10", "1");
        report(&locations, "emu", "-10-10", "1");

        let question = PageQuestion::parse("view=0,0,20,20&client=ZW11").unwrap();
        let viewer = viewers.admit(question).unwrap();
        let mut found = viewer.seat().found.subscribe();
        let seen = timeout(PATIENCE, found.wait_for(|found| found.scene.clients == 2));
        let seen = seen.await.unwrap().unwrap().clone();
        assert_eq!(seen.scene.in_view, 1);
        let (key, dot) = seen.scene.dots.iter().next().unwrap();
        assert_eq!((&*dot.label, dot.server, dot.count), ("kiwi", Some(2), 1));
        assert_eq!(seen.chosen.as_ref().unwrap().client(), b"emu");

        let by_key = format!("dot={key:016x}");
        let other = viewers
            .admit(PageQuestion::parse(&by_key).unwrap())
            .unwrap();
        let mut of_other = other.seat().found.subscribe();
        let chosen = of_other.wait_for(|found| found.chosen.is_some());
        let chosen = timeout(PATIENCE, chosen).await.unwrap().unwrap().clone();
        assert_eq!(chosen.chosen.as_ref().unwrap().client(), b"kiwi");

        report(&locations, "kiwi", "+11+11", "2");
        let moved = found.wait_for(|found| found.scene.dots[key].latitude == 11.0);
        timeout(PATIENCE, moved).await.unwrap().unwrap();
        shutdown.cancel();
        running.await.unwrap();
    }
}
