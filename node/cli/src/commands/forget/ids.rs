//! The clients that are to be forgotten.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use herd_crdt::CLIENT_ID_BYTES_MAX;
use herd_files::byte_order_mark;
use herd_protocol::{Command, Fields};

/// The most clients at a time.
const IDS_MAX: usize = 1_000_000;

/// How many commands are sent before their replies are read.
const BATCH_MAX: usize = 256;

/// The same in bytes of ids, so that neither side fills the other's buffers before it reads. A longer id is sent alone.
const BATCH_BYTES_MAX: usize = 64 * 1024;

/// Ids that a server takes, each once as it was given.
#[derive(Debug, Default)]
pub(super) struct ClientIds(Vec<Vec<u8>>);

/// Why clients cannot be forgotten. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidIds {
    #[error("{}: an id has 1 to {CLIENT_ID_BYTES_MAX} bytes and no blanks", .0.escape_ascii())]
    Id(Vec<u8>),
    #[error("line {0} of the ids: an id has 1 to {CLIENT_ID_BYTES_MAX} bytes and no blanks")]
    Line(u64),
    #[error("more than {IDS_MAX} ids; split them")]
    TooMany,
    #[error("cannot read the ids: {0}")]
    File(#[from] io::Error),
}

impl ClientIds {
    /// Those of the arguments, and those of a file, of which each line has one.
    ///
    /// # Errors
    /// If one is no id, or the file cannot be read.
    pub(super) fn gather(given: &[OsString], file: Option<&Path>) -> Result<Self, InvalidIds> {
        let mut ids = ClientIds::default();
        for id in given {
            let id = id.as_bytes();
            ids.add(id).map_err(|_| InvalidIds::Id(id.to_vec()))?;
        }
        match file {
            None => {}
            Some(path) if path == Path::new("-") => ids.read(io::stdin().lock())?,
            Some(path) => ids.read(byte_order_mark::skip_in(File::open(path)?)?)?,
        }
        Ok(ids)
    }

    /// The ids in their order, those together that are sent before their replies are read.
    pub(super) fn batches(&self) -> impl Iterator<Item = &[Vec<u8>]> {
        let mut left = &self.0[..];
        std::iter::from_fn(move || {
            let mut bytes = 0;
            let fits = left.iter().take(BATCH_MAX).take_while(|id| {
                bytes += id.len();
                bytes <= BATCH_BYTES_MAX
            });
            let count = fits.count().max(1);
            let (batch, rest) = left.split_at_checked(count)?;
            left = rest;
            Some(batch)
        })
    }

    fn read(&mut self, from: impl Read) -> Result<(), InvalidIds> {
        let mut from = BufReader::new(from);
        for number in 1.. {
            let mut line = Vec::new();
            // Blanks around an id, and one byte more than fits.
            let room = 2 * CLIENT_ID_BYTES_MAX as u64;
            if (&mut from).take(room).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let mut fields = Fields::new(&line);
            match (fields.next(), fields.next()) {
                (None, _) => {}
                (Some(id), None) => self.add(id).map_err(|_| InvalidIds::Line(number))?,
                (Some(_), Some(_)) => return Err(InvalidIds::Line(number)),
            }
            if self.0.len() > IDS_MAX {
                return Err(InvalidIds::TooMany);
            }
        }
        Ok(())
    }

    fn add(&mut self, id: &[u8]) -> Result<(), ()> {
        let line = [b"FORGET ", id].concat();
        match Command::parse(&line) {
            Ok(Some(Command::Forget(forget))) if forget.client == id => {
                self.0.push(id.to_vec());
                Ok(())
            }
            _ => Err(()),
        }
    }
}

impl Deref for ClientIds {
    type Target = [Vec<u8>];

    fn deref(&self) -> &[Vec<u8>] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_file(text: &[u8]) -> Result<Vec<Vec<u8>>, InvalidIds> {
        let mut ids = ClientIds::default();
        ids.read(text).map(|()| ids.0)
    }

    #[test]
    fn batches_are_bounded_by_ids_and_bytes() {
        let lens = |ids: ClientIds| Vec::from_iter(ids.batches().map(<[_]>::len));
        assert_eq!(lens(ClientIds::default()), [0; 0]);
        assert_eq!(lens(ClientIds(vec![vec![b'a']; 600])), [256, 256, 88]);
        let long = vec![b'a'; BATCH_BYTES_MAX / 8];
        assert_eq!(lens(ClientIds(vec![long; 17])), [8, 8, 1]);
        let longer = vec![b'a'; BATCH_BYTES_MAX + 1];
        let ids = vec![vec![b'a'], longer, vec![b'a']];
        assert_eq!(lens(ClientIds(ids)), [1, 1, 1]);
    }

    #[test]
    fn ids_come_from_arguments_and_lines() {
        let given = ClientIds::gather(&["kiwi".into(), "FORGET".into()], None).unwrap();
        assert_eq!(*given, [b"kiwi".to_vec(), b"FORGET".to_vec()]);
        let ids = of_file(b"kiwi\n\n \r\n emu\r\n\xff\x01\nlast").unwrap();
        assert_eq!(ids, [&b"kiwi"[..], b"emu", b"\xff\x01", b"last"]);
        for id in ["", "a b", "a\nIAMAT", " kiwi"] {
            assert!(ClientIds::gather(&[id.into()], None).is_err(), "{id}");
        }
        assert!(matches!(of_file(b"kiwi\na b\n"), Err(InvalidIds::Line(2))));
        let long = vec![b'a'; CLIENT_ID_BYTES_MAX + 1];
        assert!(matches!(of_file(&long), Err(InvalidIds::Line(1))));
        assert!(of_file(&long[1..]).is_ok());
        let longer = vec![b'a'; 3 * CLIENT_ID_BYTES_MAX];
        assert!(matches!(of_file(&longer), Err(InvalidIds::Line(1))));
    }
}
