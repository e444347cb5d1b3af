//! Why the gossip engine of an incarnation failed.

use std::fmt::Display;

/// The engine could not be started, or its loop has ended. The map is untouched; a new incarnation
/// makes it good.
#[derive(Debug, thiserror::Error)]
#[error("gossip engine: {0}")]
pub struct EngineError(String);

impl EngineError {
    /// It failed for this reason.
    pub fn new(reason: impl Display) -> Self {
        EngineError(reason.to_string())
    }

    /// A task that works with the engine has panicked.
    pub fn panicked(name: &str, panic: impl Display) -> Self {
        EngineError(format!("BUG: its {name} panicked: {panic}"))
    }

    /// A task that works with the engine has ended by itself.
    pub fn ended(name: &str) -> Self {
        EngineError(format!("BUG: its {name} has ended"))
    }
}
