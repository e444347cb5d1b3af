//! A report whose reply waited for the disk is there after whatever befell the machine, or a greater one of its client.

use std::collections::BTreeMap;

use herd_crdt::Record;

use super::order::order_key;

/// Records of acknowledged reports that are neither there nor outdone, in words.
///
/// # Errors
/// The first of them.
pub(in super::super) fn are_there<'a>(
    acknowledged: &[Record],
    there: impl Iterator<Item = &'a Record>,
) -> Result<(), String> {
    let mut greatest: BTreeMap<&[u8], &Record> = BTreeMap::new();
    for record in there {
        let known = greatest.entry(record.client()).or_insert(record);
        if order_key(record) > order_key(known) {
            *known = record;
        }
    }
    for record in acknowledged {
        let known = greatest.get(record.client());
        if known.is_none_or(|known| order_key(known) < order_key(record)) {
            return Err(format!("acknowledged, and lost: {record:?}"));
        }
    }
    Ok(())
}

#[test]
fn an_acknowledged_report_that_is_lost_is_found() {
    let record = |client: &str, time: &str| {
        let record = Record::new(
            client.as_bytes(),
            b"+1+1",
            time.as_bytes(),
            "Hill".into(),
            0,
        );
        record.unwrap()
    };
    let acknowledged = [record("kiwi", "2"), record("emu", "2")];
    let there = [record("kiwi", "3"), record("emu", "2"), record("emu", "1")];
    assert_eq!(are_there(&acknowledged, there.iter()), Ok(()));
    assert!(are_there(&acknowledged, there[..1].iter()).is_err());
    assert!(are_there(&acknowledged, [&there[0], &there[2]].into_iter()).is_err());
}
