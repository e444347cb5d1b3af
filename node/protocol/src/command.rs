//! From a line to a command.

use herd_crdt::{CLIENT_ID_BYTES_MAX, InvalidLocation, InvalidRecord, InvalidTime, is_blank};

use super::forget::Forget;
use super::iamat::Iamat;
use super::nearby::{CLIENTS_MAX, Nearby, REACH_KM_MAX, Within};
use super::watch::Watch;
use super::whatsat::{RADIUS_KM_MAX, RESULTS_MAX, Whatsat};

/// The command of one line, borrowed from the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command<'a> {
    /// A client says where it is.
    Iamat(Iamat<'a>),
    /// Someone asks for the places near a client.
    Whatsat(Whatsat<'a>),
    /// Someone asks which clients are near.
    Nearby(Nearby<'a>),
    /// Someone asks which clients are in a box.
    Within(Within<'a>),
    /// Someone wants to be told when it changes.
    Watch(Watch<'a>),
    /// And now not any more.
    Unwatch,
    /// A client is to be forgotten.
    Forget(Forget<'a>),
}

/// Why a line is not a command. The client only ever gets a copy of its line; this is for logs and
/// counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCommand {
    /// The first field is no command word, in capitals.
    #[error("unknown command word")]
    UnknownWord,
    /// An `IAMAT` that breaks a rule.
    #[error("invalid IAMAT: {0}")]
    Iamat(InvalidOperand),
    /// A `WHATSAT` that breaks a rule.
    #[error("invalid WHATSAT: {0}")]
    Whatsat(InvalidOperand),
    /// A `NEARBY` that breaks a rule.
    #[error("invalid NEARBY: {0}")]
    Nearby(InvalidOperand),
    /// A `WITHIN` that breaks a rule.
    #[error("invalid WITHIN: {0}")]
    Within(InvalidOperand),
    /// A `WATCH` that breaks a rule.
    #[error("invalid WATCH: {0}")]
    Watch(InvalidOperand),
    /// An `UNWATCH` that breaks a rule.
    #[error("invalid UNWATCH: {0}")]
    Unwatch(InvalidOperand),
    /// A `FORGET` that breaks a rule.
    #[error("invalid FORGET: {0}")]
    Forget(InvalidOperand),
}

/// Which operand of a command is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOperand {
    /// Not as many operands as the command has.
    #[error("too few operands, or too many")]
    Count,
    /// The client ID is too long.
    #[error("client id is longer than {CLIENT_ID_BYTES_MAX} bytes")]
    Client,
    /// See [`InvalidLocation`].
    #[error(transparent)]
    Location(#[from] InvalidLocation),
    /// See [`InvalidTime`].
    #[error(transparent)]
    Time(#[from] InvalidTime),
    /// The radius is not a plain decimal number in its range.
    #[error("radius is not a decimal number of kilometres from 0 to {RADIUS_KM_MAX}")]
    Radius,
    /// The bound is not a whole number in its range.
    #[error("bound is not a whole number from 0 to {RESULTS_MAX}")]
    Bound,
    /// The second word is neither `POINT` nor `CLIENT`.
    #[error("neither POINT nor CLIENT")]
    Center,
    /// The radius of a `NEARBY` is not a plain decimal number in its range.
    #[error("radius is neither `*` nor a decimal number of kilometres from 0 to {REACH_KM_MAX}")]
    Reach,
    /// The second word of a `WATCH` names nothing that can be watched.
    #[error("none of CLIENT, PREFIX, ALL, POINT, WITHIN and NEARBY")]
    Subject,
    /// The margin is not a plain decimal number in its range.
    #[error("margin is not a decimal number of kilometres from 0 to {REACH_KM_MAX}")]
    Margin,
    /// The limit is not a whole number in its range.
    #[error("limit is not a whole number from 0 to {CLIENTS_MAX}")]
    Limit,
    /// The first corner of a box lies north of the second.
    #[error("the southwestern corner lies north of the northeastern one")]
    UpsideDown,
}

impl From<InvalidRecord> for InvalidOperand {
    fn from(invalid: InvalidRecord) -> Self {
        match invalid {
            InvalidRecord::Location(invalid) => InvalidOperand::Location(invalid),
            InvalidRecord::Time(invalid) => InvalidOperand::Time(invalid),
            // A field is not empty and holds no white space, and a line names no server.
            InvalidRecord::ClientLength
            | InvalidRecord::ClientBlank
            | InvalidRecord::ServerLength
            | InvalidRecord::ServerText => InvalidOperand::Client,
        }
    }
}

impl<'a> Command<'a> {
    /// Reads a line that came without its LF. `None` if the line is blank: that is no command.
    ///
    /// # Errors
    /// Says which rule the line breaks; see [`InvalidCommand`].
    pub fn parse(line: &'a [u8]) -> Result<Option<Self>, InvalidCommand> {
        let mut fields = Fields::new(line);
        match fields.next() {
            None => Ok(None),
            Some(b"IAMAT") => Iamat::parse(fields)
                .map(|iamat| Some(Command::Iamat(iamat)))
                .map_err(InvalidCommand::Iamat),
            Some(b"WHATSAT") => Whatsat::parse(fields)
                .map(|whatsat| Some(Command::Whatsat(whatsat)))
                .map_err(InvalidCommand::Whatsat),
            Some(b"NEARBY") => Nearby::parse(fields)
                .map(|nearby| Some(Command::Nearby(nearby)))
                .map_err(InvalidCommand::Nearby),
            Some(b"WITHIN") => Within::parse(fields)
                .map(|within| Some(Command::Within(within)))
                .map_err(InvalidCommand::Within),
            Some(b"WATCH") => Watch::parse(fields)
                .map(|watch| Some(Command::Watch(watch)))
                .map_err(InvalidCommand::Watch),
            Some(b"UNWATCH") => match fields.next() {
                None => Ok(Some(Command::Unwatch)),
                Some(_) => Err(InvalidCommand::Unwatch(InvalidOperand::Count)),
            },
            Some(b"FORGET") => Forget::parse(fields)
                .map(|forget| Some(Command::Forget(forget)))
                .map_err(InvalidCommand::Forget),
            Some(_) => Err(InvalidCommand::UnknownWord),
        }
    }
}

/// The fields of a line: its longest runs of bytes that are not white space.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of `line`.
    #[must_use]
    pub fn new(line: &'a [u8]) -> Self {
        Fields { rest: line }
    }

    /// The next three fields, if they are all that is left.
    pub(super) fn three(mut self) -> Result<[&'a [u8]; 3], InvalidOperand> {
        match (self.next(), self.next(), self.next(), self.next()) {
            (Some(a), Some(b), Some(c), None) => Ok([a, b, c]),
            _ => Err(InvalidOperand::Count),
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.rest.iter().position(|&b| !is_blank(b))?;
        let from = &self.rest[start..];
        let end = first_blank(from).unwrap_or(from.len());
        let (field, rest) = from.split_at(end);
        self.rest = rest;
        Some(field)
    }
}

/// Where the first white space is. Eight bytes are looked at together: a byte below `!` is found by the borrow that
/// it needs (Mycroft's test; see S. E. Anderson, "Bit twiddling hacks").
fn first_blank(bytes: &[u8]) -> Option<usize> {
    const EVERY_BYTE: u64 = u64::MAX / 0xff;
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let as_number = u64::from_le_bytes(*word);
        let below = as_number.wrapping_sub(EVERY_BYTE * u64::from(b'!'));
        if below & !as_number & (EVERY_BYTE * 0x80) != 0
            // Other control bytes are found too.
            && let Some(at) = word.iter().position(|&b| is_blank(b))
        {
            return Some(number * 8 + at);
        }
    }
    let at = rest.iter().position(|&b| is_blank(b))?;
    Some(words.len() * 8 + at)
}

/// Checks a client ID's length; a field is never empty and holds no white space.
pub(super) fn check_client(client: &[u8]) -> Result<(), InvalidOperand> {
    if client.len() > CLIENT_ID_BYTES_MAX {
        return Err(InvalidOperand::Client);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_cut_at_six_bytes_only() {
        let fields = |line: &'static [u8]| Fields::new(line).collect::<Vec<_>>();
        assert_eq!(fields(b"  a\t\x0b\x0c\r b \n"), [b"a", b"b"]);
        assert!(fields(b" \t\r\n\x0b\x0c").is_empty());
        // NBSP in Latin-1 and in UTF-8, the separators 0x1C to 0x1F, NUL, NEL, em space.
        for text in [
            &b"a\xa0b"[..],
            b"a\xc2\xa0b",
            b"a\x1c\x1d\x1e\x1fb",
            b"a\0b",
            b"a\x85b",
            b"a\xe2\x80\x83b",
        ] {
            assert_eq!(Fields::new(text).collect::<Vec<_>>(), [text]);
        }
    }

    #[test]
    fn blank_lines_are_no_commands() {
        for line in [&b""[..], b" ", b"\t\x0b\x0c\r "] {
            assert_eq!(Command::parse(line), Ok(None));
        }
    }

    #[test]
    fn words_are_case_sensitive_and_at_is_no_command() {
        for line in [
            &b"iamat kiwi +1+1 1"[..],
            b"Nearby POINT +1+1 1 1",
            b"within +1+1 +2+2 1",
            b"Forget kiwi",
            b"FORGETkiwi",
            b"Whatsat kiwi 1 1",
            b"AT Hill +0.000000000 kiwi +1+1 1",
            b"IAMATkiwi +1+1 1",
            b"\xa0IAMAT kiwi +1+1 1",
            b"?",
        ] {
            assert_eq!(Command::parse(line), Err(InvalidCommand::UnknownWord));
        }
    }

    #[test]
    fn exactly_three_operands() {
        let count = InvalidOperand::Count;
        for line in [
            "IAMAT",
            "IAMAT kiwi +1+1",
            "IAMAT kiwi +1+1 1 1",
            "IAMAT IAMAT kiwi +1+1 1",
        ] {
            assert_eq!(
                Command::parse(line.as_bytes()),
                Err(InvalidCommand::Iamat(count))
            );
        }
        for line in ["WHATSAT", "WHATSAT kiwi 1", "WHATSAT kiwi 1 1 1"] {
            assert_eq!(
                Command::parse(line.as_bytes()),
                Err(InvalidCommand::Whatsat(count))
            );
        }
    }

    fn field_text() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>().prop_filter("blank", |&b| !is_blank(b)), 1..40)
    }

    fn blanks(least: usize) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(&b" \t\r\x0b\x0c"[..]), least..4)
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(line in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Command::parse(&line);
        }

        #[test]
        fn almost_commands_never_panic(
            line in "(IAMAT|WHATSAT|NEARBY|WITHIN|WATCH|UNWATCH|FORGET)( POINT| CLIENT| PREFIX| WITHIN)?( [-+.0-9]{0,12}| kiwi| \\PC{0,5}){0,5}"
        ) {
            let _ = Command::parse(line.as_bytes());
        }

        #[test]
        fn the_first_blank_is_found_wherever_it_stands(
            bytes in prop::collection::vec(
                prop_oneof![8 => any::<u8>(), 1 => prop::sample::select(&b" \t\r\n\x0b\x0c"[..])],
                0..40,
            )
        ) {
            prop_assert_eq!(first_blank(&bytes), bytes.iter().position(|&b| is_blank(b)));
        }

        #[test]
        fn blanks_around_fields_change_nothing(
            client in field_text(),
            gaps in prop::collection::vec(blanks(1), 3),
            lead in blanks(0),
            tail in blanks(0),
        ) {
            let mut line = lead;
            for (text, gap) in [&b"IAMAT"[..], &client, b"+1.5-2"].iter().zip(&gaps) {
                line.extend_from_slice(text);
                line.extend_from_slice(gap);
            }
            line.extend_from_slice(b"7.25");
            line.extend(tail);
            let texts = |iamat: Iamat<'_>| {
                let operands = iamat.operands;
                [operands.client(), operands.location(), operands.time()].map(<[u8]>::to_vec)
            };
            let plain = [&client[..], b" +1.5-2 7.25"].concat();
            let expected = Iamat::parse(Fields::new(&plain)).map(texts);
            let given = [client, b"+1.5-2".to_vec(), b"7.25".to_vec()];
            prop_assert_eq!(&expected, &Ok(given));
            match Command::parse(&line) {
                Ok(Some(Command::Iamat(iamat))) => prop_assert_eq!(Ok(texts(iamat)), expected),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
