//! Servers answer nothing that no client reported, and nothing in other words.

use std::collections::BTreeMap;

use herd_crdt::Record;

use super::super::ledger::Map;
use super::Found;

/// `reported` is everything that clients ever reported, as it was heard.
pub(in super::super) fn nothing_is_made_up(
    who: &str,
    map: &Map,
    reported: &BTreeMap<Vec<u8>, Vec<Record>>,
) -> Found {
    for record in map.values() {
        let heard = reported.get(record.client());
        if !heard.is_some_and(|heard| heard.contains(record)) {
            return Err(format!("{who} holds {record:?}, which nobody reported"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::samples::{map, record};
    use super::*;

    #[test]
    fn a_record_that_nobody_reported_is_found() {
        let reported = BTreeMap::from([(b"kiwi".to_vec(), vec![record("kiwi", "1")])]);
        let check = |records: &[Record]| nothing_is_made_up("Hill", &map(records), &reported);
        assert_eq!(check(&[record("kiwi", "1")]), Ok(()));
        assert!(check(&[record("kiwi", "1.0")]).is_err());
        assert!(check(&[record("emu", "1")]).is_err());
    }
}
