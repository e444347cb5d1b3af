//! The parts of a server that runs, and what the end of one means for the others.

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::error::ServerError;
use crate::replication::run::ReplicationEnd;

/// A part of a server, ended.
pub(super) enum Part {
    Http,
    Frontend,
    Control,
    Replication(ReplicationEnd),
    Expiry,
    Page,
    Certificates,
    Access,
    /// It opens files anew when it is asked to, and ends when the server stops.
    Files,
}

/// Waits until all parts have ended, replication last.
///
/// # Errors
/// One ended before the server was told to stop; the others run on.
pub(super) async fn watch_parts(
    parts: &mut JoinSet<Part>,
    shutdown: &CancellationToken,
    stop_replication: &CancellationToken,
) -> Result<(), ServerError> {
    while let Some(ended) = parts.join_next().await {
        let stopping = shutdown.is_cancelled();
        match ended.map_err(|_| ServerError::Panicked)? {
            Part::Replication(ReplicationEnd::Superseded) => return Err(ServerError::Superseded),
            Part::Http if !stopping => return Err(ServerError::Ended("the HTTP server")),
            Part::Frontend if !stopping => return Err(ServerError::Ended("the text frontend")),
            Part::Control if !stopping => return Err(ServerError::Ended("the control socket")),
            Part::Replication(ReplicationEnd::Stopped) if !stopping => {
                return Err(ServerError::Ended("replication"));
            }
            Part::Certificates if !stopping => {
                return Err(ServerError::Ended("watching certificates"));
            }
            Part::Expiry if !stopping => return Err(ServerError::Ended("expiry")),
            Part::Page if !stopping => return Err(ServerError::Ended("the live page")),
            Part::Access if !stopping => {
                return Err(ServerError::Ended("following the tokens file"));
            }
            Part::Frontend => stop_replication.cancel(),
            Part::Http
            | Part::Control
            | Part::Expiry
            | Part::Page
            | Part::Certificates
            | Part::Access
            | Part::Files
            | Part::Replication(ReplicationEnd::Stopped) => {}
        }
    }
    Ok(())
}
