//! Several writes as fewer that come to the same.

use std::collections::HashMap;

use herd_crdt::SlotId;

use super::super::{FILLERS, Write};
use herd_topology::Incarnation;

/// Leaves out writes that a later one of the same list makes void: a group that is overwritten or
/// forgotten, a lower floor, a lower generation, a purge before another, more fillers than a purge needs. The order of the
/// rest is kept.
pub(super) fn coalesce(writes: Vec<Write>) -> Vec<Write> {
    let mut kept: Vec<Option<Write>> = Vec::with_capacity(writes.len());
    let mut puts: HashMap<Incarnation, HashMap<SlotId, usize>> = HashMap::new();
    let (mut floor, mut own): (Option<i64>, Option<u64>) = (None, None);
    let (mut fillers, mut purge): (usize, Option<usize>) = (0, None);
    for write in writes {
        let voided = match &write {
            Write::Put {
                incarnation, slot, ..
            } => {
                let slots = match puts.get_mut(incarnation) {
                    Some(slots) => slots,
                    None => puts.entry(incarnation.clone()).or_default(),
                };
                Vec::from_iter(slots.insert(*slot, kept.len()))
            }
            Write::Forget { incarnation } => puts
                .remove(incarnation)
                .map_or_else(Vec::new, |slots| slots.into_values().collect()),
            Write::Floor { time_ns } => {
                floor = floor.max(Some(*time_ns));
                continue;
            }
            Write::Generation { generation } => {
                own = own.max(Some(*generation));
                continue;
            }
            Write::Filler if fillers == FILLERS => continue,
            Write::Filler => {
                fillers += 1;
                Vec::new()
            }
            Write::Purge(_) => Vec::from_iter(purge.replace(kept.len())),
        };
        for index in voided {
            if let Some(earlier) = kept.get_mut(index) {
                *earlier = None;
            }
        }
        kept.push(Some(write));
    }
    let floor = floor.map(|time_ns| Write::Floor { time_ns });
    let own = own.map(|generation| Write::Generation { generation });
    kept.into_iter().flatten().chain(floor).chain(own).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::super::purging;
    use super::*;

    fn incarnation(generation: u64) -> Incarnation {
        Incarnation {
            server: "Hill".into(),
            generation,
        }
    }

    fn put(generation: u64, slot: u32, text: &'static [u8]) -> Write {
        Write::Put {
            incarnation: incarnation(generation),
            slot: SlotId(slot),
            version: 0,
            group: Bytes::from_static(text),
        }
    }

    #[test]
    fn overwritten_writes_go_and_the_rest_keeps_its_order() {
        let forget = Write::Forget {
            incarnation: incarnation(1),
        };
        let coalesced = coalesce(vec![
            put(1, 0, b"a"),
            put(2, 0, b"b"),
            Write::Floor { time_ns: 7 },
            put(1, 1, b"c"),
            Write::Floor { time_ns: 5 },
            forget.clone(),
            put(1, 0, b"d"),
            Write::Generation { generation: 4 },
            put(1, 0, b"e"),
            put(2, 1, b"f"),
        ]);
        let expected = [
            put(2, 0, b"b"),
            forget,
            put(1, 0, b"e"),
            put(2, 1, b"f"),
            Write::Floor { time_ns: 7 },
            Write::Generation { generation: 4 },
        ];
        assert_eq!(coalesced, expected);
    }

    #[test]
    fn one_purge_stays_and_no_more_fillers_than_it_needs() {
        let [first, last] = [(); 2].map(|()| Write::Purge(purging().0));
        let mut writes = vec![Write::Filler; 100];
        writes.extend([first, put(1, 0, b"a")]);
        writes.extend(vec![Write::Filler; FILLERS]);
        writes.push(last.clone());
        let mut expected = vec![Write::Filler; 100];
        expected.push(put(1, 0, b"a"));
        expected.extend(vec![Write::Filler; FILLERS - 100]);
        expected.push(last);
        assert_eq!(coalesce(writes), expected);
    }
}
