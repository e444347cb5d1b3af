//! The events of one watch, made as fast as the client takes them.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use herd_admission::AddressShare;
use herd_protocol::EndReason;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};

use super::events::{ALIVE, Events, HELLO, write_end};
use crate::access::TokenHash;
use crate::http_json::api::HttpApi;
use crate::location_service::WatchStream;

/// A place among those who watch over HTTP, and in the share of an address. It is given back when this is dropped.
pub(super) struct WatchPlace {
    _of_all: OwnedSemaphorePermit,
    _of_address: AddressShare,
}

impl WatchPlace {
    /// `None` if all places are taken, or all that the address may have.
    pub(super) fn take(api: &HttpApi, address: IpAddr) -> Option<Self> {
        let of_address = api.watch_addresses.enter(address, Instant::now())?;
        let of_all = Arc::clone(&api.watch_places).try_acquire_owned().ok()?;
        Some(WatchPlace {
            _of_all: of_all,
            _of_address: of_address,
        })
    }
}

/// One watch.
pub(super) struct Feed {
    api: Arc<HttpApi>,
    token: Option<TokenHash>,
    stream: WatchStream,
    /// Events that were not handed on yet.
    out: Vec<u8>,
    said_at: Instant,
    is_over: bool,
    _place: WatchPlace,
}

impl Feed {
    /// A watch that has just begun, with its place among those of HTTP.
    pub(super) fn new(
        api: Arc<HttpApi>,
        token: Option<TokenHash>,
        stream: WatchStream,
        place: WatchPlace,
    ) -> Self {
        Feed {
            api,
            token,
            stream,
            out: HELLO.to_vec(),
            said_at: Instant::now(),
            is_over: false,
            _place: place,
        }
    }

    /// Its events, until it is over.
    pub(super) fn pieces(self) -> impl Stream<Item = Bytes> + Send {
        unfold(self, |mut feed| async move {
            let piece = feed.next().await?;
            Some((piece, feed))
        })
    }

    /// The next events; waits until there are some. Called when the last ones are on their way.
    async fn next(&mut self) -> Option<Bytes> {
        while self.out.is_empty() {
            if self.is_over {
                return None;
            }
            let api = Arc::clone(&self.api);
            let alive_at = self.said_at + api.settings.watch_alive;
            tokio::select! {
                biased;
                () = api.shutdown.cancelled() => self.end(EndReason::Stopping),
                () = self.stream.ready() => self.go_on(),
                () = sleep_until(alive_at) => self.out.extend_from_slice(ALIVE),
            }
        }
        self.said_at = Instant::now();
        Some(std::mem::take(&mut self.out).into())
    }

    fn go_on(&mut self) {
        let Some(principal) = self.api.principal(self.token.as_ref()) else {
            return self.end(EndReason::Refused);
        };
        let mut events = Events {
            out: &mut self.out,
            now_ns: self.api.clock.now_ns(),
        };
        if let Some(reason) = self.stream.go_on(&principal, &mut events) {
            self.end(reason);
        }
    }

    fn end(&mut self, reason: EndReason) {
        write_end(&mut self.out, reason);
        self.stream.ended(reason);
        self.is_over = true;
    }
}
