//! The form of log lines.

use std::fmt;
use std::str::FromStr;

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, each with the server's name.
    Json,
}

impl LogFormat {
    /// All forms.
    pub const ALL: [LogFormat; 2] = [LogFormat::Text, LogFormat::Json];
}

/// A word that names no form.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("is neither `text` nor `json`")]
pub struct InvalidFormat;

impl FromStr for LogFormat {
    type Err = InvalidFormat;

    fn from_str(text: &str) -> Result<Self, InvalidFormat> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(InvalidFormat),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        })
    }
}
