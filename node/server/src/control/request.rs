//! The first line of a session.

use std::fmt;

/// The version of everything that is said on the socket.
pub const VERSION: u32 = 1;

/// The purpose of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlRequest {
    /// All records, please.
    Dump,
    /// Here are records.
    Load,
    /// The status of the server, please.
    Status,
}

/// Why a first line is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// None of the words.
    #[error("the first line is none of DUMP, LOAD and STATUS with a version")]
    Unknown,
    /// The other side is of another version.
    #[error(
        "this server speaks version {VERSION} of the control socket; use the `herd` of the same version"
    )]
    Version,
}

impl ControlRequest {
    /// Reads a line that came without its LF.
    ///
    /// # Errors
    /// See [`InvalidRequest`].
    pub fn parse(line: &[u8]) -> Result<Self, InvalidRequest> {
        let line = str::from_utf8(line).map_err(|_| InvalidRequest::Unknown)?;
        let (word, version) = line.split_once(' ').ok_or(InvalidRequest::Unknown)?;
        let request = match word {
            "DUMP" => ControlRequest::Dump,
            "LOAD" => ControlRequest::Load,
            "STATUS" => ControlRequest::Status,
            _ => return Err(InvalidRequest::Unknown),
        };
        match version.parse() {
            Ok(VERSION) => Ok(request),
            Ok(_) => Err(InvalidRequest::Version),
            Err(_) => Err(InvalidRequest::Unknown),
        }
    }
}

/// The line, without its LF.
impl fmt::Display for ControlRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            ControlRequest::Dump => "DUMP",
            ControlRequest::Load => "LOAD",
            ControlRequest::Status => "STATUS",
        };
        write!(f, "{word} {VERSION}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_parsed_and_other_lines_refused() {
        for request in [
            ControlRequest::Dump,
            ControlRequest::Load,
            ControlRequest::Status,
        ] {
            assert_eq!(
                ControlRequest::parse(request.to_string().as_bytes()),
                Ok(request)
            );
        }
        for line in ["", "DUMP", "DUMP x", "dump 1", "DUMP 1 1", "AT 1"] {
            assert_eq!(
                ControlRequest::parse(line.as_bytes()),
                Err(InvalidRequest::Unknown)
            );
        }
        assert_eq!(
            ControlRequest::parse(b"\xff 1"),
            Err(InvalidRequest::Unknown)
        );
        assert_eq!(
            ControlRequest::parse(b"LOAD 2"),
            Err(InvalidRequest::Version)
        );
    }
}
