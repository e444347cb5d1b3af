//! Delta groups: what is published in one slot, and the unit of gossip and of storage.
//!
//! A group is a set of records; joining it into a map is idempotent, so groups may repeat, overlap
//! and arrive in any order (delta-groups of delta-state CRDTs: Almeida, Shoker, Baquero, "Delta
//! state replicated data types", 2018).
//!
//! Encoding, version 1: the version byte; the names of the servers that the records mention, each
//! once; the number of records; the records, each with client ID, location, time, the index of its
//! server's name, and that server's clock at receipt. All by [`crate::codec`].
//!
//! Which versions a server writes and reads is its [`GroupFormat`]. It reads every version up to the
//! one that it knows; one that it does not know it keeps and passes on as it is.

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

/// The newest version that servers write and read.
pub const GROUP_FORMAT_VERSION: u8 = 1;

/// The version after it, which only [`GroupFormat::next`] speaks.
const NEXT_VERSION: u8 = GROUP_FORMAT_VERSION + 1;

/// What the next version writes behind the last record.
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
/// The smallest record: three lengths, a one-byte client, `+0+0`, a one-digit time, index and clock.
const RECORD_BYTES_MIN: usize = 3 + 1 + 4 + 1 + 2;

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
    writes: u8,
    reads_up_to: u8,
}

impl Default for GroupFormat {
    fn default() -> Self {
        GroupFormat::PRESENT
    }
}

impl GroupFormat {
    /// What servers of this version of herd speak.
    pub const PRESENT: GroupFormat = GroupFormat {
        writes: GROUP_FORMAT_VERSION,
        reads_up_to: GROUP_FORMAT_VERSION,
    };

    /// A stand-in for the version to come, for tests of upgrades; no server of this version of herd
    /// is started with it. It has the present layout with one more number behind the last record, so
    /// that servers of the present version cannot read it, and reads both.
    #[must_use]
    pub const fn next() -> GroupFormat {
        GroupFormat {
            writes: NEXT_VERSION,
            reads_up_to: NEXT_VERSION,
        }
    }

    /// The first of two steps to [`GroupFormat::next`]: reads both versions, and writes the present
    /// one. When all servers have taken it, each can take the second, and none of them ever meets a
    /// group that it cannot read. For the same tests.
    #[must_use]
    pub const fn ready_for_next() -> GroupFormat {
        GroupFormat {
            writes: GROUP_FORMAT_VERSION,
            reads_up_to: NEXT_VERSION,
        }
    }

    /// The version that it writes.
    #[must_use]
    pub const fn writes(self) -> u8 {
        self.writes
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
    /// group, so what else it holds is not to be trusted either.
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
        let (group, mut rest) = read_records(body)?;
        if version == NEXT_VERSION {
            (_, rest) = codec::decode_prefix::<u64>(rest)?;
        }
        if rest.is_empty() {
            Ok(group)
        } else {
            Err(GroupError::LeftOver(rest.len()))
        }
    }

    /// Whether a group has a record of a client that `is_wanted`, without a look at what else it says of
    /// it: for a search through many groups, most of which have none.
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

    /// The version of a group that it reads, and what follows it.
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

    /// What a group takes besides server names and records, at most.
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
        bytes.push(self.format.writes);
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

/// Decodes server names and records; the second part is what follows them.
fn read_records(body: &[u8]) -> Result<(ReadGroup<'_>, &[u8]), GroupError> {
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
        records.push(ReadRecord {
            operands: Operands::check(client, location, time)?,
            server,
            received_ns,
        });
        rest = after;
    }
    Ok((ReadGroup { servers, records }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(client: &str, server: &str) -> Record {
        Record::new(
            client.as_bytes(),
            b"+34.0-118.4",
            b"1520023934.9",
            server.into(),
            -5,
        )
        .unwrap()
    }

    #[test]
    fn a_group_comes_back_as_it_was() {
        let records = [
            record("kiwi", "Hill"),
            record("\u{fe}x", "Smith"),
            record("a", "Hill"),
        ];
        let mut builder = GroupBuilder::default();
        for record in &records {
            assert!(builder.try_push(record));
        }
        let bytes = builder.finish();
        assert!(builder.is_empty());
        assert_eq!(decode_group(&bytes).unwrap(), records);
    }

    #[test]
    fn golden_bytes_of_version_1() {
        let mut builder = GroupBuilder::default();
        assert!(builder.try_push(&record("kiwi", "Hill")));
        let expected: &[u8] =
            b"\x01\x01\x04Hill\x01\x04kiwi\x0b+34.0-118.4\x0c1520023934.9\x00\x09";
        assert_eq!(builder.finish(), expected);
        assert_eq!(empty_group(), b"\x01\x00\x00");
    }

    #[test]
    fn golden_bytes_of_the_version_to_come() {
        let mut builder = GroupBuilder::new(GroupFormat::next());
        assert!(builder.try_push(&record("kiwi", "Hill")));
        let expected: &[u8] =
            b"\x02\x01\x04Hill\x01\x04kiwi\x0b+34.0-118.4\x0c1520023934.9\x00\x09\x00";
        assert_eq!(builder.finish(), expected);
        assert_eq!(GroupFormat::next().empty_group(), b"\x02\x00\x00\x00");
    }

    #[test]
    fn a_newer_format_reads_an_older_one_and_not_the_other_way_round() {
        let (present, next) = (GroupFormat::PRESENT, GroupFormat::next());
        let ready = GroupFormat::ready_for_next();
        let records = [record("kiwi", "Hill"), record("fig", "Smith")];
        for (writer, readers, blind) in [
            (present, vec![present, ready, next], vec![]),
            (ready, vec![present, ready, next], vec![]),
            (next, vec![ready, next], vec![present]),
        ] {
            let mut builder = GroupBuilder::new(writer);
            assert!(records.iter().all(|record| builder.try_push(record)));
            let group = builder.finish();
            for reader in readers {
                assert_eq!(reader.decode(&group).unwrap(), records);
                let cut = &group[..group.len() - 1];
                assert!(reader.decode(cut).is_err(), "cut off");
            }
            for reader in blind {
                let refused = reader.decode(&group);
                assert!(matches!(refused, Err(GroupError::UnknownVersion(2))));
                // Nor is it read by mistake, should the version be the only thing that is hidden.
                let mut disguised = group.clone();
                disguised[0] = 1;
                let refused = reader.decode(&disguised);
                assert!(matches!(refused, Err(GroupError::LeftOver(1))));
            }
            // The builder goes on in its format.
            assert_eq!(builder.finish()[0], writer.writes());
        }
    }

    #[test]
    fn a_client_is_found_in_the_groups_that_have_it() {
        let records = [record("kiwi", "Hill"), record("fig", "Smith")];
        for format in [GroupFormat::PRESENT, GroupFormat::next()] {
            let mut builder = GroupBuilder::new(format);
            assert!(records.iter().all(|record| builder.try_push(record)));
            let group = builder.finish();
            let has = |client: &str| {
                format
                    .has_client(&group, |other| other == client.as_bytes())
                    .unwrap()
            };
            assert!(has("kiwi") && has("fig"));
            // What else stands in it, parts of an ID among it, is nobody's ID.
            assert!(["kiw", "iwi", "Hill", "1520023934.9", ""].map(has) == [false; 5]);
            let empty = format.empty_group();
            assert!(!format.has_client(&empty, |_| true).unwrap());
            let cut = &group[..group.len() / 2];
            assert!(format.has_client(cut, |_| false).is_err());
            assert!(format.has_client(&[9, 0, 0], |_| true).is_err());
        }
    }

    #[test]
    fn the_largest_record_fits_and_a_full_group_says_so() {
        let largest = Record::new(
            &vec![b'x'; CLIENT_ID_BYTES_MAX],
            format!("+0.{}-0", "0".repeat(LOCATION_BYTES_MAX - 5)).as_bytes(),
            "0".repeat(REPORT_TIME_BYTES_MAX).as_bytes(),
            "s".repeat(SERVER_NAME_BYTES_MAX).into(),
            i64::MIN,
        )
        .unwrap();
        for format in [GroupFormat::PRESENT, GroupFormat::next()] {
            let mut builder = GroupBuilder::new(format);
            assert!(builder.try_push(&largest));
            assert!(!builder.try_push(&largest));
            let mut count = 1;
            while builder.try_push(&record(&format!("client{count}"), "Hill")) {
                count += 1;
            }
            let bytes = builder.finish();
            assert!(bytes.len() <= GROUP_BYTES_MAX);
            assert_eq!(format.decode(&bytes).unwrap().len(), count);
        }
    }

    #[test]
    fn what_is_not_a_group_is_refused_with_its_reason() {
        let mut good = GroupBuilder::default();
        assert!(good.try_push(&record("kiwi", "Hill")));
        let good = good.finish();
        let with = |i: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[i] = byte;
            decode_group(&bytes).unwrap_err()
        };
        assert!(matches!(decode_group(b""), Err(GroupError::NoVersion)));
        assert!(matches!(with(0, 2), GroupError::UnknownVersion(2)));
        assert!(matches!(
            with(good.len() - 2, 1),
            GroupError::UnknownServer(1)
        ));
        assert!(matches!(
            with(9, b' '),
            GroupError::Record(InvalidRecord::ClientBlank)
        ));
        let mut longer = good.clone();
        longer.push(0);
        assert!(matches!(
            decode_group(&longer),
            Err(GroupError::LeftOver(1))
        ));
        for cut in 1..good.len() {
            assert!(decode_group(&good[..cut]).is_err(), "cut at {cut}");
        }
        let mut huge = good;
        huge.resize(GROUP_BYTES_MAX + 1, 0);
        assert!(matches!(decode_group(&huge), Err(GroupError::TooLong(_))));
    }
}
