//! Delta groups: the content of one slot, and the unit of gossip and of storage.
//!
//! A group is a set of records; joining it into a map is idempotent, so groups may repeat, overlap
//! and arrive in any order (delta-groups of delta-state CRDTs: Almeida, Shoker, Baquero, "Delta
//! state replicated data types", 2018).
//!
//! Encoding, version 1: the version byte; the names of the servers that the records mention, each
//! once; the number of records; the records, each with client ID, location, time, the index of its
//! server's name, and that server's clock at receipt. All by [`crate::codec`].
//!
//! Version 2 is the same with tombstones: their location is empty. A group without tombstones is written
//! in version 1, so that a server of a release before version 2 reads all groups but those of forgotten clients.
//!
//! A server's [`GroupFormat`] says which versions it writes and which versions it reads. It reads every version up to
//! the newest that it knows; it keeps a group of an unknown version and passes it on as it is.

use crate::codec;
use crate::location::LOCATION_BYTES_MAX;
use crate::operands::Operands;
use crate::record::{
    BorrowedRecord, CLIENT_ID_BYTES_MAX, InvalidRecord, Record, SERVER_NAME_BYTES_MAX, ServerName,
    check_server,
};
use crate::report_time::REPORT_TIME_BYTES_MAX;

/// The first version that there was, which every server reads.
const FIRST_VERSION: u8 = 1;

/// The first version in which a record may be a tombstone.
pub const TOMBSTONES_VERSION: u8 = 2;

/// The newest version that servers write and read.
pub const GROUP_FORMAT_VERSION: u8 = TOMBSTONES_VERSION;

/// The version after it, which only [`GroupFormat::next`] speaks.
const NEXT_VERSION: u8 = GROUP_FORMAT_VERSION + 1;

/// The number that the next version writes behind the last record.
const NEXT_TRAILER: u64 = 0;

/// The most bytes of an encoded group. As base64 it is 16,000 bytes, and four of those fit into one
/// gossip delta of 65,507 bytes.
pub const GROUP_BYTES_MAX: usize = 12_000;

/// A variable-length integer takes at most this many bytes when its value is below 65,536.
const VARINT_U16_BYTES_MAX: usize = 3;
/// The same for any 64-bit value.
const VARINT_U64_BYTES_MAX: usize = 9;
/// Version byte, number of servers, number of records.
const HEADER_BYTES_MAX: usize = 1 + 2 * VARINT_U16_BYTES_MAX;

/// The smallest server name: its length and one byte.
const SERVER_BYTES_MIN: usize = 2;
/// The smallest record, a tombstone: three lengths, a one-byte client, a one-digit time, index and clock.
const RECORD_BYTES_MIN: usize = 3 + 1 + 1 + 2;

// The largest record that the protocol lets in fits into a group of its own.
const _: () = assert!(
    GroupFormat::next().frame_bytes_max()
        + (VARINT_U16_BYTES_MAX + SERVER_NAME_BYTES_MAX)
        + (VARINT_U16_BYTES_MAX + CLIENT_ID_BYTES_MAX)
        + (VARINT_U16_BYTES_MAX + LOCATION_BYTES_MAX)
        + (VARINT_U16_BYTES_MAX + REPORT_TIME_BYTES_MAX)
        + VARINT_U16_BYTES_MAX
        + VARINT_U64_BYTES_MAX
        <= GROUP_BYTES_MAX
);

/// Why bytes are not a group. Nothing was merged.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// A format of a newer version of herd: to be kept as it is and decoded after an upgrade.
    #[error("group has format version {0}, which this server does not read")]
    UnknownVersion(u8),
    /// No bytes at all, not even a version.
    #[error("group is empty, without even a version")]
    NoVersion,
    /// More than [`GROUP_BYTES_MAX`] bytes.
    #[error("group has {0} bytes, more than {GROUP_BYTES_MAX}")]
    TooLong(usize),
    /// Cut off or garbled.
    #[error("group is malformed: {0}")]
    Malformed(#[from] codec::CodecError),
    /// A record names a server that the group does not list.
    #[error("group has a record of server number {0}, which it does not list")]
    UnknownServer(u16),
    /// Bytes after the last record.
    #[error("group has {0} bytes after its last record")]
    LeftOver(usize),
    /// A record that no server would have accepted.
    #[error("group holds an invalid record: {0}")]
    Record(#[from] InvalidRecord),
}

/// The versions of the group format that a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupFormat {
    /// The version of a group without tombstones.
    writes: u8,
    reads_up_to: u8,
}

impl Default for GroupFormat {
    fn default() -> Self {
        GroupFormat::PRESENT
    }
}

impl GroupFormat {
    /// The versions that servers of this version of herd speak.
    pub const PRESENT: GroupFormat = GroupFormat {
        writes: FIRST_VERSION,
        reads_up_to: GROUP_FORMAT_VERSION,
    };

    /// The versions that servers of releases without tombstones speak, for tests of herds that are upgraded.
    #[must_use]
    pub const fn before_tombstones() -> GroupFormat {
        GroupFormat {
            writes: FIRST_VERSION,
            reads_up_to: FIRST_VERSION,
        }
    }

    /// A stand-in for the version to come, for tests of upgrades; no server of this version of herd
    /// is started with it. It has the present layout with one more number behind the last record, so
    /// that servers of the present version cannot read it, and reads all.
    #[must_use]
    pub const fn next() -> GroupFormat {
        GroupFormat {
            writes: NEXT_VERSION,
            reads_up_to: NEXT_VERSION,
        }
    }

    /// The first of two steps to [`GroupFormat::next`]: reads all versions, and writes the present
    /// ones. When all servers have taken it, each can take the second, and none of them ever meets a
    /// group that it cannot read. For the same tests.
    #[must_use]
    pub const fn ready_for_next() -> GroupFormat {
        GroupFormat {
            writes: FIRST_VERSION,
            reads_up_to: NEXT_VERSION,
        }
    }

    /// The version of a group without tombstones that it writes.
    #[must_use]
    pub const fn writes(self) -> u8 {
        self.writes
    }

    /// The newest version that it reads.
    #[must_use]
    pub const fn reads_up_to(self) -> u8 {
        self.reads_up_to
    }

    /// Whether it has a version for groups with tombstones.
    #[must_use]
    pub const fn has_tombstones(self) -> bool {
        self.reads_up_to >= TOMBSTONES_VERSION
    }

    /// The encoded group of no records, which a slot that stays free is set to.
    #[must_use]
    pub fn empty_group(self) -> Vec<u8> {
        GroupBuilder::new(self).finish()
    }

    /// Decodes a group of a version that this format reads.
    ///
    /// # Errors
    /// See [`GroupError`]. One bad record or server name spoils the group: no server writes such a
    /// group, so the rest of it is not to be trusted either.
    pub fn decode(self, bytes: &[u8]) -> Result<Vec<Record>, GroupError> {
        let group = self.read(bytes)?;
        Ok(group.records().map(|record| record.to_record()).collect())
    }

    /// As [`GroupFormat::decode`], but the records borrow from the group.
    ///
    /// # Errors
    /// See there.
    pub fn read(self, bytes: &[u8]) -> Result<ReadGroup<'_>, GroupError> {
        let (version, body) = self.open(bytes)?;
        let (group, mut rest) = read_records(version, body)?;
        if version == NEXT_VERSION {
            (_, rest) = codec::decode_prefix::<u64>(rest)?;
        }
        if rest.is_empty() {
            Ok(group)
        } else {
            Err(GroupError::LeftOver(rest.len()))
        }
    }

    /// Whether a group has a record of a client that `is_wanted`, without decoding the rest of the record: for a search
    /// through many groups, most of which have none.
    ///
    /// # Errors
    /// If the group is of another version or malformed, as far as that is noticed.
    pub fn has_client(
        self,
        bytes: &[u8],
        mut is_wanted: impl FnMut(&[u8]) -> bool,
    ) -> Result<bool, GroupError> {
        let (_, body) = self.open(bytes)?;
        let (servers_count, mut rest): (usize, _) = codec::decode_prefix(body)?;
        for _ in 0..servers_count {
            (_, rest) = codec::decode_prefix::<&[u8]>(rest)?;
        }
        let (records_count, mut rest): (usize, _) = codec::decode_prefix(rest)?;
        for _ in 0..records_count {
            let (encoded, after): (EncodedRecord<'_>, _) = codec::decode_prefix(rest)?;
            if is_wanted(encoded.0) {
                return Ok(true);
            }
            rest = after;
        }
        Ok(false)
    }

    /// The version of a group that it reads, and the bytes behind it.
    fn open(self, bytes: &[u8]) -> Result<(u8, &[u8]), GroupError> {
        let (&version, body) = bytes.split_first().ok_or(GroupError::NoVersion)?;
        if !(FIRST_VERSION..=self.reads_up_to).contains(&version) {
            return Err(GroupError::UnknownVersion(version));
        }
        if bytes.len() > GROUP_BYTES_MAX {
            return Err(GroupError::TooLong(bytes.len()));
        }
        Ok((version, body))
    }

    /// The most bytes that a group takes besides server names and records.
    const fn frame_bytes_max(self) -> usize {
        if self.writes == NEXT_VERSION {
            HEADER_BYTES_MAX + VARINT_U64_BYTES_MAX
        } else {
            HEADER_BYTES_MAX
        }
    }
}

/// The records of a group that is all good, borrowed from it.
#[derive(Debug)]
pub struct ReadGroup<'a> {
    servers: Vec<ServerName>,
    records: Vec<ReadRecord<'a>>,
}

#[derive(Debug)]
struct ReadRecord<'a> {
    operands: Operands<'a>,
    /// A place in the group's list of servers.
    server: u16,
    received_ns: i64,
}

impl ReadGroup<'_> {
    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The records, as they stand in it.
    pub fn records(&self) -> impl Iterator<Item = BorrowedRecord<'_>> {
        self.records.iter().filter_map(|record| {
            let server = self.servers.get(usize::from(record.server))?;
            Some(BorrowedRecord::of(
                record.operands,
                server,
                record.received_ns,
            ))
        })
    }
}

/// A record as it stands in a group.
type EncodedRecord<'a> = (&'a [u8], &'a [u8], &'a [u8], u16, i64);

/// Gathers records into one encoded group.
#[derive(Debug, Default)]
pub struct GroupBuilder {
    format: GroupFormat,
    servers: Vec<ServerName>,
    servers_bytes: usize,
    records: Vec<u8>,
    records_count: usize,
    has_tombstone: bool,
}

impl GroupBuilder {
    /// An empty group of this format.
    #[must_use]
    pub fn new(format: GroupFormat) -> Self {
        GroupBuilder {
            format,
            ..GroupBuilder::default()
        }
    }

    /// Adds a record, or says that it does not fit any more. A record always fits into an empty
    /// group.
    #[must_use]
    pub fn try_push(&mut self, record: &Record) -> bool {
        let known = self.servers.iter().position(|name| name == record.server());
        let index = known.unwrap_or(self.servers.len());
        let Ok(server) = u16::try_from(index) else {
            return false;
        };
        let new_server_bytes = match known {
            Some(_) => 0,
            None => VARINT_U16_BYTES_MAX + record.server().len(),
        };
        let records_len_before = self.records.len();
        let encoded: EncodedRecord<'_> = (
            record.client(),
            record.location_text(),
            record.time_text(),
            server,
            record.received_ns(),
        );
        let written = codec::encode_into(&encoded, &mut self.records).is_ok();
        let group_bytes = self.format.frame_bytes_max()
            + self.servers_bytes
            + new_server_bytes
            + self.records.len();
        if !written || group_bytes > GROUP_BYTES_MAX {
            self.records.truncate(records_len_before);
            return false;
        }
        if known.is_none() {
            self.servers.push(record.server().clone());
            self.servers_bytes += new_server_bytes;
        }
        self.has_tombstone |= record.is_tombstone();
        self.records_count += 1;
        true
    }

    /// Whether nothing was added yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records_count == 0
    }

    /// The encoded group; the builder is empty again, with room for as much.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        let frame_bytes = self.format.frame_bytes_max();
        let mut bytes = Vec::with_capacity(frame_bytes + self.servers_bytes + self.records.len());
        let version = if self.has_tombstone {
            self.format.writes.max(TOMBSTONES_VERSION)
        } else {
            self.format.writes
        };
        bytes.push(version);
        let names: Vec<&str> = self.servers.iter().map(|name| &**name).collect();
        // Encoding into memory fails for no value of these types.
        let header = codec::encode_into(&(names, self.records_count), &mut bytes);
        debug_assert!(header.is_ok(), "BUG: a group header did not encode");
        bytes.extend_from_slice(&self.records);
        if self.format.writes == NEXT_VERSION {
            let trailer = codec::encode_into(&NEXT_TRAILER, &mut bytes);
            debug_assert!(trailer.is_ok(), "BUG: a number did not encode");
        }
        self.servers.clear();
        self.servers_bytes = 0;
        self.records.clear();
        self.records_count = 0;
        self.has_tombstone = false;
        bytes
    }
}

/// [`GroupFormat::empty_group`] of the present format.
#[must_use]
pub fn empty_group() -> Vec<u8> {
    GroupFormat::PRESENT.empty_group()
}

/// [`GroupFormat::decode`] by the present format.
///
/// # Errors
/// See there.
pub fn decode_group(bytes: &[u8]) -> Result<Vec<Record>, GroupError> {
    GroupFormat::PRESENT.decode(bytes)
}

/// Decodes server names and records of this version; the second part is the bytes behind them.
fn read_records(version: u8, body: &[u8]) -> Result<(ReadGroup<'_>, &[u8]), GroupError> {
    // Counts are not trusted with an allocation: every name and record takes bytes of the input.
    let (servers_count, mut rest): (usize, _) = codec::decode_prefix(body)?;
    let mut servers: Vec<ServerName> =
        Vec::with_capacity(servers_count.min(rest.len() / SERVER_BYTES_MIN));
    for _ in 0..servers_count {
        let (name, after): (&str, _) = codec::decode_prefix(rest)?;
        check_server(name)?;
        servers.push(name.into());
        rest = after;
    }
    let (records_count, mut rest): (usize, _) = codec::decode_prefix(rest)?;
    let mut records = Vec::with_capacity(records_count.min(rest.len() / RECORD_BYTES_MIN));
    for _ in 0..records_count {
        let (encoded, after): (EncodedRecord<'_>, _) = codec::decode_prefix(rest)?;
        let (client, location, time, server, received_ns) = encoded;
        if usize::from(server) >= servers.len() {
            return Err(GroupError::UnknownServer(server));
        }
        let operands = if location.is_empty() && version >= TOMBSTONES_VERSION {
            Operands::tombstone(client, time)?
        } else {
            Operands::check(client, location, time)?
        };
        records.push(ReadRecord {
            operands,
            server,
            received_ns,
        });
        rest = after;
    }
    Ok((ReadGroup { servers, records }, rest))
}

#[cfg(test)]
mod tests;
