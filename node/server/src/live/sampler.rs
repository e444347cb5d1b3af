//! Makes the scenes of the pages that are open, and none while there are none.

use std::sync::Arc;
use std::time::Duration;

use herd_crdt::Record;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::question::Chosen;
use super::survey::Surveyor;
use super::viewers::{OpenPage, View, Viewers};
use herd_locations::Locations;
use herd_topology::Topology;

/// The least time between two rounds, unless a page has just opened.
const ROUND_GAP: Duration = Duration::from_millis(220);

/// The least time between two rounds all the same. At least as long as the last one took, so that pages that open
/// and close all the time cost half of a core at most.
const ROUND_GAP_MIN: Duration = Duration::from_millis(30);

/// The gap after a round is at least this number of times the duration of the round: a fifth of one core at most.
const GAP_FOR_ROUND: u32 = 4;

/// See the module.
pub(super) struct Sampler {
    locations: Arc<Locations>,
    surveyor: Surveyor,
    viewers: Arc<Viewers>,
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
            surveyor: Surveyor::new(locations.clone(), topology),
            locations,
            viewers,
        }
    }

    /// Makes scenes until `shutdown`.
    pub(super) async fn run(self, shutdown: CancellationToken) {
        shutdown.run_until_cancelled(self.serve_viewers()).await;
    }

    async fn serve_viewers(&self) {
        loop {
            let seats = self.viewers.seats();
            if seats.is_empty() {
                self.viewers.opened().await;
                continue;
            }
            let began = Instant::now();
            for seat in &seats {
                self.look_for(seat).await;
            }
            let took = began.elapsed();
            sleep(ROUND_GAP_MIN.max(took)).await;
            // The maximal wait of a page that was just opened or moved.
            let gap = ROUND_GAP.max(took * (GAP_FOR_ROUND - 1));
            let _ = timeout(gap, self.viewers.opened()).await;
        }
    }

    async fn look_for(&self, seat: &OpenPage) {
        let dot = match seat.question.chosen {
            Chosen::Dot(key) => Some(key),
            Chosen::Client(_) | Chosen::Nobody => None,
        };
        let mut of_dot = None;
        let see = |key, record: &Record| {
            if dot == Some(key) {
                of_dot = Some(record.clone());
            }
        };
        let scene = self.surveyor.scene(seat.question.viewport, see).await;
        let chosen = match &seat.question.chosen {
            Chosen::Client(client) => self.locations.find(client),
            // Once it was seen, it is found by its ID wherever it goes.
            Chosen::Dot(_) => of_dot.or_else(|| {
                let known = seat.found.borrow().chosen.clone();
                known.and_then(|known| self.locations.find(known.client()))
            }),
            Chosen::Nobody => None,
        };
        seat.found.send_replace(Arc::new(View { scene, chosen }));
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
        let (key, dot) = seen.scene.dots.iter().next().unwrap();
        assert_eq!((&*dot.label, dot.server, dot.count), ("kiwi", Some(2), 1));
        assert_eq!(seen.chosen.as_ref().unwrap().client(), b"emu");

        let by_key = format!("view=0,0,20,20&dot={key:016x}");
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
        // It leaves the view, and the page that has chosen it goes on seeing it.
        report(&locations, "kiwi", "-30+11", "3");
        let left = of_other.wait_for(|found| {
            let chosen = found.chosen.as_ref();
            found.scene.dots.is_empty()
                && chosen.is_some_and(|record| record.location_text() == b"-30+11")
        });
        timeout(PATIENCE, left).await.unwrap().unwrap();
        shutdown.cancel();
        running.await.unwrap();
    }
}
