//! Messages of the program itself, before there is a log or beside it.

use std::fmt::Display;
use std::io::{self, Write};

use crate::config::{Environment, Setting};

/// Writes a message to standard error. That nobody may be reading there is not a failure.
pub(super) fn complain(message: impl Display) {
    let _ = writeln!(io::stderr(), "herd: {message}");
}

/// The warning about variables that no setting reads, most likely misspelt.
pub(super) fn unknown_variables(environment: &Environment, known: &[Setting]) -> Option<String> {
    let unknown = environment.unknown(known);
    let verb = if unknown.len() == 1 { "is" } else { "are" };
    (!unknown.is_empty()).then(|| format!("{} {verb} not read by this command", unknown.join(", ")))
}
