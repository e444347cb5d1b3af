//! The lane of a connection for lines that were not asked for one by one: those of a watch.

use std::time::Duration;

use tokio::time::Instant;

use super::replies::Replies;
use crate::access::Principal;
use crate::location_service::{WatchListener, WatchStream};
use herd_locations::Said;
use herd_protocol::{EndReason, StreamLine};

/// A watch, as a connection carries it.
pub(super) struct WatchLane {
    stream: WatchStream,
    /// After this time without a line one says that the server is alive.
    alive: Duration,
    said_at: Instant,
    /// Whether all that was so at the beginning was told.
    is_live: bool,
    /// The client wants its end.
    is_unwatched: bool,
    /// It is over, and the last line is still to be written.
    ending: Option<EndReason>,
}

/// This server, for lines that name it.
pub(super) struct Teller<'a> {
    pub(super) server: &'a str,
    pub(super) now_ns: i64,
}

impl WatchLane {
    /// A watch that has just begun.
    pub(super) fn new(stream: WatchStream, alive: Duration) -> Self {
        WatchLane {
            stream,
            alive,
            said_at: Instant::now(),
            is_live: false,
            is_unwatched: false,
            ending: None,
        }
    }

    /// The client wants no more.
    pub(super) fn unwatch(&mut self) {
        self.is_unwatched = true;
    }

    /// Whether no line is executed now: what was so at the beginning is told first, for it is the reply to the command; and
    /// the end is told before the next command is taken.
    pub(super) fn holds_lines(&self) -> bool {
        !self.is_live || self.is_unwatched || self.ending.is_some()
    }

    /// Whether only its last line is to be written.
    pub(super) fn is_over(&self) -> bool {
        self.ending.is_some()
    }

    /// It is over. The first reason stays.
    pub(super) fn end(&mut self, reason: EndReason) {
        self.ending.get_or_insert(reason);
    }

    /// Resolves when [`WatchLane::go_on`] has something to do.
    pub(super) async fn ready(&mut self) {
        if self.ending.is_some() || self.is_unwatched {
            return;
        }
        let alive_at = self.said_at + self.alive;
        tokio::select! {
            biased;
            () = self.stream.ready() => {}
            () = tokio::time::sleep_until(alive_at), if self.is_live => {}
        }
    }

    /// Resolves when more clients have changed than may be unread. To be waited for while there is no room for lines.
    pub(super) async fn too_slow(&mut self) {
        self.stream.too_slow().await;
    }

    /// Notes that it is over since more clients have changed than may be unread.
    pub(super) fn note_too_slow(&self) {
        self.stream.note_too_slow();
    }

    /// Writes lines, as many as there is room for and others may wait for. Says why it was the last one, if it was.
    pub(super) fn go_on(
        &mut self,
        principal: &Principal,
        replies: &mut Replies,
        teller: &Teller<'_>,
    ) -> Option<EndReason> {
        if self.ending.is_none() && !self.is_unwatched {
            let mut lines = Lines {
                replies,
                is_live: &mut self.is_live,
                written: 0,
            };
            self.ending = self.stream.go_on(principal, &mut lines);
            if lines.written > 0 {
                self.said_at = Instant::now();
            } else if self.is_live && self.ending.is_none() {
                self.say_alive(replies, teller);
            }
        }
        if self.is_unwatched {
            self.end(EndReason::Unwatched);
        }
        let reason = self.ending?;
        replies.push_line(&StreamLine::End(reason));
        self.stream.ended(reason);
        Some(reason)
    }

    fn say_alive(&mut self, replies: &mut Replies, teller: &Teller<'_>) {
        let now = Instant::now();
        if now >= self.said_at + self.alive {
            let Teller { server, now_ns } = *teller;
            replies.push_line(&StreamLine::Alive { server, now_ns });
            self.said_at = now;
        }
    }
}

/// The lines of a watch on their way to the replies.
struct Lines<'a> {
    replies: &'a mut Replies,
    is_live: &'a mut bool,
    written: usize,
}

impl WatchListener for Lines<'_> {
    fn has_room(&self) -> bool {
        self.replies.has_room_for_lines()
    }

    fn hear(&mut self, said: Said<'_>) {
        let line = match said {
            Said::At(record) => StreamLine::At(record),
            Said::Enter(record) => StreamLine::Enter(record),
            Said::Leave(record) => StreamLine::Leave(record),
            Said::Centre(record) => StreamLine::Centre(record),
            Said::Gone(client) => StreamLine::Gone(client),
            Said::Live(clients) => {
                *self.is_live = true;
                StreamLine::Live(clients)
            }
        };
        self.replies.push_line(&line);
        self.written += 1;
    }
}
