//! `FORGET <client>`: the client is to be unknown from now on.

use super::command::{Fields, InvalidOperand, check_client};

/// The operand of a `FORGET`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forget<'a> {
    /// The client ID, byte for byte.
    pub client: &'a [u8],
}

impl<'a> Forget<'a> {
    /// Reads the fields behind the command word.
    ///
    /// # Errors
    /// If there is not exactly one, or if it is too long.
    pub(super) fn parse(mut fields: Fields<'a>) -> Result<Self, InvalidOperand> {
        match (fields.next(), fields.next()) {
            (Some(client), None) => {
                check_client(client)?;
                Ok(Forget { client })
            }
            _ => Err(InvalidOperand::Count),
        }
    }
}

#[cfg(test)]
mod tests {
    use herd_crdt::CLIENT_ID_BYTES_MAX;

    use super::super::{Command, InvalidCommand};
    use super::*;

    #[test]
    fn one_operand_of_any_bytes() {
        let forget = |line: &'static [u8]| Command::parse(line);
        let known = |client| Ok(Some(Command::Forget(Forget { client })));
        assert_eq!(forget(b"FORGET kiwi"), known(b"kiwi"));
        assert_eq!(forget(b" FORGET\t\xff\x00 \r"), known(b"\xff\x00"));
        assert_eq!(forget(b"FORGET FORGET"), known(b"FORGET"));
        let count = Err(InvalidCommand::Forget(InvalidOperand::Count));
        for line in [&b"FORGET"[..], b"FORGET ", b"FORGET kiwi emu"] {
            assert_eq!(forget(line), count);
        }
        let too_long = [b"FORGET ", &vec![b'a'; CLIENT_ID_BYTES_MAX + 1][..]].concat();
        let client = Err(InvalidCommand::Forget(InvalidOperand::Client));
        assert_eq!(Command::parse(&too_long), client);
        let longest = &too_long[..too_long.len() - 1];
        assert!(matches!(Command::parse(longest), Ok(Some(_))));
    }
}
