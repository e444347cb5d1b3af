//! `IAMAT client location time`: a client says where it is.

use herd_crdt::Operands;

use memchr::memchr_iter;

use super::command::{Fields, InvalidOperand};

/// The command word and a blank.
const BEGIN: &[u8] = b"IAMAT ";

/// An `IAMAT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Iamat<'a> {
    /// Its operands, as the client wrote them.
    pub operands: Operands<'a>,
}

impl<'a> Iamat<'a> {
    /// Reads the operands behind the command word.
    ///
    /// # Errors
    /// Says which operand is wrong.
    pub(super) fn parse(operands: Fields<'a>) -> Result<Self, InvalidOperand> {
        let [client, location, time] = operands.three()?;
        Ok(Iamat {
            operands: Operands::of_fields(client, location, time)?,
        })
    }
}

/// The clients of the reports among whole lines. The lines are not checked, and those with other blanks than single
/// spaces are passed over: what follows from this may only save time.
pub fn clients_ahead(lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut begin = 0;
    memchr_iter(b'\n', lines).filter_map(move |lf| {
        let line = &lines[begin..lf];
        begin = lf + 1;
        let operands = line.strip_prefix(BEGIN)?;
        let client = &operands[..memchr::memchr(b' ', operands)?];
        (!client.is_empty()).then_some(client)
    })
}

#[cfg(test)]
mod tests {
    use herd_crdt::{CLIENT_ID_BYTES_MAX, InvalidLocation, InvalidTime};

    use super::*;

    fn parse(operands: &[u8]) -> Result<Iamat<'_>, InvalidOperand> {
        Iamat::parse(Fields::new(operands))
    }

    #[test]
    fn operands_are_borrowed_as_written() {
        let iamat = parse(b"kiwi.cs.ucla.edu +34.068930-118.445127 1520023934.918963997").unwrap();
        assert_eq!(iamat.operands.client(), b"kiwi.cs.ucla.edu");
        assert_eq!(iamat.operands.location(), b"+34.068930-118.445127");
        assert_eq!(iamat.operands.time(), b"1520023934.918963997");
        assert_eq!(iamat.operands.sent().ns(), 1_520_023_934_918_963_997);
    }

    #[test]
    fn clients_ahead_are_those_of_whole_plain_reports() {
        let lines =
            b"IAMAT kiwi +1+1 1\nWHATSAT kiwi 1 1\n\n IAMAT a +1+1 1\nIAMAT  b +1+1 1\nIAMAT c\n\
            IAMAT emu ?\r\nIAMAT moa +1+1 1";
        let clients: Vec<&[u8]> = clients_ahead(lines).collect();
        assert_eq!(clients, [&b"kiwi"[..], b"emu"]);
        assert_eq!(clients_ahead(b"").count(), 0);
    }

    #[test]
    fn a_client_id_is_any_bytes() {
        for client in [
            &b"\xff\xfe"[..],
            b"IAMAT",
            b"1520023934.9",
            b"+1+1",
            b"a\xa0b",
            b"\0",
        ] {
            let line = [client, b" +1+1 1"].concat();
            assert_eq!(parse(&line).unwrap().operands.client(), client);
        }
    }

    #[test]
    fn a_client_id_has_at_most_8192_bytes() {
        let mut line = vec![b'a'; CLIENT_ID_BYTES_MAX];
        line.extend_from_slice(b" +1+1 1");
        assert!(parse(&line).is_ok());
        line.insert(0, b'a');
        assert_eq!(parse(&line), Err(InvalidOperand::Client));
    }

    #[test]
    fn location_and_time_follow_their_grammars() {
        let location = |why| Err(InvalidOperand::Location(why));
        let time = |why| Err(InvalidOperand::Time(why));
        assert_eq!(parse(b"k 34-118 1"), location(InvalidLocation::Malformed));
        assert_eq!(
            parse(b"k +90.1-118 1"),
            location(InvalidLocation::OutOfRange)
        );
        assert_eq!(parse(b"k +1+1 1e9"), time(InvalidTime::Malformed));
        assert_eq!(parse(b"k +1+1 1.0123456789"), time(InvalidTime::Malformed));
        assert_eq!(parse(b"k +1+1 9223372037"), time(InvalidTime::OutOfRange));
        assert!(parse(b"k +1+1 -1").is_ok());
    }
}
