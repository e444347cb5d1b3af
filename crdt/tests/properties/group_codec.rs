//! Groups come back as they were, and bytes that are no group are refused.

use herd_crdt::Record;
use herd_crdt::codec::encode_into;
use herd_crdt::group::{
    GROUP_BYTES_MAX, GROUP_FORMAT_VERSION, GroupBuilder, GroupError, decode_group,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::strategies::{any_record, cases, tying};

/// Records, some of them sharing servers and clients.
fn records() -> impl Strategy<Value = Vec<Record>> {
    vec(prop_oneof![any_record(), tying()], 0..20)
        .prop_map(|made| made.into_iter().map(|made| made.record).collect())
}

/// The group of as many of `records` as fit, and those records.
fn group_of(records: &[Record]) -> (Vec<u8>, &[Record]) {
    let mut builder = GroupBuilder::default();
    let fit = records
        .iter()
        .take_while(|record| builder.try_push(record))
        .count();
    (builder.finish(), &records[..fit])
}

fn header(counts: &[u64]) -> Vec<u8> {
    let mut bytes = vec![GROUP_FORMAT_VERSION];
    for count in counts {
        encode_into(count, &mut bytes).unwrap();
    }
    bytes
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn round_trip(records in records()) {
        let mut builder = GroupBuilder::default();
        let mut decoded = Vec::new();
        for record in &records {
            if !builder.try_push(record) {
                let group = builder.finish();
                prop_assert!(group.len() <= GROUP_BYTES_MAX);
                decoded.extend(decode_group(&group).unwrap());
                prop_assert!(builder.try_push(record), "an empty group takes any record");
            }
        }
        decoded.extend(decode_group(&builder.finish()).unwrap());
        prop_assert_eq!(format!("{decoded:?}"), format!("{records:?}"));
    }

    #[test]
    fn a_group_is_refused_wherever_it_is_cut(records in records(), cut: Index) {
        let (group, _) = group_of(&records);
        // Every cut near the ends, and one anywhere.
        let last = group.len() - 1;
        let near = (0..group.len().min(100)).chain(last.saturating_sub(100)..=last);
        for cut in near.chain([cut.index(group.len())]) {
            prop_assert!(decode_group(&group[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_group_of_another_version_says_so(records in records(), version: u8) {
        let (mut group, _) = group_of(&records);
        group[0] = version;
        let decoded = decode_group(&group);
        if version == GROUP_FORMAT_VERSION {
            prop_assert!(decoded.is_ok());
        } else if version == 1 {
            // Only tombstones cannot be read in it.
            let located = group_of(&records).1.iter().all(|record| !record.is_tombstone());
            prop_assert_eq!(decoded.is_ok(), located);
        } else {
            let refused = matches!(decoded, Err(GroupError::UnknownVersion(v)) if v == version);
            prop_assert!(refused);
        }
    }

    #[test]
    fn bytes_after_the_last_record_are_refused(records in records(), more in vec(any::<u8>(), 1..9)) {
        let (mut group, _) = group_of(&records);
        group.extend(more);
        prop_assert!(matches!(
            decode_group(&group),
            Err(GroupError::LeftOver(_) | GroupError::TooLong(_))
        ));
    }
}

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn any_bytes_are_a_group_or_refused(body in vec(any::<u8>(), 0..200), versioned: bool) {
        let mut bytes = body;
        if versioned {
            bytes.insert(0, GROUP_FORMAT_VERSION);
        }
        if let Ok(records) = decode_group(&bytes) {
            let (group, fit) = group_of(&records);
            prop_assert_eq!(fit.len(), records.len());
            prop_assert_eq!(decode_group(&group).unwrap(), records);
        }
    }

    #[test]
    fn a_mutated_group_is_a_group_or_refused(
        records in vec(tying(), 1..8),
        mutations in vec((any::<Index>(), any::<u8>(), 0..3_u8), 1..6),
    ) {
        let records: Vec<Record> = records.into_iter().map(|made| made.record).collect();
        let (mut group, _) = group_of(&records);
        for (at, byte, how) in mutations {
            let at = at.index(group.len());
            match how {
                0 => group[at] = byte,
                1 => group.insert(at, byte),
                _ if group.len() > 1 => { group.remove(at); }
                _ => {}
            }
        }
        if let Ok(records) = decode_group(&group) {
            let (again, fit) = group_of(&records);
            prop_assert_eq!(fit.len(), records.len());
            prop_assert_eq!(decode_group(&again).unwrap(), records);
        }
    }
}

#[test]
fn counts_and_lengths_that_lie_are_refused() {
    const LIE: u64 = 1 << 60;
    let refused = |bytes: &[u8]| matches!(decode_group(bytes), Err(GroupError::Malformed(_)));
    assert!(refused(&header(&[LIE])), "servers");
    assert!(refused(&header(&[1, LIE])), "a server's name");
    assert!(refused(&header(&[0, LIE])), "records");
    assert!(refused(&header(&[0, 1, LIE])), "a client's id");
    assert!(refused(&header(&[u64::MAX])), "servers");
    assert!(refused(&header(&[0, u64::MAX])), "records");
    assert!(refused(&header(&[0, 1, u64::MAX])), "a client's id");
}

/// Found by review: names that no record used were not looked at.
#[test]
fn an_invalid_server_name_is_refused_even_if_unused() {
    for name in ["", "Hi ll", "H\u{ef}ll", &"s".repeat(65)] {
        let mut bytes = header(&[1]);
        encode_into(&name, &mut bytes).unwrap();
        encode_into(&0_u64, &mut bytes).unwrap();
        assert!(
            matches!(decode_group(&bytes), Err(GroupError::Record(_))),
            "{name}"
        );
    }
}
