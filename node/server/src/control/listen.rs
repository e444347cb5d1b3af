//! Accepting operators, a few at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::session::ControlSession;
use super::{Confirm, ControlSocket, ERROR_WORD};
use herd_clock::clock::SharedClock;
use herd_expiry::ExpireAfter;
use herd_locations::Locations;

/// Sessions at the same time.
const SESSIONS_MAX: usize = 4;

/// The pause after a failure to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Makes the JSON of `/status`, without line ends.
pub type TellStatus = Arc<dyn Fn() -> Vec<u8> + Send + Sync>;

/// The server of the control socket.
pub struct Control {
    pub(super) locations: Arc<Locations>,
    pub(super) clock: SharedClock,
    pub(super) max_clock_skew: Option<Duration>,
    pub(super) confirm: Arc<dyn Confirm>,
    pub(super) expire_after: Option<ExpireAfter>,
    pub(super) status: Option<TellStatus>,
}

impl Control {
    /// Serves the records of `locations`. Times of loaded records may lie `max_clock_skew` ahead of
    /// `clock`, without it any far. A load is answered once `confirm` has resolved.
    #[must_use]
    pub fn new(
        locations: Arc<Locations>,
        clock: SharedClock,
        max_clock_skew: Option<Duration>,
        confirm: Arc<dyn Confirm>,
    ) -> Self {
        Control {
            locations,
            clock,
            max_clock_skew,
            confirm,
            expire_after: None,
            status: None,
        }
    }

    /// Records expire: of loaded ones those are refused that only the floor keeps out though they are not old.
    #[must_use]
    pub fn with_expiry(mut self, expire_after: Option<ExpireAfter>) -> Self {
        self.expire_after = expire_after;
        self
    }

    /// Tells this status; without it, requests for the status are refused.
    #[must_use]
    pub fn with_status(mut self, tell: TellStatus) -> Self {
        self.status = Some(tell);
        self
    }

    /// Serves the connections to `socket` until `shutdown`. Then the sessions end, and the socket's file is gone when
    /// this returns.
    pub async fn serve(self, socket: ControlSocket, shutdown: CancellationToken) {
        let control = Arc::new(self);
        let mut sessions = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(ended) = sessions.join_next() => note_end(ended),
                accepted = socket.listener().accept() => match accepted {
                    Ok((stream, _)) if sessions.len() >= SESSIONS_MAX => {
                        let full = format!(
                            "{ERROR_WORD} {SESSIONS_MAX} dumps and loads are running; try again later\n"
                        );
                        // A new connection has room for a line, if it is still there.
                        let _ = stream.try_write(full.as_bytes());
                    }
                    Ok((stream, _)) => {
                        let session = ControlSession::new(Arc::clone(&control), stream);
                        sessions.spawn(session.run(shutdown.clone()));
                    }
                    Err(error) => {
                        warn!(%error, "cannot accept on the control socket; trying again");
                        tokio::select! {
                            () = shutdown.cancelled() => break,
                            () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                        }
                    }
                },
            }
        }
        // From now on a client finds no socket.
        drop(socket);
        while let Some(ended) = sessions.join_next().await {
            note_end(ended);
        }
    }
}

fn note_end(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && !error.is_cancelled()
    {
        error!(%error, "BUG: a session on the control socket panicked and was cut off");
    }
}
