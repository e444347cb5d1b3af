//! Nothing that was forgotten comes back: no server answers with a location below a tombstone that had to survive.

use std::cmp::Ordering;

use herd_crdt::Record;

use super::Found;

/// `answer` is what a server answers for a client; `tombstones` are those that had to survive.
pub(in super::super) fn nothing_comes_back<'a>(
    who: &str,
    tombstones: impl IntoIterator<Item = &'a Record>,
    answer: impl Fn(&[u8]) -> Option<Record>,
) -> Found {
    for tombstone in tombstones {
        if let Some(answer) = answer(tombstone.client())
            && answer.order(tombstone) != Ordering::Greater
        {
            return Err(format!("{who} answers {answer:?} after {tombstone:?}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use herd_crdt::ReportTime;

    use super::super::samples::record;
    use super::*;

    #[test]
    fn a_location_that_comes_back_is_found_and_a_later_report_is_well() {
        let time = ReportTime::parse(b"2").unwrap();
        let tombstone = Record::tombstone(b"kiwi", time, "Hill".into(), 0).unwrap();
        let check = |answer: Option<Record>| {
            let answers = |client: &[u8]| {
                assert_eq!(client, b"kiwi");
                answer.clone()
            };
            nothing_comes_back("Hill", [&tombstone], answers)
        };
        assert_eq!(check(None), Ok(()));
        assert_eq!(check(Some(record("kiwi", "2.000000001"))), Ok(()));
        for older in ["1.999999999", "2", "2.0"] {
            assert!(check(Some(record("kiwi", older))).is_err(), "{older}");
        }
        assert!(check(Some(tombstone.clone())).is_err(), "nobody is told it");
    }
}
