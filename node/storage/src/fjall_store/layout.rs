//! Keys and values as they lie in the database, version 1.
//!
//! - One byte 0: the facts about the store itself, [`Meta`].
//! - One byte 1, the length of the server's name in one byte, the name, the generation and the slot,
//!   both big-endian: the version of the group's slot in 8 bytes, big-endian, and the group as it was
//!   published.

use bytes::{BufMut as _, Bytes, BytesMut};
use herd_crdt::{SERVER_NAME_BYTES_MAX, SlotId};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use herd_topology::Incarnation;

/// The key of [`Meta`].
pub(super) const META_KEY: &[u8] = &[0];

const GROUP_TAG: u8 = 1;
const META_VERSION: u8 = 1;

const _: () = assert!(SERVER_NAME_BYTES_MAX <= u8::MAX as usize);

/// The key of a group; `None` for a server name that is too long to be one.
#[must_use]
pub fn group_key(incarnation: &Incarnation, slot: SlotId) -> Option<Vec<u8>> {
    let name = incarnation.server.as_bytes();
    if name.is_empty() || name.len() > SERVER_NAME_BYTES_MAX {
        return None;
    }
    let mut key = Vec::with_capacity(2 + name.len() + 12);
    key.push(GROUP_TAG);
    key.push(name.len() as u8);
    key.extend_from_slice(name);
    key.extend_from_slice(&incarnation.generation.to_be_bytes());
    key.extend_from_slice(&slot.0.to_be_bytes());
    Some(key)
}

/// The slot of a key of [`group_key`]; `None` for other keys.
#[must_use]
pub fn parse_group_key(key: &[u8]) -> Option<(Incarnation, SlotId)> {
    let (&tag, rest) = key.split_first()?;
    let (&name_len, rest) = rest.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(name_len))?;
    let (generation, slot) = rest.split_first_chunk::<8>()?;
    let slot: [u8; 4] = slot.try_into().ok()?;
    if tag != GROUP_TAG || name.is_empty() || name.len() > SERVER_NAME_BYTES_MAX {
        return None;
    }
    let incarnation = Incarnation {
        server: std::str::from_utf8(name).ok()?.into(),
        generation: u64::from_be_bytes(*generation),
    };
    Some((incarnation, SlotId(u32::from_be_bytes(slot))))
}

/// The value of a group.
#[must_use]
pub fn group_value(version: u64, group: &[u8]) -> Bytes {
    let mut value = BytesMut::with_capacity(8 + group.len());
    value.put_u64(version);
    value.put_slice(group);
    value.freeze()
}

/// The version and the group that [`group_value`] made a value of; `None` for anything else.
#[must_use]
pub fn parse_group_value(value: &Bytes) -> Option<(u64, Bytes)> {
    let (version, _) = value.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*version), value.slice(8..)))
}

/// A checksum of a group's value and where it lies.
pub(super) fn group_hash(key: &[u8], value: &[u8]) -> u64 {
    xxh3_64_with_seed(value, xxh3_64(key))
}

/// The summary that every commit writes too, so that the whole store can be checked after a load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// The number of this commit, from 1 without gaps.
    pub sequence: u64,
    /// How many groups are stored.
    pub groups: u64,
    /// The sum of their `group_hash`es.
    pub digest: u64,
    /// The floor of expiry, if records expire.
    pub floor_ns: Option<i64>,
    /// The last generation that this server had, if it noted one.
    pub own_generation: Option<u64>,
}

impl Meta {
    const FLOOR: u8 = 1;
    const GENERATION: u8 = 2;

    /// Version, flags, five numbers of 8 bytes, big-endian, and a checksum of all that.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut flags = 0;
        if self.floor_ns.is_some() {
            flags |= Self::FLOOR;
        }
        if self.own_generation.is_some() {
            flags |= Self::GENERATION;
        }
        let mut bytes = vec![META_VERSION, flags];
        let floor_ns = self.floor_ns.unwrap_or(0).to_be_bytes();
        for number in [self.sequence, self.groups, self.digest] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&floor_ns);
        bytes.extend_from_slice(&self.own_generation.unwrap_or(0).to_be_bytes());
        let checksum = xxh3_64(&bytes);
        bytes.extend_from_slice(&checksum.to_be_bytes());
        bytes
    }

    /// The value that [`Meta::encode`] wrote; `None` for other bytes.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, checksum) = bytes.split_last_chunk::<8>()?;
        if xxh3_64(body) != u64::from_be_bytes(*checksum) {
            return None;
        }
        let (&[version, flags], numbers) = body.split_first_chunk::<2>()?;
        let (numbers, rest) = numbers.as_chunks::<8>();
        let &[sequence, groups, digest, floor, generation] = numbers else {
            return None;
        };
        if version != META_VERSION || !rest.is_empty() {
            return None;
        }
        let set = |flag: u8| flags & flag != 0;
        Some(Meta {
            sequence: u64::from_be_bytes(sequence),
            groups: u64::from_be_bytes(groups),
            digest: u64::from_be_bytes(digest),
            floor_ns: set(Self::FLOOR).then(|| i64::from_be_bytes(floor)),
            own_generation: set(Self::GENERATION).then(|| u64::from_be_bytes(generation)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes_of_version_1() {
        let incarnation = Incarnation {
            server: "Hill".into(),
            generation: 0x0102_0304_0506_0708,
        };
        let key = group_key(&incarnation, SlotId(9)).unwrap();
        assert_eq!(
            key,
            b"\x01\x04Hill\x01\x02\x03\x04\x05\x06\x07\x08\0\0\0\x09"
        );
        assert_eq!(parse_group_key(&key), Some((incarnation, SlotId(9))));
        for cut in 0..key.len() {
            assert_eq!(parse_group_key(&key[..cut]), None);
        }
        let meta = Meta {
            sequence: 1,
            groups: 2,
            digest: 3,
            floor_ns: Some(-4),
            own_generation: None,
        };
        let bytes = meta.encode();
        let body = b"\x01\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\
            \xff\xff\xff\xff\xff\xff\xff\xfc\0\0\0\0\0\0\0\0";
        assert_eq!(bytes[..body.len()], body[..]);
        assert_eq!(Meta::decode(&bytes), Some(meta));
        for index in 0..bytes.len() {
            let mut spoilt = bytes.clone();
            spoilt[index] ^= 1;
            assert_eq!(Meta::decode(&spoilt), None);
        }
        // Version 1 has the checksums that this function gave then.
        assert_eq!(group_hash(b"key", b"group"), GOLDEN_HASH);
    }

    const GOLDEN_HASH: u64 = 0x6aaf_8a37_7119_c417;
}
