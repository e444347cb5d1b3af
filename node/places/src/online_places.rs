//! An online provider as the frontend sees it: cache, single flight, exchange, fallback.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::fallback::Fallback;
use super::online::{
    Answer, AnswerCache, Exchange, OnlineStatistics, ProviderError, Question, SingleFlight,
};
use super::provider::{NearbyQuery, Places, zero_results};

/// The most results that a client can ask for; the number for the provider where the question has none.
const RESULTS_MAX: usize = 20;

/// Answers of an online provider, with something that answers in its place.
pub struct OnlinePlaces {
    exchange: Arc<Exchange>,
    flights: SingleFlight<Question, Result<Arc<Answer>, ProviderError>>,
    /// Only for providers whose terms allow it.
    cache: Option<Arc<Mutex<AnswerCache>>>,
    fallback: Fallback,
    statistics: Arc<OnlineStatistics>,
}

impl OnlinePlaces {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        exchange: Exchange,
        cache: Option<AnswerCache>,
        fallback: Fallback,
        statistics: Arc<OnlineStatistics>,
    ) -> Self {
        OnlinePlaces {
            exchange: Arc::new(exchange),
            flights: SingleFlight::default(),
            cache: cache.map(|cache| Arc::new(Mutex::new(cache))),
            fallback,
            statistics,
        }
    }

    /// The counts so far.
    #[must_use]
    pub fn statistics(&self) -> Arc<OnlineStatistics> {
        Arc::clone(&self.statistics)
    }

    /// A question of one result or more, as the provider and the cache know it.
    fn question(&self, query: &NearbyQuery) -> Question {
        if self.cache.is_some() {
            Question::rounded(query)
        } else {
            Question::exact(query, self.exchange.provider().asks_for_results_max())
        }
    }

    async fn answer(&self, question: Question) -> Result<Arc<Answer>, ProviderError> {
        let exchange = Arc::clone(&self.exchange);
        let cache = self.cache.clone();
        let ask = move || async move {
            let answer = Arc::new(exchange.ask(question.query(RESULTS_MAX)).await?);
            if let Some(cache) = cache {
                cache
                    .lock()
                    .insert(question, Arc::clone(&answer), Instant::now());
            }
            Ok(answer)
        };
        let (answer, joined) = self.flights.join(question, ask);
        if joined {
            self.statistics.joined.fetch_add(1, Ordering::Relaxed);
        }
        answer.await
    }
}

/// Whether a question has an answer that needs no provider.
fn asks_for_nothing(query: &NearbyQuery) -> bool {
    query.radius_m <= 0.0 || query.results_max == 0
}

#[async_trait::async_trait]
impl Places for OnlinePlaces {
    fn nearby_at_once(&self, query: &NearbyQuery) -> Option<Bytes> {
        if asks_for_nothing(query) {
            return Some(zero_results());
        }
        let cache = self.cache.as_ref()?;
        let answer = cache.lock().get(&self.question(query), Instant::now())?;
        self.statistics.cached.fetch_add(1, Ordering::Relaxed);
        Some(answer.reply(query))
    }

    async fn nearby(&self, query: NearbyQuery) -> Bytes {
        if asks_for_nothing(&query) {
            return zero_results();
        }
        match self.answer(self.question(&query)).await {
            Ok(answer) => answer.reply(&query),
            Err(error) => {
                if self.fallback.is_on() {
                    self.statistics.fallbacks.fetch_add(1, Ordering::Relaxed);
                }
                let label = self.exchange.provider().label();
                self.fallback.reply(label, &query, &error)
            }
        }
    }
}
