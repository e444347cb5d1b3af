//! The trait of an online provider: it turns questions into requests, and replies into answers. Nothing here waits.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};

use super::super::provider::NearbyQuery;
use super::answer::Answer;
use super::error::ProviderError;
use super::key::ApiKey;

/// A provider of places on the network.
pub trait OnlineProvider: Send + Sync + 'static {
    /// The name for people.
    fn label(&self) -> &'static str;

    /// The key that its requests hold, if it needs one.
    fn key(&self) -> Option<&ApiKey>;

    /// Whether its requests say how many results are wanted.
    fn asks_for_results_max(&self) -> bool;

    /// The longest answer that is read, in bytes.
    fn answer_bytes_max(&self) -> usize;

    /// The request for a question.
    fn request(&self, query: &NearbyQuery) -> HttpRequest;

    /// The answer in a reply.
    ///
    /// # Errors
    /// If the reply is not an answer.
    fn read(&self, reply: &HttpReply) -> Result<Answer, ProviderError>;
}

/// A request. It may hold a key, so it has no `Debug`.
#[derive(Clone)]
pub struct HttpRequest {
    /// Where it goes.
    pub url: Url,
    /// Its headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body of a `POST`; without a body it is a `GET`.
    pub post: Option<String>,
}

/// A reply that is no redirect, read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpReply {
    /// The status.
    pub status: u16,
    /// The media type of the body.
    pub content_type: Option<String>,
    /// How long to wait before the next question.
    pub retry_after: Option<Duration>,
    /// The body, without the key if it was in there.
    pub body: Bytes,
}

impl HttpReply {
    /// The failure that the status alone shows; `None` for a success. `said` is the message in the body, which may be
    /// empty.
    #[must_use]
    pub fn failure(&self, said: &str) -> Option<ProviderError> {
        let status = self.status;
        let reason = if said.is_empty() {
            format!("HTTP {status}")
        } else {
            format!("HTTP {status}, {said}")
        };
        Some(match status {
            200..=299 => return None,
            429 => ProviderError::TooOften {
                retry_after: self.retry_after,
                reason,
            },
            400 | 401 | 403 => ProviderError::Denied(reason),
            404 => ProviderError::Failed {
                reason: format!("{reason}: is the address of the provider right?"),
                passing: false,
                retry_after: self.retry_after,
            },
            _ => ProviderError::Failed {
                reason,
                passing: matches!(status, 500 | 502..=504),
                retry_after: self.retry_after,
            },
        })
    }
}

/// The address of `path` below a base URL.
#[must_use]
pub(crate) fn url_below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let joined = format!("{}/{path}", base.path().trim_end_matches('/'));
    url.set_path(&joined);
    url
}
