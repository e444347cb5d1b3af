//! Which clients are in an area.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::available_parallelism;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::answer_bytes::{AnswerBudget, AnswerBytes};
use super::asked::{Asked, Later};
use super::in_flight::{InFlight, Waiting};
use super::locate::wait_for_store;
use super::service::LocationService;
use super::settings::ServiceSettings;
use super::statistics::ServiceStatistics;
use crate::access::Principal;
use herd_grid::{Area, Circle, Rectangle};
use herd_locations::{AnswerableAfter, Found, Locations, Query, Search};
use herd_protocol::{Center, Nearby, Within};

/// A search that looks up no more clients than about this is over at once: as long as some hundred reports take.
const FIRST_PIECE: usize = 512;

/// A longer one goes on in pieces of about this number of clients, in turn with others.
const PIECE: usize = 256;

/// The result of a search.
pub type Searched = Result<SearchAnswer, SearchRefusal>;

/// The clients that a search has found.
#[derive(Debug)]
pub struct SearchAnswer {
    /// The clients.
    pub found: Found,
    /// To be kept until the clients are told: their memory counts until then.
    pub bytes: AnswerBytes,
}

/// Why nothing was searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchRefusal {
    /// The client to look around is not known, or may not be asked about.
    #[error("the client to look around is not known")]
    UnknownCenter,
    /// The corners make no rectangle.
    #[error("the corners make no rectangle")]
    NoArea,
    /// As many long searches are under way as may be, or the answers of all take as much memory as they may.
    #[error("too many searches are under way")]
    TooMany,
}

/// The clients that exist for a search.
pub(super) struct SearchScope {
    /// Who asks.
    pub(super) principal: Principal,
    /// Their IDs begin with this.
    pub(super) prefix: Box<[u8]>,
}

impl SearchScope {
    pub(super) fn all(principal: Principal) -> Self {
        SearchScope {
            principal,
            prefix: Box::default(),
        }
    }

    pub(super) fn holds(&self, client: &[u8]) -> bool {
        client.starts_with(&self.prefix) && self.principal.may_see(client)
    }
}

/// The state that all searches share.
pub(super) struct Searches {
    pub(super) locations: Arc<Locations>,
    statistics: Arc<ServiceStatistics>,
    pub(super) in_flight: Arc<InFlight>,
    pub(super) answers: Arc<AnswerBudget>,
    /// Pieces of long searches that may be worked on at a time, first come first served.
    pub(super) turns: Semaphore,
    /// The threads for long searches.
    pub(super) background: Option<Handle>,
}

impl Searches {
    pub(super) fn new(
        settings: &ServiceSettings,
        locations: Arc<Locations>,
        statistics: Arc<ServiceStatistics>,
    ) -> Self {
        // Half of the cores at most: the other half is for short commands.
        let turns = available_parallelism().map_or(1, |cores| cores.get() / 2);
        Searches {
            locations,
            statistics,
            in_flight: InFlight::new(settings.searches_in_flight_max),
            answers: Arc::default(),
            turns: Semaphore::new(turns.max(1)),
            background: settings.background.clone(),
        }
    }
}

impl LocationService {
    /// To be counted in for an answer that may be long beside its question.
    #[must_use]
    pub fn answer_bytes(&self) -> AnswerBytes {
        AnswerBytes::of(&self.searches.answers)
    }

    /// Which clients are near a point or a client, nearest first.
    pub fn nearby(&self, principal: &Principal, nearby: &Nearby<'_>) -> Asked<Searched> {
        let radius_m = nearby.radius.map(|radius| radius.metres());
        let limit = nearby.limit;
        match nearby.center {
            Center::Point(point) => {
                let area = Area::Circle(Circle::new(point.coordinates(), radius_m));
                let except = None;
                self.search(
                    principal,
                    Query {
                        area,
                        limit,
                        except,
                        prefix: Box::default(),
                    },
                )
            }
            Center::Client(client) if principal.may_ask(client) => {
                let client = Box::<[u8]>::from(client);
                let locations = Arc::clone(&self.locations);
                self.search_when_loaded(principal, move || {
                    around(&locations, client, radius_m, limit)
                })
            }
            Center::Client(_) => Asked::Now(Err(SearchRefusal::UnknownCenter)),
        }
    }

    /// Which clients are in a box, in the order of their ids' bytes.
    pub fn within(&self, principal: &Principal, within: &Within<'_>) -> Asked<Searched> {
        let limit = within.limit;
        let Ok(rectangle) = Rectangle::new(within.southwest, within.northeast) else {
            return Asked::Now(Err(SearchRefusal::NoArea));
        };
        let (area, except) = (Area::Rectangle(rectangle), None);
        self.search(
            principal,
            Query {
                area,
                limit,
                except,
                prefix: Box::default(),
            },
        )
    }

    /// The clients of an area.
    pub fn search(&self, principal: &Principal, query: Query) -> Asked<Searched> {
        self.search_when_loaded(principal, || Some(query))
    }

    /// Runs the query once all of the store is in the map: any record may be in the area.
    fn search_when_loaded(
        &self,
        principal: &Principal,
        query: impl FnOnce() -> Option<Query> + Send + 'static,
    ) -> Asked<Searched> {
        self.search_in_scope(SearchScope::all(principal.clone()), query)
    }

    /// The same among the clients of a scope.
    pub(super) fn search_in_scope(
        &self,
        scope: SearchScope,
        query: impl FnOnce() -> Option<Query> + Send + 'static,
    ) -> Asked<Searched> {
        let searches = Arc::clone(&self.searches);
        if !self.locations.loading().is_running() {
            return searches.search(scope, query());
        }
        Asked::AfterLoading(Box::pin(async move {
            wait_for_store(&searches.locations, AnswerableAfter::Load).await;
            searches.search(scope, query()).answer().await
        }))
    }
}

/// The query for the clients around a client, if it is known.
fn around(
    locations: &Locations,
    client: Box<[u8]>,
    radius_m: Option<f64>,
    limit: usize,
) -> Option<Query> {
    let center = locations.find(&client)?.location()?.coordinates();
    Some(Query {
        area: Area::Circle(Circle::new(center, radius_m)),
        limit,
        except: Some(client),
        prefix: Box::default(),
    })
}

impl Searches {
    fn search(self: Arc<Self>, scope: SearchScope, query: Option<Query>) -> Asked<Searched> {
        let begin = Instant::now();
        let Some(query) = query else {
            return Asked::Now(Err(SearchRefusal::UnknownCenter));
        };
        if !scope.principal.may_see_some() {
            // Nothing is looked at for a stranger.
            return Asked::Now(Ok(SearchAnswer {
                found: Found::default(),
                bytes: AnswerBytes::of(&self.answers),
            }));
        }
        let told = {
            let searches = Arc::clone(&self);
            move |(search, bytes): Worked<Search>| searches.told(search, bytes, begin)
        };
        self.work(scope, Search::new(query))
            .map(|worked| worked.and_then(told))
    }

    /// Carries something on to its end: at once if that takes no longer than some hundred reports, else in pieces in turn
    /// with others, as many of them as may be under way.
    pub(super) fn work<W: Work>(
        self: Arc<Self>,
        scope: SearchScope,
        mut work: W,
    ) -> Asked<Result<Worked<W>, SearchRefusal>> {
        let may_see = |client: &[u8]| scope.holds(client);
        if work.carry_on(&self.locations, &may_see, FIRST_PIECE) {
            return Asked::Now(Ok((work, AnswerBytes::of(&self.answers))));
        }
        let Some(waiting) = self.in_flight.enter() else {
            return Asked::Now(Err(self.refusal()));
        };
        let long = &self.statistics.searches.long;
        long.fetch_add(1, Ordering::Relaxed);
        let long = Long {
            work,
            scope,
            bytes: AnswerBytes::of(&self.answers),
            _waiting: waiting,
        };
        Asked::Later(self.in_background(long))
    }

    /// Goes on with it on the background threads. Dropping the future ends it.
    fn in_background<W: Work>(
        self: Arc<Self>,
        long: Long<W>,
    ) -> Later<Result<Worked<W>, SearchRefusal>> {
        let background = self.background.clone();
        let going_on = self.go_on(long);
        let Some(background) = background else {
            return Box::pin(going_on);
        };
        let task = AbortOnDropHandle::new(background.spawn(going_on));
        // It ends without an answer if it panics, which is a defect, or with the threads that it runs on.
        Box::pin(async { task.await.unwrap_or(Err(SearchRefusal::TooMany)) })
    }

    async fn go_on<W: Work>(
        self: Arc<Self>,
        mut long: Long<W>,
    ) -> Result<Worked<W>, SearchRefusal> {
        loop {
            let is_over = {
                let _turn = self.turns.acquire().await;
                let scope = &long.scope;
                let may_see = |client: &[u8]| scope.holds(client);
                long.work.carry_on(&self.locations, &may_see, PIECE)
            };
            if is_over {
                return Ok((long.work, long.bytes));
            }
            if !long.bytes.set(long.work.bytes()) {
                return Err(self.refusal());
            }
            yield_now().await;
        }
    }

    pub(super) fn refusal(&self) -> SearchRefusal {
        let refused = &self.statistics.searches.refused;
        refused.fetch_add(1, Ordering::Relaxed);
        SearchRefusal::TooMany
    }

    fn told(&self, search: Search, mut bytes: AnswerBytes, begin: Instant) -> Searched {
        if !bytes.set(search.bytes()) {
            return Err(self.refusal());
        }
        let statistics = &self.statistics.searches;
        let candidates = search.candidates() as u64;
        let found = search.into_found();
        let hits = found.hits.len() as u64;
        statistics
            .candidates
            .fetch_add(candidates, Ordering::Relaxed);
        statistics.hits.fetch_add(hits, Ordering::Relaxed);
        statistics.durations.observe(begin.elapsed(), 1);
        Ok(SearchAnswer { found, bytes })
    }

    /// How many long searches are under way.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.now()
    }
}

/// Something that looks at many clients, piece by piece.
pub(super) trait Work: Send + 'static {
    /// Carries on for a piece of about this number of clients; says whether it is over.
    fn carry_on(
        &mut self,
        locations: &Locations,
        may_see: &dyn Fn(&[u8]) -> bool,
        piece: usize,
    ) -> bool;

    /// The memory of what was found so far.
    fn bytes(&self) -> usize;
}

/// Work that is over, and the part of its answer in the memory of all.
pub(super) type Worked<W> = (W, AnswerBytes);

impl Work for Search {
    fn carry_on(
        &mut self,
        locations: &Locations,
        may_see: &dyn Fn(&[u8]) -> bool,
        piece: usize,
    ) -> bool {
        Search::carry_on(self, locations, may_see, piece)
    }

    fn bytes(&self) -> usize {
        Search::bytes(self)
    }
}

/// Work that goes on in pieces.
struct Long<W> {
    work: W,
    scope: SearchScope,
    bytes: AnswerBytes,
    _waiting: Waiting,
}
