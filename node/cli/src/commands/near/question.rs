//! The line that asks.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use herd_protocol::{Command, InvalidCommand};

/// The center of the search.
#[derive(Clone, Debug)]
pub(super) enum Center {
    Location(OsString),
    Client(OsString),
}

/// Why nothing can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidQuestion {
    #[error(transparent)]
    Operand(InvalidCommand),
    #[error("a location or an id has no blanks in it")]
    Blanks,
}

/// The NEARBY for this, without its LF.
///
/// # Errors
/// The server would refuse it.
pub(super) fn line(center: &Center, radius: &str, limit: &str) -> Result<Vec<u8>, InvalidQuestion> {
    let (word, operand) = match center {
        Center::Location(location) => ("POINT", location),
        Center::Client(client) => ("CLIENT", client),
    };
    let mut line = format!("NEARBY {word} ").into_bytes();
    line.extend_from_slice(operand.as_bytes());
    line.extend_from_slice(format!(" {radius} {limit}").as_bytes());
    let has_blanks = [operand.as_bytes(), radius.as_bytes(), limit.as_bytes()]
        .iter()
        .any(|field| field.is_empty() || field.iter().copied().any(herd_crdt::is_blank));
    if has_blanks {
        return Err(InvalidQuestion::Blanks);
    }
    match Command::parse(&line) {
        Ok(_) => Ok(line),
        Err(invalid) => Err(InvalidQuestion::Operand(invalid)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(center: Center, radius: &str, limit: &str) -> Result<String, String> {
        line(&center, radius, limit)
            .map(|line| String::from_utf8(line).unwrap())
            .map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn a_question_is_a_command() {
        let here = || Center::Location("-33.87+151.21".into());
        assert_eq!(
            asked(here(), "5", "20").unwrap(),
            "NEARBY POINT -33.87+151.21 5 20"
        );
        let kiwi = Center::Client("kiwi".into());
        assert_eq!(asked(kiwi, "*", "0").unwrap(), "NEARBY CLIENT kiwi * 0");
        assert!(asked(here(), "20101", "20").unwrap_err().contains("radius"));
        assert!(asked(here(), "5", "1001").unwrap_err().contains("limit"));
        let nowhere = Center::Location("34".into());
        assert!(asked(nowhere, "5", "20").unwrap_err().contains("latitude"));
        for blank in ["", "a b", "a\nIAMAT"] {
            assert!(
                asked(Center::Client(blank.into()), "5", "20")
                    .unwrap_err()
                    .contains("blanks")
            );
        }
    }
}
