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
use super::find::Finder;
use super::herd_picture::{HerdPicture, HerdSource};
use super::map_tiles::MapTiles;
use super::question::{Chosen, PageQuestion};
use super::record_view::{RecordView, ms};
use super::sampler::Sampler;
use super::viewers::{View, Viewer, Viewers};
use crate::access::{Access, TokenHash};
use crate::http::HttpStatistics;
use herd_clock::clock::SharedClock;
use herd_locations::Locations;
use herd_places::{EmbeddedPlaces, MapNames};

/// How often a page hears of the server at least.
const TICK: Duration = Duration::from_secs(1);

/// What the pages of a server show.
pub struct LiveSources {
    /// The clients.
    pub locations: Arc<Locations>,
    /// The herd.
    pub herd: HerdSource,
    /// The places near a chosen client, and the names on the map.
    pub places: EmbeddedPlaces,
    /// The server's clock.
    pub clock: SharedClock,
    /// Who may do what, where tokens are needed.
    pub access: Option<Arc<Access>>,
    /// Where pages that find no room are counted.
    pub statistics: Arc<HttpStatistics>,
}

/// The settings of the pages of a server.
#[derive(Clone, Debug)]
pub struct LiveSettings {
    /// How many pages may be open.
    pub viewers_max: usize,
    /// Where tiles with streets come from, if anywhere.
    pub tiles: Option<MapTiles>,
}

/// The state that all pages of a server share.
pub struct LivePages {
    pub(super) sources: LiveSources,
    pub(super) settings: LiveSettings,
    pub(super) names: MapNames,
    pub(super) finder: Finder,
    history: Arc<FigureHistory>,
    viewers: Arc<Viewers>,
    /// Ends all streams, which would never end by themselves.
    shutdown: CancellationToken,
}

impl LivePages {
    /// The page of the server with these sources. Nothing moves until [`LivePages::run`] runs.
    #[must_use]
    pub fn new(
        sources: LiveSources,
        settings: LiveSettings,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(LivePages {
            names: MapNames::default(),
            finder: Finder::new(sources.locations.clone()),
            history: Arc::default(),
            viewers: Arc::new(Viewers::new(settings.viewers_max)),
            sources,
            settings,
            shutdown,
        })
    }

    /// Takes figures, and answers the questions of pages, until the shutdown.
    pub async fn run(self: Arc<Self>, figures: impl Fn() -> Figures) {
        let sampler = Sampler::new(
            self.sources.locations.clone(),
            self.sources.herd.topology.clone(),
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

    /// The stream for one page, of a person who showed `token`; `None` if the limit is reached.
    pub(super) fn open(
        self: &Arc<Self>,
        question: PageQuestion,
        token: Option<TokenHash>,
    ) -> Option<impl Stream<Item = Bytes> + Send + use<>> {
        let Some(viewer) = self.viewers.admit(question) else {
            let refused = &self.sources.statistics.viewers_refused;
            refused.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let feed = Feed::new(self.clone(), viewer, token);
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
    token: Option<TokenHash>,
    found: watch::Receiver<Arc<View>>,
    ticks: Interval,
    greeted: bool,
    /// Nothing yet, until the first event of the map.
    shown: Option<Arc<View>>,
    /// Whether the page was told of its chosen client, known or not.
    told_of_client: bool,
    told_of_herd: Option<HerdPicture>,
    seconds_told: u64,
}

impl Feed {
    fn new(live: Arc<LivePages>, viewer: Viewer, token: Option<TokenHash>) -> Self {
        let found = viewer.seat().found.subscribe();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Feed {
            live,
            viewer,
            token,
            found,
            ticks,
            greeted: false,
            shown: None,
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
                server: &self.live.sources.herd.links.view.me,
                version: env!("CARGO_PKG_VERSION"),
                tiles: self.live.settings.tiles.as_ref(),
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
            let shown = self.shown.as_ref().map(|shown| &shown.scene);
            event::map(shown, &found.scene, &mut out);
            self.tell_of_client(found.chosen.as_ref(), &mut out);
            self.shown = Some(found);
        }
        Some(Bytes::from(out))
    }

    fn tell_of_client(&mut self, record: Option<&Record>, out: &mut Vec<u8>) {
        if self.viewer.seat().question.chosen == Chosen::Nobody {
            return;
        }
        let shown = self.shown.as_ref();
        if self.told_of_client && shown.and_then(|shown| shown.chosen.as_ref()) == record {
            return;
        }
        self.told_of_client = true;
        let may_forget = record.is_some_and(|record| self.may_forget(record.client()));
        let view = record.and_then(|record| RecordView::new(record, &self.live.sources.places));
        event::client(view, may_forget, out);
    }

    /// By the tokens as they are now.
    fn may_forget(&self, client: &[u8]) -> bool {
        let Some(access) = &self.live.sources.access else {
            return true;
        };
        let grant = self.token.as_ref().and_then(|token| access.find(token));
        grant.is_some_and(|grant| grant.forget.cover(client))
    }

    fn tell_of_seconds(&mut self, out: &mut Vec<u8>) {
        let (seconds, told) = self.live.history.since(self.seconds_told);
        self.seconds_told = told;
        let now_ms = ms(self.live.sources.clock.now_ns());
        event::seconds(&Seconds { now_ms, seconds }, out);
    }

    fn tell_of_herd(&mut self, out: &mut Vec<u8>) {
        let picture = self
            .live
            .sources
            .herd
            .picture(self.live.sources.clock.now_ns());
        if self.told_of_herd.as_ref() != Some(&picture) {
            event::herd(&picture, out);
            self.told_of_herd = Some(picture);
        }
    }
}
