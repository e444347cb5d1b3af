//! The parts that all online providers share: one client, and the rules for its use.
//!
//! The rules (breaker, pause, retry, slots, single flight, cache) take the time as an argument and
//! open no socket. [`Exchange`] puts them in order around the client.

mod answer;
mod body;
mod breaker;
mod cache;
mod client;
mod error;
mod exchange;
mod key;
mod pause;
mod provider;
mod question;
mod retry;
mod retry_after;
mod single_flight;
mod slots;
mod statistics;
mod trust;

pub use answer::Answer;
pub use body::JsonBody;
pub use breaker::{Breaker, BreakerChange, Refused};
pub use cache::AnswerCache;
pub use client::{ClientError, HttpClient};
pub use error::ProviderError;
pub use exchange::{Exchange, ExchangeLimits};
pub use key::{ApiKey, InvalidKey};
pub use pause::Pause;
pub use provider::{HttpReply, HttpRequest, OnlineProvider};
pub use question::Question;
pub use retry::RetryPolicy;
pub use retry_after::retry_after;
pub use single_flight::SingleFlight;
pub use slots::{QuestionSlots, TooManyWaiting};
pub use statistics::OnlineStatistics;
pub use trust::{TrustError, TrustedRoots};

pub(crate) use error::words;
pub(crate) use provider::url_below;
