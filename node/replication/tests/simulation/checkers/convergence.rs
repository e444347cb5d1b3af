//! Once the herd is whole and quiet, all servers hold the same map.

use herd_crdt::Record;

use super::super::ledger::Map;
use super::Found;

/// `maps` are those of all servers, by name.
pub(in super::super) fn all_maps_are_equal(maps: &[(&str, Map)]) -> Found {
    let Some(((first_name, first), others)) = maps.split_first() else {
        return Ok(());
    };
    for (name, map) in others {
        let clients = first.keys().chain(map.keys());
        for client in clients {
            let (here, there) = (first.get(client), map.get(client));
            if words(here) != words(there) {
                return Err(format!(
                    "{first_name} and {name} disagree: {here:?}, and {there:?}"
                ));
            }
        }
    }
    Ok(())
}

/// What a record says, word for word: not by the order of records, which may be what is broken.
fn words(record: Option<&Record>) -> Option<String> {
    record.map(|record| format!("{record:?}"))
}

#[cfg(test)]
mod tests {
    use super::super::samples::{map, record};
    use super::*;

    #[test]
    fn a_record_that_one_server_lacks_or_has_otherwise_is_found() {
        let whole = map(&[record("kiwi", "1"), record("emu", "1")]);
        let lacking = map(&[record("kiwi", "1")]);
        let other = map(&[record("kiwi", "1"), record("emu", "1.0")]);
        let check = |maps: [&Map; 3]| {
            let names = ["Hill", "Jaquez", "Smith"];
            let named: Vec<_> = names.into_iter().zip(maps.map(Map::clone)).collect();
            all_maps_are_equal(&named)
        };
        assert_eq!(check([&whole, &whole, &whole]), Ok(()));
        for odd in [&lacking, &other] {
            assert!(check([&whole, &whole, odd]).is_err());
            assert!(check([odd, &whole, &whole]).is_err());
        }
    }
}
