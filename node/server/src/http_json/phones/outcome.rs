//! What a phone is told of its report.

use crate::http_json::problem::{Kind, Problem};

/// Passes on a refusal that the app or its user can do something about. A report that will never be taken in is as good
/// as taken: the app would send it for ever.
pub(super) fn worth_telling(refused: Problem) -> Result<(), Problem> {
    match refused.kind() {
        Kind::Ahead | Kind::IdTooLong => Ok(()),
        _ => Err(refused),
    }
}
