//! A look at fjall's journals before fjall opens them, without changing them.
//!
//! fjall cuts off a journal where it cannot read on, and says nothing; or it refuses a batch that was
//! never synced, and with it the whole store. So each journal is read here first: where its whole
//! batches end, which commits of ours they are, and whether something else follows them.
//!
//! A journal (version 3 of fjall's format) is a row of batches, and zeros up to the length that it
//! was made with. A batch is a start (1, number of items, database sequence), items (2, kind,
//! compression, keyspace, lengths of key, value and stored value, key, value), and an end (3, XXH3
//! of the items, `FJL3`), numbers little-endian.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use super::layout::{META_KEY, Meta};

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const TRAILER: &[u8; 4] = b"FJL\x03";

/// Longer values than this are none of ours: an item with one is garbled.
const VALUE_BYTES_MAX: usize = 1024 * 1024;

/// The content of the journals of a store.
#[derive(Debug, Default)]
pub struct Journals {
    /// The last commit of ours in them, if there is any.
    pub last_sequence: Option<u64>,
    /// The bytes behind the last whole batch of the newest journal, if there are any.
    pub torn_tail: Option<TornTail>,
}

/// The unfinished end of the newest journal.
#[derive(Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The newest journal.
    pub path: PathBuf,
    /// Where its whole batches end.
    pub whole_bytes: u64,
    /// How much that is not zero follows, in bytes from there.
    pub torn_bytes: u64,
}

/// The fault of journals that fjall did not write so.
#[derive(Debug)]
pub enum JournalFault {
    /// They are damaged: the fault.
    Damaged(String),
    /// They cannot be read.
    Io(io::Error),
}

impl From<io::Error> for JournalFault {
    fn from(error: io::Error) -> Self {
        JournalFault::Io(error)
    }
}

/// Reads all journals of the database in `folder`.
///
/// # Errors
/// See [`JournalFault`].
pub fn read_journals(folder: &Path) -> Result<Journals, JournalFault> {
    let mut paths: Vec<(u64, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "jnl") {
            continue;
        }
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        match stem.and_then(|stem| stem.parse().ok()) {
            Some(number) if path.is_file() => paths.push((number, path)),
            _ => {
                let what = format!("{} is not a journal", path.display());
                return Err(JournalFault::Damaged(what));
            }
        }
    }
    paths.sort();
    let mut journals = Journals::default();
    let newest = paths.len().saturating_sub(1);
    for (index, (_, path)) in paths.into_iter().enumerate() {
        let mut reader = JournalReader::open(&path)?;
        while let Some(sequence) = reader.next_batch()? {
            let Some(sequence) = sequence else { continue };
            if let Some(before) = journals.last_sequence
                && Some(sequence) != before.checked_add(1)
            {
                let what = format!("commit {sequence} follows commit {before} in the journals");
                return Err(JournalFault::Damaged(what));
            }
            journals.last_sequence = Some(sequence);
        }
        let torn_bytes = reader.rest()?;
        if torn_bytes == 0 {
            continue;
        }
        if index != newest {
            // fjall syncs a journal before it begins the next one.
            let what = format!("{} is garbled in the middle", path.display());
            return Err(JournalFault::Damaged(what));
        }
        journals.torn_tail = Some(TornTail {
            path,
            whole_bytes: reader.whole_bytes,
            torn_bytes,
        });
    }
    Ok(journals)
}

struct JournalReader {
    reader: BufReader<File>,
    path: PathBuf,
    /// Bytes read so far.
    position: u64,
    /// Where the last whole batch ends.
    whole_bytes: u64,
}

/// Something that no whole batch has: the batch and the bytes behind it are garbled or cut off.
struct NotWhole;

impl JournalReader {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(JournalReader {
            reader: BufReader::with_capacity(64 * 1024, File::open(path)?),
            path: path.to_owned(),
            position: 0,
            whole_bytes: 0,
        })
    }

    /// The sequence that the next batch sets, `Some(None)` if it sets none; `None` behind the last
    /// whole one.
    fn next_batch(&mut self) -> io::Result<Option<Option<u64>>> {
        match self.batch()? {
            Ok(sequence) => {
                self.whole_bytes = self.position;
                Ok(Some(sequence))
            }
            Err(NotWhole) => Ok(None),
        }
    }

    fn batch(&mut self) -> io::Result<Result<Option<u64>, NotWhole>> {
        let Some([START, count @ .., _, _, _, _, _, _, _, _]) = self.take::<13>()? else {
            return Ok(Err(NotWhole));
        };
        let mut sequence = None;
        let mut checksum = Xxh3::new();
        for _ in 0..u32::from_le_bytes(count) {
            match self.item(&mut checksum)? {
                Ok(Some(found)) => sequence = Some(found),
                Ok(None) => {}
                Err(NotWhole) => return Ok(Err(NotWhole)),
            }
        }
        let Some([END, expected @ .., t0, t1, t2, t3]) = self.take::<13>()? else {
            return Ok(Err(NotWhole));
        };
        let whole =
            u64::from_le_bytes(expected) == checksum.digest() && [t0, t1, t2, t3] == *TRAILER;
        Ok(whole.then_some(sequence).ok_or(NotWhole))
    }

    /// Reads one item into the checksum, and gives the sequence that it sets, if it does.
    fn item(&mut self, checksum: &mut Xxh3) -> io::Result<Result<Option<u64>, NotWhole>> {
        let Some([tag]) = self.take::<1>()? else {
            return Ok(Err(NotWhole));
        };
        checksum.update(&[tag]);
        if tag == CLEAR {
            let Some(keyspace) = self.take::<8>()? else {
                return Ok(Err(NotWhole));
            };
            checksum.update(&keyspace);
            return Ok(Ok(None));
        }
        let Some(head) = self.take::<20>()? else {
            return Ok(Err(NotWhole));
        };
        checksum.update(&head);
        let [_kind, _compression, numbers @ ..] = head;
        let [_, _, _, _, _, _, _, _, k0, k1, _, _, _, _, v0, v1, v2, v3] = numbers;
        let key_len = usize::from(u16::from_le_bytes([k0, k1]));
        let value_len = u32::from_le_bytes([v0, v1, v2, v3]) as usize;
        if tag != ITEM || value_len > VALUE_BYTES_MAX {
            return Ok(Err(NotWhole));
        }
        let mut bytes = vec![0; key_len + value_len];
        if !self.fill(&mut bytes)? {
            return Ok(Err(NotWhole));
        }
        checksum.update(&bytes);
        let (key, value) = bytes.split_at(key_len);
        let meta = (key == META_KEY).then(|| Meta::decode(value)).flatten();
        Ok(Ok(meta.map(|meta| meta.sequence)))
    }

    fn take<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        let mut bytes = [0; N];
        Ok(self.fill(&mut bytes)?.then_some(bytes))
    }

    /// False at the end of the file.
    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<bool> {
        match self.reader.read_exact(bytes) {
            Ok(()) => {
                self.position += bytes.len() as u64;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How many bytes follow the last whole batch, without the zeros at the end.
    fn rest(&self) -> io::Result<u64> {
        use std::io::{Seek, SeekFrom};
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.whole_bytes))?;
        let mut buffer = vec![0; 64 * 1024];
        let (mut read, mut rest) = (0, 0);
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                return Ok(rest);
            }
            let bytes = buffer.get(..count).unwrap_or_default();
            if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
                rest = read + last as u64 + 1;
            }
            read += count as u64;
        }
    }
}
