//! No acknowledged record is lost that its level promised to keep.

use std::cmp::Ordering;

use herd_crdt::Record;

use super::super::ledger::Map;
use super::Found;

/// `map` is what answers, a server or the whole herd; `promised` are the records that it may not be behind.
pub(in super::super) fn nothing_promised_is_lost<'a>(
    who: &str,
    map: &Map,
    promised: impl IntoIterator<Item = (&'a Record, String)>,
) -> Found {
    for (record, why) in promised {
        match map.get(record.client()) {
            None => return Err(format!("{who} has lost {record:?}, {why}")),
            Some(answer) if answer.order(record) == Ordering::Less => {
                return Err(format!("{who} answers {answer:?} after {record:?}, {why}"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::samples::{map, record};
    use super::*;

    #[test]
    fn lost_and_lesser_records_are_found_and_greater_pass() {
        let promised = record("kiwi", "2");
        let check = |records: &[Record]| {
            nothing_promised_is_lost("Hill", &map(records), [(&promised, String::new())])
        };
        assert_eq!(check(&[record("kiwi", "2")]), Ok(()));
        assert_eq!(check(&[record("kiwi", "3")]), Ok(()));
        assert!(check(&[record("kiwi", "1")]).is_err());
        assert!(check(&[record("emu", "2")]).is_err());
    }
}
