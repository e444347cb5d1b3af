//! One session: its request, and the code that all kinds of session share.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::listen::Control;
use super::{
    CONTROL_LINE_BYTES_MAX, ControlRequest, ERROR_WORD, InvalidRequest, dump, load, status,
};
use herd_protocol::{Line, LineReader};

/// How long the request may take.
const REQUEST_WAIT: Duration = Duration::from_secs(10);

/// The maximal time in which the other side neither reads nor sends anything. It is long, because people look at a
/// dump in a pager.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(600);

/// How long the last line of a session that failed may take.
const LAST_LINE_WAIT: Duration = Duration::from_secs(1);

/// Why a session did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error("the other side did nothing for {} s", .0.as_secs())]
    Idle(Duration),
    #[error(transparent)]
    Request(#[from] InvalidRequest),
    #[error("the server stops")]
    Stopped,
    /// No client is there to get the error.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    #[error("the connection was closed before a request came")]
    Closed,
}

/// A connection to the control socket.
pub(super) struct ControlSession {
    pub(super) control: Arc<Control>,
    pub(super) stream: UnixStream,
    pub(super) reader: LineReader,
    /// Whether something was written in part only.
    writing: bool,
}

impl ControlSession {
    pub(super) fn new(control: Arc<Control>, stream: UnixStream) -> Self {
        ControlSession {
            control,
            stream,
            reader: LineReader::new(CONTROL_LINE_BYTES_MAX),
            writing: false,
        }
    }

    /// Serves the one request of this session.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let served = tokio::select! {
            biased;
            // Records that were taken in until now stay.
            () = shutdown.cancelled() => Err(SessionError::Stopped),
            served = self.serve() => served,
        };
        let Err(error) = served else { return };
        match &error {
            // A look whether anyone listens here.
            SessionError::Closed => return,
            SessionError::Stopped => info!("a session on the control socket was cut off: {error}"),
            _ => warn!("a session on the control socket was cut off: {error}"),
        }
        if self.writing {
            // Behind half a line it would be taken for a part of that.
            return;
        }
        let last = format!("{ERROR_WORD} {error}\n");
        let _ = timeout(LAST_LINE_WAIT, self.stream.write_all(last.as_bytes())).await;
    }

    async fn serve(&mut self) -> Result<(), SessionError> {
        match timeout(REQUEST_WAIT, self.request()).await {
            Err(_) => Err(SessionError::Idle(REQUEST_WAIT)),
            Ok(Err(error)) => Err(error),
            Ok(Ok(ControlRequest::Dump)) => dump::run(self).await,
            Ok(Ok(ControlRequest::Load)) => load::run(self).await,
            Ok(Ok(ControlRequest::Status)) => status::run(self).await,
        }
    }

    async fn request(&mut self) -> Result<ControlRequest, SessionError> {
        loop {
            match self.reader.next_line() {
                Some(Line::Text(line)) => {
                    return Ok(ControlRequest::parse(line)?);
                }
                Some(Line::Oversized(_)) => return Err(InvalidRequest::Unknown.into()),
                None => {}
            }
            if self.read().await? == 0 {
                return Err(SessionError::Closed);
            }
        }
    }

    /// Reads more into the reader; 0 bytes are the end.
    pub(super) async fn read(&mut self) -> io::Result<usize> {
        let bytes = self.stream.read(self.reader.buffer().room()).await?;
        self.reader.buffer().filled(bytes);
        Ok(bytes)
    }

    /// Writes all of `bytes`.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        self.writing = true;
        match timeout(IDLE_MAX, self.stream.write_all(bytes)).await {
            Ok(written) => written?,
            Err(_) => return Err(SessionError::Idle(IDLE_MAX)),
        }
        self.writing = false;
        Ok(())
    }
}
