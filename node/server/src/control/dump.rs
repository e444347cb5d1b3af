//! All records, as lines.

use super::record_line::write_record;
use super::session::{ControlSession, SessionError};
use herd_locations::Walk;

/// Writes every record and the end. Between two pieces nothing is held but the walk's place, so a
/// reader that is slow costs this server nothing.
pub(super) async fn run(session: &mut ControlSession) -> Result<(), SessionError> {
    let locations = session.control.locations.clone();
    let mut walk = Walk::default();
    let mut records = 0_u64;
    let mut lines = Vec::new();
    while let Some(piece) = walk.next_piece(&locations) {
        lines.clear();
        for record in &piece {
            write_record(record, &mut lines);
        }
        records += piece.len() as u64;
        drop(piece);
        session.write(&lines).await?;
        // A reader that is fast must not keep this thread from other tasks.
        tokio::task::yield_now().await;
    }
    session.write(format!("END {records}\n").as_bytes()).await
}
