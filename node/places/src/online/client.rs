//! The one HTTP client.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use reqwest::{Client, Response, header, redirect};

use super::error::{ProviderError, words};
use super::key::ApiKey;
use super::provider::{HttpReply, HttpRequest};
use super::retry_after::retry_after;
use super::trust::{TrustError, TrustedRoots};
use herd_clock::clock::SharedClock;

/// The user agent, for the operators of public servers.
const USER_AGENT: &str = concat!(
    "herd/",
    env!("CARGO_PKG_VERSION"),
    " (location server; answers to WHATSAT)"
);

/// The part of the body of a failure that is read, in bytes.
const FAILURE_BYTES_MAX: usize = 64 * 1024;

/// The idle timeout of a connection.
const IDLE_MAX: Duration = Duration::from_secs(90);

/// Sends requests over pooled HTTP/1.1 connections. It follows no redirect: the key would go where
/// it leads.
#[derive(Clone)]
pub struct HttpClient {
    client: Client,
    clock: SharedClock,
}

/// Why there is no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// TLS is not possible.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The library refuses its settings.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

impl HttpClient {
    /// A client that keeps at most `idle_max` idle connections.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn new(
        roots: &TrustedRoots,
        connect_timeout: Duration,
        idle_max: usize,
        clock: SharedClock,
    ) -> Result<Self, ClientError> {
        let client = Client::builder()
            .tls_backend_preconfigured(roots.client_config()?)
            .http1_only()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(connect_timeout)
            .pool_max_idle_per_host(idle_max)
            .pool_idle_timeout(IDLE_MAX)
            .build()
            .map_err(|error| ClientError::Client(root_cause(error)))?;
        Ok(HttpClient { client, clock })
    }

    /// Sends a request and reads its reply, of a success at most `bytes_max`. `key` is removed from the reply. The
    /// caller bounds the time.
    ///
    /// # Errors
    /// There was no whole reply.
    pub async fn send(
        &self,
        request: HttpRequest,
        bytes_max: usize,
        key: Option<&ApiKey>,
    ) -> Result<HttpReply, ProviderError> {
        let HttpRequest { url, headers, post } = request;
        let mut building = match post {
            Some(body) => self.client.post(url).body(body),
            None => self.client.get(url),
        };
        for (name, value) in headers {
            building = building.header(name, value);
        }
        let response = building.send().await.map_err(|error| {
            let connecting = error.is_connect();
            match root_cause(error) {
                reason if connecting => ProviderError::Connect(reason),
                reason => ProviderError::NoReply(reason),
            }
        })?;
        self.read(response, bytes_max, key).await
    }

    async fn read(
        &self,
        mut response: Response,
        bytes_max: usize,
        key: Option<&ApiKey>,
    ) -> Result<HttpReply, ProviderError> {
        let status = response.status();
        if status.is_redirection() {
            return Err(ProviderError::Redirected(status.as_u16()));
        }
        let text = |name| {
            let value: &header::HeaderValue = response.headers().get(name)?;
            value.to_str().ok()
        };
        let content_type = text(header::CONTENT_TYPE).map(str::to_owned);
        let now_ns = self.clock.now_ns();
        let retry_after = text(header::RETRY_AFTER).and_then(|value| retry_after(value, now_ns));
        let body = if status.is_success() {
            read_body(&mut response, bytes_max).await?
        } else {
            // It only adds words to a failure that is known already.
            let body = read_body(&mut response, FAILURE_BYTES_MAX).await;
            body.unwrap_or_default()
        };
        Ok(HttpReply {
            status: status.as_u16(),
            content_type,
            retry_after,
            body: without_key(body, key),
        })
    }
}

async fn read_body(response: &mut Response, bytes_max: usize) -> Result<Bytes, ProviderError> {
    let too_long = ProviderError::TooLong(bytes_max);
    if response
        .content_length()
        .is_some_and(|length| length > bytes_max as u64)
    {
        return Err(too_long);
    }
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > bytes_max => return Err(too_long),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body.freeze()),
            Err(error) => return Err(ProviderError::CutOff(root_cause(error))),
        }
    }
}

/// A body without the key, even if the provider repeats it.
fn without_key(body: Bytes, key: Option<&ApiKey>) -> Bytes {
    match key {
        Some(key) if memmem::find(&body, key.reveal().as_bytes()).is_some() => {
            let text = String::from_utf8_lossy(&body);
            Bytes::from(key.redact(&text))
        }
        _ => body,
    }
}

/// The innermost cause of a failure. The outer ones name the URL, which may hold the key.
fn root_cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    words(&cause.to_string())
}
