//! One page's stream of events, made as fast as the page takes them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use herd_crdt::Record;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::event::{self, PageHello, Seconds};
use super::figures::{FigureHistory, Figures, take_figures};
use super::herd_picture::{HerdPicture, HerdSource};
use super::question::{Chosen, PageQuestion};
use super::record_view::{RecordView, ms};
use super::sampler::Sampler;
use super::viewers::{Viewer, Viewers, WalkResult};
use crate::http::HttpStatistics;
use herd_clock::clock::SharedClock;
use herd_locations::Locations;
use herd_places::EmbeddedPlaces;

/// How often a page hears of the server at least.
const TICK: Duration = Duration::from_secs(1);

/// The state that all pages of a server share.
pub struct LivePages {
    locations: Arc<Locations>,
    herd: HerdSource,
    places: EmbeddedPlaces,
    clock: SharedClock,
    history: Arc<FigureHistory>,
    viewers: Arc<Viewers>,
    statistics: Arc<HttpStatistics>,
    /// Ends all streams, which would never end by themselves.
    shutdown: CancellationToken,
}

impl LivePages {
    /// The page of the server that sees `herd`, for at most `viewers_max` viewers. Nothing moves until
    /// [`LivePages::run`] runs.
    #[must_use]
    pub fn new(
        locations: Arc<Locations>,
        herd: HerdSource,
        places: EmbeddedPlaces,
        clock: SharedClock,
        (viewers_max, statistics): (usize, Arc<HttpStatistics>),
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(LivePages {
            locations,
            herd,
            places,
            clock,
            history: Arc::default(),
            viewers: Arc::new(Viewers::new(viewers_max)),
            statistics,
            shutdown,
        })
    }

    /// Takes figures, and answers the questions of pages, until the shutdown.
    pub async fn run(self: Arc<Self>, figures: impl Fn() -> Figures) {
        let sampler = Sampler::new(
            self.locations.clone(),
            self.herd.topology.clone(),
            self.viewers.clone(),
        );
        tokio::join!(
            sampler.run(self.shutdown.clone()),
            take_figures(self.history.clone(), figures, self.shutdown.clone()),
        );
    }

    /// How many pages may be open.
    pub(super) fn viewers_max(&self) -> usize {
        self.viewers.max
    }

    /// The stream for one page; `None` if the limit is reached.
    pub(super) fn open(
        self: &Arc<Self>,
        question: PageQuestion,
    ) -> Option<impl Stream<Item = Bytes> + Send + use<>> {
        let Some(viewer) = self.viewers.admit(question) else {
            let refused = &self.statistics.viewers_refused;
            refused.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let feed = Feed::new(self.clone(), viewer);
        Some(unfold(feed, |mut feed| async move {
            let events = feed.next().await?;
            Some((events, feed))
        }))
    }
}

/// The state that one page was sent, and the events that it has not got yet.
struct Feed {
    live: Arc<LivePages>,
    viewer: Viewer,
    found: watch::Receiver<Arc<WalkResult>>,
    ticks: Interval,
    greeted: bool,
    shown: Arc<WalkResult>,
    /// Whether the page was told of its chosen client, known or not.
    told_of_client: bool,
    told_of_herd: Option<HerdPicture>,
    seconds_told: u64,
}

impl Feed {
    fn new(live: Arc<LivePages>, viewer: Viewer) -> Self {
        let found = viewer.seat().found.subscribe();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Feed {
            live,
            viewer,
            found,
            ticks,
            greeted: false,
            shown: Arc::default(),
            told_of_client: false,
            told_of_herd: None,
            seconds_told: 0,
        }
    }

    /// The next events; waits until there are some. Called when the last ones are on their way, so that changes in
    /// the meantime come as one change.
    async fn next(&mut self) -> Option<Bytes> {
        let mut out = Vec::new();
        if !self.greeted {
            self.greeted = true;
            let hello = PageHello {
                server: &self.live.herd.links.view.me,
                version: env!("CARGO_PKG_VERSION"),
            };
            event::hello(&hello, &mut out);
        }
        while out.is_empty() {
            tokio::select! {
                () = self.live.shutdown.cancelled() => return None,
                changed = self.found.changed() => changed.ok()?,
                _ = self.ticks.tick() => {
                    self.tell_of_seconds(&mut out);
                    self.tell_of_herd(&mut out);
                    continue;
                }
            }
            let found = self.found.borrow_and_update().clone();
            event::map(&self.shown.scene, &found.scene, &mut out);
            self.tell_of_client(found.chosen.as_ref(), &mut out);
            self.shown = found;
        }
        Some(Bytes::from(out))
    }

    fn tell_of_client(&mut self, record: Option<&Record>, out: &mut Vec<u8>) {
        if self.viewer.seat().question.chosen == Chosen::Nobody {
            return;
        }
        if self.told_of_client && self.shown.chosen.as_ref() == record {
            return;
        }
        self.told_of_client = true;
        let view = record.and_then(|record| RecordView::new(record, &self.live.places));
        event::client(view, out);
    }

    fn tell_of_seconds(&mut self, out: &mut Vec<u8>) {
        let (seconds, told) = self.live.history.since(self.seconds_told);
        self.seconds_told = told;
        let now_ms = ms(self.live.clock.now_ns());
        event::seconds(&Seconds { now_ms, seconds }, out);
    }

    fn tell_of_herd(&mut self, out: &mut Vec<u8>) {
        let picture = self.live.herd.picture();
        if self.told_of_herd.as_ref() != Some(&picture) {
            event::herd(&picture, out);
            self.told_of_herd = Some(picture);
        }
    }
}
