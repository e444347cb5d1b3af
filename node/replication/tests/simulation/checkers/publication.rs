//! Once things are quiet, every record is published by a live server, and by one only.

use std::collections::BTreeMap;

use super::super::ledger::Map;
use super::Found;

/// `publishers` are, for each client, the running servers in whose slots the client's record is.
pub(in super::super) fn each_has_one_publisher(
    map: &Map,
    publishers: &BTreeMap<Vec<u8>, Vec<&str>>,
) -> Found {
    for record in map.values() {
        match publishers.get(record.client()).map(Vec::as_slice) {
            None | Some([]) => return Err(format!("nobody publishes {record:?}")),
            Some([_]) => {}
            Some(several) => return Err(format!("{several:?} all publish {record:?}")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::samples::{map, record};
    use super::*;

    #[test]
    fn a_record_without_a_publisher_and_one_with_two_are_found() {
        let map = map(&[record("kiwi", "1")]);
        let check = |names: Vec<&'static str>| {
            each_has_one_publisher(&map, &BTreeMap::from([(b"kiwi".to_vec(), names)]))
        };
        assert_eq!(check(vec!["Hill"]), Ok(()));
        assert!(check(vec![]).is_err());
        assert!(check(vec!["Hill", "Smith"]).is_err());
        assert!(each_has_one_publisher(&map, &BTreeMap::new()).is_err());
    }
}
