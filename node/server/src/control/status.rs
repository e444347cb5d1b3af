//! The status of the server, as `/status` has it. The user of the server may see it whatever HTTP shows to others.

use super::InvalidRequest;
use super::session::{ControlSession, SessionError};

/// Answers with one line.
pub(super) async fn run(session: &mut ControlSession) -> Result<(), SessionError> {
    let Some(tell) = session.control.status.clone() else {
        return Err(InvalidRequest::Unknown.into());
    };
    let mut line = tell();
    line.push(b'\n');
    session.write(&line).await
}
