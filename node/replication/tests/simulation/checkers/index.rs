//! A server's index of locations holds the clients of its map, each in its cell, and no others.

use herd_locations::IndexFault;

use super::Found;

pub(in super::super) fn the_index_agrees(server: &str, fault: Option<IndexFault>) -> Found {
    match fault {
        None => Ok(()),
        Some(fault) => Err(format!("{server}: {fault}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_that_are_missing_and_clients_too_many_are_found() {
        assert_eq!(the_index_agrees("Hill", None), Ok(()));
        let missing = IndexFault::Missing { missing: 1 };
        let surplus = IndexFault::Surplus { index: 2, map: 1 };
        for fault in [missing, surplus] {
            assert!(the_index_agrees("Hill", Some(fault)).is_err());
        }
    }
}
