//! The line that begins the watch.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use herd_protocol::{Command, InvalidCommand};

use super::SubjectArgs;

/// Why nothing can be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidQuestion {
    #[error(transparent)]
    Operand(InvalidCommand),
    #[error("a location or an id is not empty, and has no blanks in it")]
    Blanks,
    #[error("nothing is named to be watched")]
    Nothing,
}

impl SubjectArgs {
    /// Whether clients enter and leave it.
    pub(super) fn is_area(&self) -> bool {
        self.near.is_some() || self.around.is_some() || self.within.is_some()
    }

    fn operands(&self) -> Option<Vec<&OsStr>> {
        let radius = self.radius.as_deref().map(OsStr::new);
        let margin = self.margin.as_deref().map(OsStr::new);
        let area = |word: &'static str, middle| {
            let operands = [Some(OsStr::new(word)), Some(middle), radius, margin];
            operands.into_iter().flatten().collect()
        };
        if let Some(client) = &self.client {
            return Some(vec![OsStr::new("CLIENT"), client]);
        }
        if let Some(prefix) = &self.prefix {
            return Some(vec![OsStr::new("PREFIX"), prefix]);
        }
        if let Some(near) = &self.near {
            return Some(area("POINT", near.as_os_str()));
        }
        if let Some(around) = &self.around {
            return Some(area("NEARBY", around.as_os_str()));
        }
        if let Some([southwest, northeast]) = self.within.as_deref() {
            return Some(vec![OsStr::new("WITHIN"), southwest, northeast]);
        }
        self.all.then(|| vec![OsStr::new("ALL")])
    }
}

/// The WATCH for this, without its LF.
///
/// # Errors
/// The server would refuse it.
pub(super) fn line(subject: &SubjectArgs) -> Result<Vec<u8>, InvalidQuestion> {
    let operands = subject.operands().ok_or(InvalidQuestion::Nothing)?;
    let mut line = b"WATCH".to_vec();
    for operand in operands {
        let bytes = operand.as_bytes();
        if bytes.is_empty() || bytes.iter().copied().any(herd_crdt::is_blank) {
            return Err(InvalidQuestion::Blanks);
        }
        line.push(b' ');
        line.extend_from_slice(bytes);
    }
    match Command::parse(&line) {
        Ok(_) => Ok(line),
        Err(invalid) => Err(InvalidQuestion::Operand(invalid)),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Parsed {
        #[command(flatten)]
        subject: SubjectArgs,
    }

    fn asked(arguments: &[&str]) -> Result<String, String> {
        let arguments = [&["watch"], arguments].concat();
        let parsed = Parsed::try_parse_from(arguments).map_err(|error| error.to_string())?;
        let line = line(&parsed.subject).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(line).unwrap())
    }

    #[test]
    fn each_subject_is_a_command() {
        for (arguments, line) in [
            (&["kiwi"][..], "WATCH CLIENT kiwi"),
            (&["--prefix", "van-"], "WATCH PREFIX van-"),
            (&["--all"], "WATCH ALL"),
            (
                &["--near", "-33.87+151.21", "--radius", "5"],
                "WATCH POINT -33.87+151.21 5",
            ),
            (
                &["--around", "kiwi", "--radius", "5", "--margin", "0.2"],
                "WATCH NEARBY kiwi 5 0.2",
            ),
            (&["--within", "-1-1", "+1+1"], "WATCH WITHIN -1-1 +1+1"),
        ] {
            assert_eq!(asked(arguments).as_deref(), Ok(line));
        }
    }

    #[test]
    fn one_subject_and_all_of_it() {
        for arguments in [
            &[][..],
            &["kiwi", "--all"],
            &["--near", "+1+1"],
            &["--around", "kiwi"],
            &["--within", "+1+1"],
            &["kiwi", "--margin", "1"],
            &["--near", "1+1", "--radius", "5"],
            &["--near", "+1+1", "--radius", "20101"],
            &["a b"],
        ] {
            assert!(asked(arguments).is_err(), "{arguments:?}");
        }
    }
}
