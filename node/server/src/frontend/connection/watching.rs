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

    /// What the client's watch waits for. Nothing while replies to commands are waited for, or only its last line is to be
    /// written.
    pub(super) fn watch_awaits(&self) -> Option<Awaited> {
        let lane = self.lane.as_ref()?;
        if self.replies.has_room_for_lines() {
            Some(Awaited::Lines)
        } else {
            (!self.replies.has_later() && !lane.is_over()).then_some(Awaited::TooMuch)
        }
    }

    /// What the watch has waited for is there.
    pub(super) fn watch_goes_on(&mut self, awaited: Awaited) {
        match awaited {
            Awaited::Lines => self.go_on_watching(),
            Awaited::TooMuch => {
                if let Some(lane) = &self.lane {
                    lane.note_too_slow();
                }
                self.end_slow();
            }
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

/// What a watch waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// That there is something to be told.
    Lines,
    /// Since the client reads nothing at the moment: that more has changed than may be unread.
    TooMuch,
}

/// Resolves when what is awaited is there, if anything is.
pub(super) async fn ready(lane: &mut Option<Box<WatchLane>>, awaited: Option<Awaited>) -> Awaited {
    match (lane, awaited) {
        (Some(lane), Some(Awaited::Lines)) => {
            lane.ready().await;
            Awaited::Lines
        }
        (Some(lane), Some(Awaited::TooMuch)) => {
            lane.too_slow().await;
            Awaited::TooMuch
        }
        _ => pending().await,
    }
}
