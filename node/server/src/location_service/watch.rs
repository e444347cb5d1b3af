//! Watching clients: being told when they change.

use std::future::{pending, poll_fn};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use super::asked::Later;
use super::in_flight::{InFlight, Waiting};
use super::locate::wait_for_store;
use super::service::LocationService;
use super::settings::ServiceSettings;
use super::statistics::ServiceStatistics;
use super::watch_subject::subject;
use crate::access::Principal;
use herd_admission::{AddressShare, Addresses};
use herd_locations::{AnswerableAfter, Listener, Locations, Progress, Said, Watch};
use herd_protocol::{EndReason, Watch as WatchCommand};
use herd_watch::{Budget, Share, Subject};

/// A watch looks at about this number of clients, before others have their turn.
const PIECE: usize = 128;

/// Why nothing is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchRefusal {
    /// The client may not be asked about; counted with the tokens.
    #[error("the client may not be asked about")]
    Forbidden,
    /// The corners make no rectangle.
    #[error("the corners make no rectangle")]
    NoArea,
    /// As many watch as may, in all or of this address; or there is no room for the ID.
    #[error("too many watch")]
    TooMany,
}

/// Who is told of changes.
pub trait WatchListener {
    /// Whether it can be told more at the moment.
    fn has_room(&self) -> bool;

    /// Is told.
    fn hear(&mut self, said: Said<'_>);
}

/// The state that all watches share.
pub(super) struct Watches {
    locations: Arc<Locations>,
    statistics: Arc<ServiceStatistics>,
    in_flight: Arc<InFlight>,
    addresses: Arc<Addresses>,
    marks_max: usize,
    marks: Arc<Budget>,
    inside: Arc<Budget>,
    /// Pieces of first states that may be worked on at a time, first come first served.
    turns: Arc<Semaphore>,
}

/// What all watches hold now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchFigures {
    /// How many watch.
    pub watchers: usize,
    /// Marks that count towards the bound of all, in units: each one, and one more for each 64 bytes of its ID.
    pub marks: usize,
    /// The same of clients that are inside of areas, and of what is watched.
    pub inside: usize,
}

/// A watch under way. It ends when this is dropped.
pub struct WatchStream {
    watches: Arc<Watches>,
    stage: Stage,
    /// Who asked, with the rights that count for this watch.
    principal: Principal,
    /// Tells when the tokens are others.
    tokens: Option<watch::Receiver<u64>>,
    turn: Option<OwnedSemaphorePermit>,
    begun: Instant,
    _places: (Waiting, AddressShare, Share),
}

enum Stage {
    /// The store is still read, and may hold more.
    Loading(Later<()>, Subject),
    Going(Box<Watch>),
}

impl Stage {
    fn subject(&self) -> &Subject {
        match self {
            Stage::Loading(_, subject) => subject,
            Stage::Going(watch) => watch.subject(),
        }
    }
}

impl Watches {
    pub(super) fn new(
        settings: &ServiceSettings,
        locations: Arc<Locations>,
        statistics: Arc<ServiceStatistics>,
    ) -> Self {
        let half = || available_parallelism().map_or(1, |cores| cores.get() / 2);
        let turns = settings.watch.scans_max.unwrap_or_else(half).max(1);
        Watches {
            locations,
            statistics,
            in_flight: InFlight::new(settings.watch.watchers_max),
            addresses: Addresses::new(settings.watch.watchers_per_address_max, None),
            marks_max: settings.watch.marks_max,
            marks: Budget::new(settings.watch.marks_total_max),
            inside: Budget::new(settings.watch.inside_max),
            turns: Arc::new(Semaphore::new(turns)),
        }
    }

    fn begin(&self, subject: Subject) -> Stage {
        let shares = [self.marks.share(), self.inside.share()];
        let watch = Watch::new(&self.locations, subject, self.marks_max, shares);
        Stage::Going(Box::new(watch))
    }

    pub(super) fn figures(&self) -> WatchFigures {
        WatchFigures {
            watchers: self.in_flight.now(),
            marks: self.marks.units(),
            inside: self.inside.units(),
        }
    }
}

impl LocationService {
    /// Begins to watch, for somebody at this address.
    ///
    /// # Errors
    /// See [`WatchRefusal`]. Nothing is watched then.
    pub fn watch(
        &self,
        principal: &Principal,
        command: &WatchCommand<'_>,
        address: IpAddr,
    ) -> Result<WatchStream, WatchRefusal> {
        if let WatchCommand::Client(client) | WatchCommand::Nearby { client, .. } = command
            && !principal.may_ask(client)
        {
            return Err(WatchRefusal::Forbidden);
        }
        let subject = subject(command).ok_or(WatchRefusal::NoArea)?;
        let watches = &self.watches;
        let counts = &self.statistics.watches;
        let refused = |counter: &AtomicU64| {
            counter.fetch_add(1, Ordering::Relaxed);
            WatchRefusal::TooMany
        };
        let waiting = watches.in_flight.enter();
        let waiting = waiting.ok_or_else(|| refused(&counts.refused))?;
        let share = watches.addresses.enter(address, Instant::now());
        let share = share.ok_or_else(|| refused(&counts.refused_address))?;
        let room = watches.inside.hold(&subject);
        let room = room.ok_or_else(|| refused(&counts.too_large))?;
        counts.begun.fetch_add(1, Ordering::Relaxed);
        Ok(WatchStream {
            stage: self.stage(subject),
            watches: Arc::clone(watches),
            principal: principal.clone(),
            tokens: principal.changes(),
            turn: None,
            begun: Instant::now(),
            _places: (waiting, share, room),
        })
    }

    /// Waits for the store as a question does.
    fn stage(&self, subject: Subject) -> Stage {
        let locations = Arc::clone(&self.locations);
        if !locations.loading().is_running() {
            return self.watches.begin(subject);
        }
        let after = match &subject {
            Subject::Client(client) => locations.loading().ask(client),
            _ => AnswerableAfter::Load,
        };
        let waiting = async move {
            wait_for_store(&locations, after).await;
        };
        Stage::Loading(Box::pin(waiting), subject)
    }

    /// What all watches hold now.
    #[must_use]
    pub fn watch_figures(&self) -> WatchFigures {
        self.watches.figures()
    }
}

impl WatchStream {
    /// Resolves when [`WatchStream::go_on`] has something to do. May be dropped before, and called again.
    pub async fn ready(&mut self) {
        if let Stage::Loading(waiting, _) = &mut self.stage {
            waiting.await;
            // A watch of all until then, which is never looked at: the subject is moved out of its place.
            let all = Stage::Loading(Box::pin(async {}), Subject::All);
            if let Stage::Loading(_, subject) = std::mem::replace(&mut self.stage, all) {
                self.stage = self.watches.begin(subject);
            }
        }
        let Stage::Going(watch) = &mut self.stage else {
            return;
        };
        if watch.is_scanning() {
            if self.turn.is_none() {
                let turns = Arc::clone(&self.watches.turns);
                self.turn = turns.acquire_owned().await.ok();
            }
            return;
        }
        tokio::select! {
            biased;
            () = poll_fn(|context| watch.poll_ready(context)) => {}
            () = changed(&mut self.tokens) => {}
        }
    }

    /// Resolves when more clients have changed than may be unread. To be waited for while the listener has no room.
    pub async fn too_slow(&mut self) {
        match &mut self.stage {
            Stage::Going(watch) => poll_fn(|context| watch.poll_too_slow(context)).await,
            Stage::Loading(..) => pending().await,
        }
    }

    /// Notes that it is over since its listener is slow.
    pub fn note_too_slow(&self) {
        let counts = &self.watches.statistics.watches;
        counts.too_slow.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells the listener some of what is to be told, if `principal` may see the same as at the beginning, or the one client
    /// that is watched. Says why the watch is over, if it is.
    pub fn go_on(
        &mut self,
        principal: &Principal,
        listener: &mut impl WatchListener,
    ) -> Option<EndReason> {
        if !principal.sees_as(&self.principal) {
            match self.stage.subject() {
                // What was told of others stands for what could be seen then, and would not be told again.
                Subject::Client(client) if principal.may_see(client) => {
                    self.principal = principal.clone();
                }
                _ => return Some(EndReason::Refused),
            }
        }
        let Stage::Going(watch) = &mut self.stage else {
            return None;
        };
        let mut telling = Telling {
            principal: &self.principal,
            listener,
            told: 0,
            is_live: false,
        };
        let progress = watch.carry_on(&self.watches.locations, &mut telling, PIECE);
        let (told, is_live) = (telling.told, telling.is_live);
        self.turn = None;
        let counts = &self.watches.statistics.watches;
        counts.told.fetch_add(told, Ordering::Relaxed);
        let looked = watch.take_looked();
        counts.looked.fetch_add(looked, Ordering::Relaxed);
        if is_live {
            counts.first_states.observe(self.begun.elapsed(), 1);
        }
        match progress {
            Progress::Idle | Progress::More => None,
            Progress::TooSlow => {
                self.note_too_slow();
                Some(EndReason::Slow)
            }
            Progress::TooLarge => {
                counts.too_large.fetch_add(1, Ordering::Relaxed);
                Some(EndReason::Refused)
            }
        }
    }

    /// Counts why it is over.
    pub fn ended(&self, reason: EndReason) {
        let count = &self.watches.statistics.watches.ended[reason as usize];
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Resolves when the tokens are others.
async fn changed(tokens: &mut Option<watch::Receiver<u64>>) {
    if let Some(version) = tokens
        && version.changed().await.is_ok()
    {
        return;
    }
    pending::<()>().await;
}

/// A listener with its rights.
struct Telling<'a, L> {
    principal: &'a Principal,
    listener: &'a mut L,
    told: u64,
    is_live: bool,
}

impl<L: WatchListener> Listener for Telling<'_, L> {
    fn may_see(&self, client: &[u8]) -> bool {
        self.principal.may_see(client)
    }

    fn has_room(&self) -> bool {
        self.listener.has_room()
    }

    fn hear(&mut self, said: Said<'_>) {
        self.told += 1;
        self.is_live |= matches!(said, Said::Live(_));
        self.listener.hear(said);
    }
}
