//! The locations of clients that are forgotten leave the disk: every group on it, overwritten ones too.

use std::collections::BTreeMap;

use herd_crdt::Record;
use herd_crdt::group::GroupFormat;

use super::Found;

/// `groups` are all that are anywhere on the disk of a server that knows these tombstones, by client.
pub(in super::super) fn nothing_forgotten_is_left<'a>(
    who: &str,
    groups: impl IntoIterator<Item = &'a [u8]>,
    tombstones: &BTreeMap<Vec<u8>, Record>,
) -> Found {
    for group in groups {
        let records: Vec<Record> = GroupFormat::PRESENT
            .decode(group)
            .map_err(|error| format!("a group on the disk of {who}: {error}"))?;
        let mut left = records.into_iter().filter(|record| {
            let tombstone = tombstones.get(record.client());
            !record.is_tombstone() && tombstone.is_some_and(|t| record.time() <= t.time())
        });
        if let Some(left) = left.next() {
            return Err(format!(
                "the disk of {who} has {left:?}, which is forgotten"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use herd_crdt::group::GroupBuilder;

    use super::super::samples::record;
    use super::*;

    #[test]
    fn a_location_before_a_tombstone_is_found_on_a_disk() {
        let group = |records: &[Record]| {
            let mut builder = GroupBuilder::default();
            assert!(records.iter().all(|record| builder.try_push(record)));
            builder.finish()
        };
        let tombstone = Record::tombstone_of(b"kiwi", b"2", "Hill".into(), 0).unwrap();
        let tombstones = [(b"kiwi".to_vec(), tombstone.clone())].into();
        let check = |records: &[Record]| {
            let group = group(records);
            nothing_forgotten_is_left("Hill", [&*group], &tombstones)
        };
        assert_eq!(check(&[record("emu", "1"), record("kiwi", "2.1")]), Ok(()));
        assert_eq!(check(&[tombstone]), Ok(()));
        assert!(check(&[record("emu", "3"), record("kiwi", "1")]).is_err());
        assert!(check(&[record("kiwi", "2.0")]).is_err());
        assert!(nothing_forgotten_is_left("Hill", [&b"garbled"[..]], &tombstones).is_err());
    }
}
