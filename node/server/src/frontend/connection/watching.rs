//! What a connection does while its client watches.

use std::future::pending;
use std::time::Duration;

use tokio::time::Instant;

use super::{Connection, InputState};
use crate::access::{AccessSession, Principal};
use crate::frontend::watching::{Teller, WatchLane};
use herd_protocol::EndReason;

/// How long a watcher that has read nothing for too long may take for the line that says so.
const LAST_LINE_TIME: Duration = Duration::from_secs(1);

impl Connection {
    /// Whether it does not know yet that the server stops, and would have to.
    pub(super) fn may_stop(&self) -> bool {
        let watches = self.lane.as_ref().is_some_and(|lane| !lane.is_over());
        self.input == InputState::Open || watches
    }

    /// The server stops.
    pub(super) fn stop(&mut self) {
        if self.input == InputState::Open {
            self.input = InputState::Cut;
        }
        if let Some(lane) = &mut self.lane {
            lane.end(EndReason::Stopping);
        }
    }

    /// Tells the client some of what it watches.
    pub(super) fn go_on_watching(&mut self) {
        let Some(lane) = &mut self.lane else { return };
        let service = &self.service;
        let teller = Teller {
            server: service.operations.server(),
            now_ns: service.clock.now_ns(),
        };
        let session = self.session.as_mut();
        let principal = session.map_or(&Principal::Anyone, AccessSession::principal);
        let ended = lane.go_on(principal, &mut self.replies, &teller);
        if let Some(log) = &mut self.log {
            log.begin(teller.now_ns);
        }
        self.log_replies();
        let Some(reason) = ended else { return };
        self.lane = None;
        if reason != EndReason::Unwatched {
            self.input = InputState::Over;
            self.commands_left = false;
        }
    }

    /// The client has read nothing for too long. Whether it watches, and may take a moment more for the line that says so,
    /// which goes before all lines that wait; over TLS behind them.
    pub(super) fn end_slow(&mut self) -> bool {
        let Some(lane) = &mut self.lane else {
            return false;
        };
        if self.replies.has_later() {
            return false;
        }
        lane.end(EndReason::Slow);
        // TLS may have encrypted the lines that wait, in a write that has to be repeated with the same bytes.
        if self.service.settings.tls.is_none() {
            self.replies.cut();
        }
        self.unread_since = Some(Instant::now());
        self.unread_max = LAST_LINE_TIME;
        self.go_on_watching();
        true
    }
}

/// Resolves when there is something to be told.
pub(super) async fn ready(lane: &mut Option<Box<WatchLane>>) {
    match lane {
        Some(lane) => lane.ready().await,
        None => pending().await,
    }
}
