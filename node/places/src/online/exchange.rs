//! One question to a provider, from its turn to its answer, with all the rules in their order.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{debug, info, warn};

use super::super::provider::NearbyQuery;
use super::answer::Answer;
use super::breaker::{Breaker, BreakerChange};
use super::client::HttpClient;
use super::error::ProviderError;
use super::pause::Pause;
use super::provider::OnlineProvider;
use super::retry::RetryPolicy;
use super::slots::QuestionSlots;
use super::statistics::OnlineStatistics;
use herd_clock::rate_limiter::RateLimiter;

/// The bounds of questions to a provider.
#[derive(Clone, Copy, Debug)]
pub struct ExchangeLimits {
    /// How long a question may take, its wait and all attempts together.
    pub timeout: Duration,
    /// How many may be in flight.
    pub in_flight_max: usize,
    /// When one is asked again.
    pub retry: RetryPolicy,
    /// How many requests are sent in a minute; nothing for no limit.
    pub per_minute: Option<u32>,
}

/// Asks one provider.
pub struct Exchange {
    provider: Arc<dyn OnlineProvider>,
    client: HttpClient,
    limits: ExchangeLimits,
    slots: QuestionSlots,
    health: Mutex<ProviderHealth>,
    statistics: Arc<OnlineStatistics>,
}

#[derive(Default)]
struct ProviderHealth {
    breaker: Breaker,
    pause: Pause,
    minute: Option<RateLimiter>,
}

impl Exchange {
    /// Nothing is sent before the first question.
    #[must_use]
    pub fn new(
        provider: Arc<dyn OnlineProvider>,
        client: HttpClient,
        limits: ExchangeLimits,
        statistics: Arc<OnlineStatistics>,
    ) -> Self {
        Exchange {
            provider,
            client,
            limits,
            slots: QuestionSlots::new(limits.in_flight_max),
            health: Mutex::new(ProviderHealth {
                minute: limits
                    .per_minute
                    .map(|count| RateLimiter::new(count, Duration::from_secs(60), Instant::now())),
                ..ProviderHealth::default()
            }),
            statistics,
        }
    }

    /// The provider.
    #[must_use]
    pub fn provider(&self) -> &dyn OnlineProvider {
        &*self.provider
    }

    /// Asks, within the time that a question may take.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn ask(&self, query: NearbyQuery) -> Result<Answer, ProviderError> {
        let timeout = self.limits.timeout;
        let begin = Instant::now();
        let deadline = begin + timeout;
        let asked = self.ask_until(query, deadline);
        let result = match timeout_at(deadline, asked).await {
            Ok(result) => result,
            Err(_) => Err(ProviderError::TooSlow(timeout)),
        };
        let counter = match &result {
            Ok(_) => &self.statistics.answered,
            Err(_) => &self.statistics.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.statistics.durations.observe(begin.elapsed(), 1);
        if let Err(error) = &result {
            debug!(provider = self.provider.label(), %error, "no places");
            if matches!(
                error,
                ProviderError::Busy
                    | ProviderError::Broken(_)
                    | ProviderError::Paused(_)
                    | ProviderError::UsedUp(_)
            ) {
                self.statistics.not_asked.fetch_add(1, Ordering::Relaxed);
            }
        }
        result
    }

    async fn ask_until(
        &self,
        query: NearbyQuery,
        deadline: Instant,
    ) -> Result<Answer, ProviderError> {
        let slot = self.slots.enter().await;
        let _slot = slot.map_err(|_| ProviderError::Busy)?;
        let mut attempts = 0;
        loop {
            let error = match self.attempt(&query, deadline).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            attempts += 1;
            let retry = &self.limits.retry;
            let now = Instant::now();
            let next = retry.next_attempt(attempts, &error, now, deadline, rand::random());
            let Some(at) = next else {
                return Err(error);
            };
            sleep_until(at).await;
            self.statistics.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn attempt(
        &self,
        query: &NearbyQuery,
        deadline: Instant,
    ) -> Result<Answer, ProviderError> {
        let asking = self.admit(Instant::now())?;
        self.statistics.requests.fetch_add(1, Ordering::Relaxed);
        let provider = &self.provider;
        let bytes_max = provider.answer_bytes_max();
        let sent = self
            .client
            .send(provider.request(query), bytes_max, provider.key());
        let result = match timeout_at(deadline, sent).await {
            Ok(reply) => reply.and_then(|reply| provider.read(&reply)),
            Err(_) => Err(ProviderError::TooSlow(self.limits.timeout)),
        };
        asking.ended(&result);
        result
    }

    fn admit(&self, now: Instant) -> Result<Asking<'_>, ProviderError> {
        let mut health = self.health.lock();
        if let Some(left) = health.pause.left(now) {
            return Err(ProviderError::Paused(left));
        }
        if health
            .minute
            .as_ref()
            .is_some_and(|minute| minute.left(now) == 0)
        {
            self.statistics.used_up.fetch_add(1, Ordering::Relaxed);
            let per_minute = self.limits.per_minute.unwrap_or_default();
            return Err(ProviderError::UsedUp(per_minute));
        }
        let refused = |refused: super::Refused| ProviderError::Broken(refused.again_in);
        health.breaker.admit(now).map_err(refused)?;
        if let Some(minute) = &mut health.minute {
            minute.spend(1, now);
        }
        Ok(Asking {
            exchange: self,
            ended: false,
        })
    }

    fn note(&self, error: Option<&ProviderError>, now: Instant) {
        let provider = self.provider.label();
        let mut health = self.health.lock();
        let change = match error {
            Some(error) if error.is_breakage() => health.breaker.failed(now),
            _ => health.breaker.succeeded(),
        };
        let often = error.is_some_and(|error| {
            let named = error.retry_after().is_some();
            named || matches!(error.cause(), ProviderError::TooOften { .. })
        });
        let pause = match error {
            Some(error) if often => Some(health.pause.asked_too_often(now, error.retry_after())),
            Some(_) => None,
            None => {
                health.pause.answered();
                None
            }
        };
        drop(health);
        let reason = error.map(ToString::to_string).unwrap_or_default();
        if let Some(pause) = pause {
            warn!(
                provider,
                ?pause,
                reason,
                "the provider of places wants a pause, and is not asked meanwhile"
            );
        }
        match change {
            BreakerChange::None => {}
            BreakerChange::Opened(open_for) => {
                warn!(
                    provider,
                    ?open_for,
                    reason,
                    "the provider of places keeps failing, and is not asked for a while"
                );
            }
            BreakerChange::StaysOpen(open_for) => {
                warn!(
                    provider,
                    ?open_for,
                    reason,
                    "the provider of places still fails, and is not asked for another while"
                );
            }
            BreakerChange::Closed => info!(provider, "the provider of places works again"),
        }
    }
}

/// A question that was admitted. The breaker learns its end, even if the question is cancelled.
struct Asking<'a> {
    exchange: &'a Exchange,
    ended: bool,
}

impl Asking<'_> {
    fn ended(mut self, result: &Result<Answer, ProviderError>) {
        self.ended = true;
        self.exchange.note(result.as_ref().err(), Instant::now());
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.exchange
                .health
                .lock()
                .breaker
                .abandoned(Instant::now());
        }
    }
}
