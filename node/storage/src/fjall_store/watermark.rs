//! How far the store has been synced, in a small file of its own beside the database.
//!
//! fjall drops the end of a journal that it cannot read, without an error. With this file, an end
//! that was never synced (a crash; allowed) is told apart from one that was (damage).
//!
//! The file is written after each sync, and not synced itself then: it may be behind by the data that the system had
//! not written back when power was lost, but never ahead. So there is no second sync for each commit. The price: synced
//! data that a bad disk loses right at a loss of power may go unseen.
//!
//! Two places of 32 bytes are written in turn, so that one is whole whenever the other is torn: 4
//! bytes of magic, state, three zeros, serial number, sequence, CRC-32 of all that, four zeros; all
//! big-endian.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

const MAGIC: &[u8; 4] = b"hwm1";
const PLACE_BYTES: usize = 32;
const CHECKED_BYTES: usize = 24;
const FILE_MODE: u32 = 0o600;

/// The state in which the database should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseState {
    /// Its files are being made; nothing was ever stored.
    Creating,
    /// It holds everything up to the sequence.
    Live,
    /// A sync failed: reads may return data that is not on the disk.
    SyncFailed,
}

/// The open file.
#[derive(Debug)]
pub struct Watermark {
    file: File,
    serial: u64,
    state: DatabaseState,
    sequence: u64,
}

impl Watermark {
    /// Makes the file, [`DatabaseState::Creating`], and syncs it. The folder is left to the caller.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(path)?;
        let mut watermark = Watermark {
            file,
            serial: 0,
            state: DatabaseState::Creating,
            sequence: 0,
        };
        watermark.set(DatabaseState::Creating, 0)?;
        watermark.set(DatabaseState::Creating, 0)?;
        watermark.sync()?;
        Ok(watermark)
    }

    /// Opens the file; `None` if neither place is whole.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut newest: Option<(u64, DatabaseState, u64)> = None;
        for place in 0..2 {
            let mut bytes = [0; PLACE_BYTES];
            match file.read_exact_at(&mut bytes, place * PLACE_BYTES as u64) {
                Ok(()) => newest = newest.max_by_serial(decode(&bytes)),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(error) => return Err(error),
            }
        }
        Ok(newest.map(|(serial, state, sequence)| Watermark {
            file,
            serial,
            state,
            sequence,
        }))
    }

    /// The state in which the database should be.
    #[must_use]
    pub fn state(&self) -> DatabaseState {
        self.state
    }

    /// Everything up to this commit was synced.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Writes a new state, without waiting for the disk.
    pub(super) fn set(&mut self, state: DatabaseState, sequence: u64) -> io::Result<()> {
        self.serial += 1;
        self.state = state;
        self.sequence = sequence;
        let bytes = encode(self.serial, state, sequence);
        let place = (self.serial % 2) * PLACE_BYTES as u64;
        self.file.write_all_at(&bytes, place)
    }

    /// Waits for the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

trait MaxBySerial {
    fn max_by_serial(self, other: Self) -> Self;
}

impl MaxBySerial for Option<(u64, DatabaseState, u64)> {
    fn max_by_serial(self, other: Self) -> Self {
        match (self, other) {
            (Some(one), Some(other)) if one.0 > other.0 => Some(one),
            (one, other) => other.or(one),
        }
    }
}

fn encode(serial: u64, state: DatabaseState, sequence: u64) -> [u8; PLACE_BYTES] {
    let mut bytes = Vec::with_capacity(PLACE_BYTES);
    bytes.extend_from_slice(MAGIC);
    let state = match state {
        DatabaseState::Creating => 0,
        DatabaseState::Live => 1,
        DatabaseState::SyncFailed => 2,
    };
    bytes.extend_from_slice(&[state, 0, 0, 0]);
    bytes.extend_from_slice(&serial.to_be_bytes());
    bytes.extend_from_slice(&sequence.to_be_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    let mut place = [0; PLACE_BYTES];
    for (to, from) in place.iter_mut().zip(bytes) {
        *to = from;
    }
    place
}

fn decode(bytes: &[u8; PLACE_BYTES]) -> Option<(u64, DatabaseState, u64)> {
    let (checked, rest) = bytes.split_at(CHECKED_BYTES);
    let (checksum, zeros) = rest.split_first_chunk::<4>()?;
    let (magic, numbers) = checked.split_first_chunk::<4>()?;
    let (state, numbers) = numbers.split_first_chunk::<4>()?;
    let (serial, sequence) = numbers.split_first_chunk::<8>()?;
    let state = match state {
        [0, 0, 0, 0] => DatabaseState::Creating,
        [1, 0, 0, 0] => DatabaseState::Live,
        [2, 0, 0, 0] => DatabaseState::SyncFailed,
        _ => return None,
    };
    let whole = magic == MAGIC
        && zeros == [0; 4]
        && crc32fast::hash(checked) == u32::from_be_bytes(*checksum);
    let sequence = u64::from_be_bytes(sequence.try_into().ok()?);
    whole.then(|| (u64::from_be_bytes(*serial), state, sequence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_whole_place_counts_and_none_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("watermark");
        let mut made = Watermark::create(&path).unwrap();
        made.set(DatabaseState::Live, 7).unwrap();
        made.set(DatabaseState::Live, 8).unwrap();
        drop(made);
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let opened = Watermark::open(&path).unwrap();
            opened.map(|watermark| (watermark.state(), watermark.sequence()))
        };
        let good = std::fs::read(&path).unwrap();
        assert_eq!(read(&good), Some((DatabaseState::Live, 8)));
        for index in 0..good.len() {
            let mut torn = good.clone();
            torn[index] ^= 0x10;
            let sequence = read(&torn).unwrap().1;
            assert!(matches!(sequence, 7 | 8), "byte {index}");
        }
        let mut spoilt = good.clone();
        spoilt[3] ^= 1;
        spoilt[PLACE_BYTES + 3] ^= 1;
        assert_eq!(read(&spoilt), None);
        assert_eq!(read(b""), None);
        assert_eq!(read(&good[..PLACE_BYTES]), Some((DatabaseState::Live, 8)));
    }
}
