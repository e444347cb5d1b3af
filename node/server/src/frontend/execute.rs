//! From a line to its effect and its reply.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use herd_crdt::{BorrowedRecord, Operands, Outcome as Merge, Record};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::limits::{InFlight, Waiting};
use super::replies::HeldReplies;
use super::settings::FrontendSettings;
use super::statistics::{CommandOutcome, Counts, Statistics, Word};
use herd_clock::rate_limiter::RateLimiter;
use herd_locations::{Full, Locations, Reports, Room};
use herd_places::{NearbyQuery, Places, zero_results};
use herd_protocol::{AtLine, Command, Iamat, InvalidCommand, Line, Reply, Whatsat};

/// The longest wait for a provider of places. Providers have shorter limits of their own; this limit holds even if a
/// provider ignores its own.
const PLACES_WAIT_MAX: Duration = Duration::from_secs(30);

/// The longest wait for the records of a client in the store. Then the server answers from the map as it is.
const LOADING_WAIT_MAX: Duration = Duration::from_secs(30);

/// A reply that had to wait for something.
pub(super) enum Arrived {
    /// The reply to one command.
    Reply(Reply<'static>),
    /// The same, as it goes out.
    Written(Vec<u8>),
    /// The replies to several commands, and whether the reports among them are as safe as the server promises.
    Decided(HeldReplies, bool),
}

impl Arrived {
    /// A reply that refers to something short-lived.
    pub(super) fn of(reply: &Reply<'_>) -> Self {
        let mut bytes = Vec::new();
        reply.write(&mut bytes);
        Arrived::Written(bytes)
    }
}

/// A reply that has to wait for something.
pub(super) type LaterReply = Pin<Box<dyn Future<Output = Arrived> + Send>>;

/// The effect of a line.
pub(super) enum Effect<'a> {
    /// A blank line: nothing.
    Nothing,
    /// A reply that can go out.
    Now(Reply<'a>),
    /// The reply to a report that was taken in, which goes out when the report is as safe as this
    /// server promises.
    Taken(Reply<'a>),
    /// A reply that comes later, in its place.
    Later(LaterReply),
}

/// Lines that are executed together: they share one reading of the clock, and their changes of shared counters are
/// added up first.
pub(super) struct Batch<'a> {
    pub(super) received_ns: i64,
    reports: Reports<'a>,
    counts: Counts,
}

impl Batch<'_> {
    /// All its lines are executed: adds the counts to the statistics.
    pub(super) fn finish(self, statistics: &Statistics, took: Duration) {
        statistics.add(&self.counts, took);
    }

    /// The replies to `commands` of its commands are not ready when the batch is executed.
    pub(super) fn wait(&mut self, word: Word, commands: u64) {
        self.counts.wait(word, commands);
    }
}

/// How often it is logged that reports are refused for one reason.
const COMPLAINT_GAP: Duration = Duration::from_secs(10);

/// Executes commands against the shared map.
pub(super) struct Executor {
    settings: Arc<FrontendSettings>,
    locations: Arc<Locations>,
    places: Arc<dyn Places>,
    statistics: Arc<Statistics>,
    max_clock_skew_ns: Option<i64>,
    in_flight: Arc<InFlight>,
    room: Room,
    /// How often to log that the map is full. The log leaves repeats out as well, but a refusal must cost less than
    /// a line does there.
    full_complaints: Mutex<Option<RateLimiter>>,
    /// How often to log that the floor of expiry keeps reports out.
    floor_complaints: Mutex<Option<RateLimiter>>,
}

impl Executor {
    pub(super) fn new(
        settings: Arc<FrontendSettings>,
        locations: Arc<Locations>,
        places: Arc<dyn Places>,
        statistics: Arc<Statistics>,
    ) -> Self {
        let skew = settings.max_clock_skew;
        let max_clock_skew_ns =
            (!skew.is_zero()).then(|| i64::try_from(skew.as_nanos()).unwrap_or(i64::MAX));
        Executor {
            full_complaints: Mutex::default(),
            floor_complaints: Mutex::default(),
            room: Room {
                clients_max: settings.limits.max_clients,
                bytes_max: settings.limits.max_client_bytes,
            },
            in_flight: InFlight::new(settings.limits.whatsat_in_flight_max),
            settings,
            locations,
            places,
            statistics,
            max_clock_skew_ns,
        }
    }

    /// Begins a batch of lines that were received at `received_ns` by this server's clock.
    pub(super) fn begin_batch(&self, received_ns: i64) -> Batch<'_> {
        Batch {
            received_ns,
            reports: self.locations.begin_reports(),
            counts: Counts::default(),
        }
    }

    /// Executes one line of a batch. Its effect is visible when this returns.
    pub(super) fn execute<'a>(&'a self, line: Line<'a>, batch: &mut Batch<'_>) -> Effect<'a> {
        let text = match line {
            Line::Text(text) => text,
            Line::Oversized(start) => {
                batch.counts.count(CommandOutcome::Oversized);
                return Effect::Now(Reply::Invalid(start));
            }
        };
        let (outcome, effect) = match Command::parse(text) {
            Ok(None) => return Effect::Nothing,
            Ok(Some(Command::Iamat(iamat))) => self.iamat(&iamat, batch),
            Ok(Some(Command::Whatsat(whatsat))) => self.whatsat(&whatsat, text),
            Err(InvalidCommand::Iamat(_)) => (CommandOutcome::IamatInvalid, None),
            Err(InvalidCommand::Whatsat(_)) => (CommandOutcome::WhatsatInvalid, None),
            Err(InvalidCommand::UnknownWord) => (CommandOutcome::OtherInvalid, None),
        };
        batch.counts.count(outcome);
        effect.unwrap_or(Effect::Now(Reply::Invalid(text)))
    }

    fn iamat<'a>(
        &'a self,
        iamat: &Iamat<'a>,
        batch: &mut Batch<'_>,
    ) -> (CommandOutcome, Option<Effect<'a>>) {
        let operands = &iamat.operands;
        let received_ns = batch.received_ns;
        if self
            .max_clock_skew_ns
            .is_some_and(|skew_ns| operands.sent().ns() > received_ns.saturating_add(skew_ns))
        {
            return (CommandOutcome::IamatAhead, None);
        }
        if operands.client().len() > self.settings.limits.client_id_bytes_max {
            let refused = &self.statistics.limits.client_ids_refused;
            refused.fetch_add(1, Ordering::Relaxed);
            return (CommandOutcome::IamatInvalid, None);
        }
        if let Some(full) = self.full_for(operands) {
            self.refuse_client(full);
            return (CommandOutcome::IamatFull, None);
        }
        let server = &self.settings.server;
        let record = BorrowedRecord::of(*operands, server, received_ns);
        let at = AtLine {
            server,
            difference_ns: record.difference_ns(),
            client: operands.client(),
            location: operands.location(),
            time: operands.time(),
        };
        if batch.reports.report(record) == Merge::Expired
            && self.is_kept_out(operands.sent().ns(), received_ns)
        {
            return (CommandOutcome::IamatKeptOut, None);
        }
        (
            CommandOutcome::IamatTaken,
            Some(Effect::Taken(Reply::At(at))),
        )
    }

    /// Whether a report that the floor of expiry did not let in is no old one by this server's clock.
    fn is_kept_out(&self, time_ns: i64, received_ns: i64) -> bool {
        let expire_after = self.settings.expire_after;
        let kept_out = expire_after.is_some_and(|after| after.is_current(time_ns, received_ns));
        if kept_out && is_due(&self.floor_complaints) {
            tracing::warn!("the floor of expiry is ahead of the clock: recent reports are refused");
        }
        kept_out
    }

    /// The limit that is reached, if this report is of an unknown client.
    fn full_for(&self, operands: &Operands<'_>) -> Option<Full> {
        // While the store is read, one that is not found may be known all the same.
        if self.locations.loading().is_running() {
            return None;
        }
        let texts = [operands.client(), operands.location(), operands.time()];
        let texts_bytes = texts.map(<[u8]>::len).iter().sum();
        self.locations
            .full_for(operands.client(), texts_bytes, self.room)
    }

    fn refuse_client(&self, full: Full) {
        let limits = &self.statistics.limits;
        let refused = match full {
            Full::Clients => &limits.clients_refused,
            Full::Bytes => &limits.client_bytes_refused,
        };
        refused.fetch_add(1, Ordering::Relaxed);
        // The holder of the lock is just logging this.
        if is_due(&self.full_complaints) {
            tracing::warn!(
                max_clients = self.room.clients_max,
                max_client_bytes = self.room.bytes_max,
                client_bytes = self.locations.memory_bytes(),
                "max_clients or max_client_bytes is reached: reports of new clients are refused"
            );
        }
    }

    fn whatsat<'a>(
        &'a self,
        whatsat: &Whatsat<'a>,
        text: &[u8],
    ) -> (CommandOutcome, Option<Effect<'a>>) {
        if self.locations.loading().is_running() {
            let reply = self.ask_while_loading(*whatsat, text);
            return (CommandOutcome::WhatsatLoading, Some(Effect::Later(reply)));
        }
        let question = self.locations.find(whatsat.client);
        match question.and_then(|record| PlacesQuestion::new(record, whatsat)) {
            Some(question) => (CommandOutcome::WhatsatKnown, Some(self.ask(question))),
            None => (CommandOutcome::WhatsatUnknown, None),
        }
    }

    fn ask(&self, question: PlacesQuestion) -> Effect<'static> {
        match question.answer_at_once(&*self.places) {
            Some(json) => Effect::Now(Reply::Places {
                record: question.record,
                json,
            }),
            None => {
                let Some(waiting) = self.enter() else {
                    return Effect::Now(Reply::Places {
                        record: question.record,
                        json: too_many_questions(),
                    });
                };
                let places = Arc::clone(&self.places);
                let statistics = Arc::clone(&self.statistics);
                Effect::Later(Box::pin(async move {
                    let _waiting = waiting;
                    Arrived::Reply(question.answer_later(&*places, &statistics).await)
                }))
            }
        }
    }

    /// While the store is read a client that is not found may be in the rest of it; and so may a
    /// greater record than the one that is found, perhaps one that was acknowledged. So the groups
    /// that hold the client are merged first.
    fn ask_while_loading(&self, whatsat: Whatsat<'_>, text: &[u8]) -> LaterReply {
        let locations = Arc::clone(&self.locations);
        let places = Arc::clone(&self.places);
        let statistics = Arc::clone(&self.statistics);
        let (client, text) = (whatsat.client.to_vec(), text.to_vec());
        let (radius, results_max) = (whatsat.radius, whatsat.results_max);
        let after = locations.loading().ask(&client);
        Box::pin(async move {
            let answerable = locations.loading().answerable(after);
            let _ = tokio::time::timeout(LOADING_WAIT_MAX, answerable).await;
            let whatsat = Whatsat {
                client: &client,
                radius,
                results_max,
            };
            match locations
                .find(&client)
                .and_then(|record| PlacesQuestion::new(record, &whatsat))
            {
                Some(question) => Arrived::Reply(question.answer(&*places, &statistics).await),
                None => Arrived::of(&Reply::Invalid(&text)),
            }
        })
    }

    /// Counts one more question that waits, unless too many do.
    fn enter(&self) -> Option<Waiting> {
        let waiting = self.in_flight.enter();
        if waiting.is_none() {
            let refused = &self.statistics.limits.whatsat_refused;
            refused.fetch_add(1, Ordering::Relaxed);
        }
        waiting
    }
}

/// Whether to log now. The holder of the lock is just logging this.
fn is_due(complaints: &Mutex<Option<RateLimiter>>) -> bool {
    complaints.try_lock().is_some_and(|mut limiter| {
        let now = Instant::now();
        let once = || RateLimiter::new(1, COMPLAINT_GAP, now);
        limiter.get_or_insert_with(once).take(now)
    })
}

/// A question for the places near a known client.
struct PlacesQuestion {
    record: Record,
    query: NearbyQuery,
    /// Nothing can be the answer.
    asks_for_nothing: bool,
}

impl PlacesQuestion {
    fn new(record: Record, whatsat: &Whatsat<'_>) -> Option<Self> {
        let query = NearbyQuery {
            center: record.location()?.coordinates(),
            radius_m: whatsat.radius.metres(),
            results_max: whatsat.results_max,
        };
        Some(PlacesQuestion {
            record,
            query,
            asks_for_nothing: whatsat.radius.is_zero() || whatsat.results_max == 0,
        })
    }

    /// The JSON of the reply, if it is ready at once.
    fn answer_at_once(&self, places: &dyn Places) -> Option<Bytes> {
        if self.asks_for_nothing {
            return Some(zero_results());
        }
        places.nearby_at_once(&self.query)
    }

    /// The reply of a provider that has to be waited for.
    async fn answer_later(self, places: &dyn Places, statistics: &Statistics) -> Reply<'static> {
        let asked = tokio::time::timeout(PLACES_WAIT_MAX, places.nearby(self.query));
        let json = asked.await.unwrap_or_else(|_| {
            statistics.places_timeouts.fetch_add(1, Ordering::Relaxed);
            places_timed_out()
        });
        Reply::Places {
            record: self.record,
            json,
        }
    }

    async fn answer(self, places: &dyn Places, statistics: &Statistics) -> Reply<'static> {
        match self.answer_at_once(places) {
            Some(json) => Reply::Places {
                record: self.record,
                json,
            },
            None => self.answer_later(places, statistics).await,
        }
    }
}

/// The reply when the provider never answered.
fn places_timed_out() -> Bytes {
    Bytes::from_static(
        br#"{"error_message":"the provider of places did not answer in time","html_attributions":[],"results":[],"status":"UNKNOWN_ERROR"}"#,
    )
}

/// The reply when too many questions wait for the provider.
fn too_many_questions() -> Bytes {
    Bytes::from_static(
        br#"{"error_message":"too many questions wait for places","html_attributions":[],"results":[],"status":"OVER_QUERY_LIMIT"}"#,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Values;

    /// A provider that never answers.
    struct Silent;

    #[async_trait::async_trait]
    impl Places for Silent {
        fn nearby_at_once(&self, _query: &NearbyQuery) -> Option<Bytes> {
            None
        }

        async fn nearby(&self, _query: NearbyQuery) -> Bytes {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_provider_leaves_the_at_line() {
        let statistics = Arc::new(Statistics::default());
        let executor = Executor::new(
            Arc::new(FrontendSettings::new("Hill".into(), &Values::default())),
            Arc::new(Locations::default()),
            Arc::new(Silent),
            Arc::clone(&statistics),
        );
        let mut batch = executor.begin_batch(0);
        let mut execute = |line| executor.execute(Line::Text(line), &mut batch);
        let effect = execute(b"IAMAT kiwi +1+1 0");
        assert!(matches!(effect, Effect::Taken(Reply::At(_))));
        let Effect::Later(reply) = execute(b"WHATSAT kiwi 1 1") else {
            panic!("not later");
        };
        let Arrived::Reply(reply) = reply.await else {
            panic!("not one reply");
        };
        let mut out = Vec::new();
        reply.write(&mut out);
        let out = String::from_utf8(out).unwrap();
        assert!(
            out.starts_with("AT Hill +0.000000000 kiwi +1+1 0\n{"),
            "{out}"
        );
        let json: serde_json::Value = serde_json::from_str(out.lines().nth(1).unwrap()).unwrap();
        assert_eq!(json["status"], "UNKNOWN_ERROR");
        assert_eq!(json["results"], serde_json::json!([]));
        assert_eq!(json["html_attributions"], serde_json::json!([]));
        assert_eq!(statistics.places_timeouts.load(Ordering::Relaxed), 1);
    }
}
