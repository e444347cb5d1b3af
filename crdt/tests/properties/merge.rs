//! The order of records is total, and merge is a join: the map holds for each client the greatest record that arrived,
//! in any order and any number of times.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use herd_crdt::{LocationMap, Merged, Outcome, PublisherId, Publishers, Record};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::strategies::{Made, Masked, any_record, cases, contents, hashers, tying};

/// Nobody is live and nobody outranks this server: its answers must not change the content of the map.
struct Unknown;

impl Publishers for Unknown {
    fn presumed_live(&self, _: PublisherId) -> bool {
        false
    }

    fn outranks(&self, _: PublisherId, _: &Record) -> bool {
        false
    }
}

/// The order as DESIGN words it, on the parts that the record was made of.
fn expected_order(a: &Made, b: &Made) -> Ordering {
    let key = |made: &Made| {
        (
            made.time_ns,
            made.location.is_none(),
            made.server.clone(),
            made.location.clone(),
            made.time.clone(),
            Reverse(i128::from(made.received_ns) - i128::from(made.time_ns)),
        )
    };
    key(a).cmp(&key(b))
}

/// Merges as a server would that hears some records and gets the others delivered.
fn merge(map: &mut LocationMap<Masked>, record: &Record, heard: bool) -> Merged {
    let hash = map.hash(record.client());
    if heard {
        map.merge_heard(hash, record.clone())
    } else {
        map.merge_delivered(hash, record.clone(), PublisherId(1), &Unknown)
    }
}

fn map_of<'a>(
    hasher: Masked,
    records: impl IntoIterator<Item = &'a Record>,
) -> LocationMap<Masked> {
    let mut map = LocationMap::new(hasher);
    for (i, record) in records.into_iter().enumerate() {
        merge(&mut map, record, i % 2 == 0);
    }
    map
}

fn join(mut a: LocationMap<Masked>, b: &LocationMap<Masked>) -> LocationMap<Masked> {
    for record in b.records() {
        merge(&mut a, record, false);
    }
    a
}

fn greatest(made: &[Made]) -> BTreeMap<Vec<u8>, Record> {
    let mut greatest: BTreeMap<Vec<u8>, &Made> = BTreeMap::new();
    for made in made {
        let best = greatest.entry(made.client.clone()).or_insert(made);
        if expected_order(made, best) == Ordering::Greater {
            *best = made;
        }
    }
    greatest
        .into_iter()
        .map(|(client, made)| (client, made.record.clone()))
        .collect()
}

fn records(made: &[Made]) -> Vec<Record> {
    made.iter().map(|made| made.record.clone()).collect()
}

/// Some records, and deliveries of them: each at least once, in any order, some again.
fn deliveries() -> impl Strategy<Value = (Vec<Made>, Vec<(usize, bool)>)> {
    vec(tying(), 1..12).prop_flat_map(|made| {
        let len = made.len();
        let once: Vec<usize> = (0..len).collect();
        let order = (vec(0..len, 0..12), Just(once))
            .prop_map(|(again, once)| [once, again].concat())
            .prop_shuffle();
        let order = order.prop_flat_map(|order| {
            let len = order.len();
            (Just(order), vec(any::<bool>(), len))
                .prop_map(|(order, heard)| order.into_iter().zip(heard).collect())
        });
        (Just(made), order)
    })
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn the_order_is_the_one_in_the_design(a in tying(), b in tying()) {
        prop_assert_eq!(a.record.order(&b.record), expected_order(&a, &b));
    }

    #[test]
    fn the_order_is_antisymmetric_and_agrees_with_equality(a in tying(), b in tying()) {
        let (a, b) = (a.record, b.record);
        prop_assert_eq!(a.order(&b), b.order(&a).reverse());
        prop_assert_eq!(a.order(&a), Ordering::Equal);
        let same_client = a.client() == b.client();
        prop_assert_eq!(a == b, same_client && a.order(&b) == Ordering::Equal);
        let same_bytes = format!("{a:?}") == format!("{b:?}");
        prop_assert_eq!(a == b, same_bytes, "equal records are equal in every byte");
    }

    #[test]
    fn the_order_is_transitive(a in tying(), b in tying(), c in tying()) {
        let mut sorted = [&a.record, &b.record, &c.record];
        sorted.sort_by(|x, y| x.order(y));
        prop_assert_ne!(sorted[0].order(sorted[1]), Ordering::Greater);
        prop_assert_ne!(sorted[1].order(sorted[2]), Ordering::Greater);
        prop_assert_ne!(sorted[0].order(sorted[2]), Ordering::Greater);
        if sorted[0].order(sorted[2]) == Ordering::Equal {
            prop_assert_eq!(sorted[0].order(sorted[1]), Ordering::Equal);
        }
    }

    #[test]
    fn an_outcome_matches_the_change(a in tying(), b in tying(), heard: bool) {
        let mut map = map_of(Masked(u64::MAX), [&a.record]);
        let merged = merge(&mut map, &b.record, heard);
        let expected = match (a.client == b.client, expected_order(&b, &a)) {
            (false, _) => Outcome::New,
            (true, Ordering::Equal) => Outcome::Same,
            (true, Ordering::Greater) if a.time_ns == b.time_ns => Outcome::TieWon,
            (true, Ordering::Greater) => Outcome::Newer,
            (true, Ordering::Less) if a.time_ns == b.time_ns => Outcome::TieLost,
            (true, Ordering::Less) => Outcome::Stale,
        };
        prop_assert_eq!(merged.outcome, expected);
        let now = map.find(map.hash(&b.client), &b.client).cloned();
        let wins = merged.outcome.changed() || merged.outcome == Outcome::Same;
        prop_assert_eq!(now == Some(b.record), wins);
    }
}

/// A floor between, at and beyond the times of [`tying`].
fn floor() -> impl Strategy<Value = i64> {
    prop::sample::select(vec![
        i64::MIN,
        -1,
        0,
        1,
        2,
        1_500_000_000,
        1_500_000_001,
        i64::MAX,
    ])
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn deliveries_in_any_order_end_with_the_greatest(
        (made, order) in deliveries(),
        hasher in hashers(),
    ) {
        let mut map = LocationMap::new(hasher);
        for (i, heard) in order {
            merge(&mut map, &made[i].record, heard);
        }
        prop_assert_eq!(contents(&map), greatest(&made));
    }

    #[test]
    fn any_records_at_all_end_with_the_greatest(made in vec(any_record(), 1..6)) {
        let forwards = map_of(Masked(u64::MAX), &records(&made));
        let backwards = map_of(Masked(u64::MAX), records(&made).iter().rev());
        prop_assert_eq!(contents(&forwards), greatest(&made));
        prop_assert_eq!(contents(&backwards), greatest(&made));
    }

    #[test]
    fn joining_maps_is_commutative_associative_and_idempotent(
        a in vec(tying(), 0..6),
        b in vec(tying(), 0..6),
        c in vec(tying(), 0..6),
        hasher in hashers(),
    ) {
        let map = |made: &[Made]| map_of(hasher, &records(made));
        let ab = contents(&join(map(&a), &map(&b)));
        prop_assert_eq!(&ab, &contents(&join(map(&b), &map(&a))));
        let left = join(join(map(&a), &map(&b)), &map(&c));
        let right = join(map(&a), &join(map(&b), &map(&c)));
        prop_assert_eq!(contents(&left), contents(&right));
        prop_assert_eq!(contents(&join(map(&a), &map(&a))), contents(&map(&a)));
        let all: Vec<Made> = [a, b, c].concat();
        prop_assert_eq!(contents(&left), greatest(&all));
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn it_does_not_matter_when_the_floor_rises(
        (made, order) in deliveries(),
        floors in vec((any::<prop::sample::Index>(), floor()), 1..4),
        hasher in hashers(),
    ) {
        let highest = floors.iter().map(|&(_, floor_ns)| floor_ns).max().unwrap();
        let mut merged_first = LocationMap::new(hasher);
        let mut raised_first = LocationMap::new(hasher);
        let mut between = LocationMap::new(hasher);
        raised_first.raise_floor(highest);
        for (i, &(which, heard)) in order.iter().enumerate() {
            for (at, floor_ns) in &floors {
                if at.index(order.len()) == i {
                    between.raise_floor(*floor_ns);
                }
            }
            let record = &made[which].record;
            merge(&mut merged_first, record, heard);
            for map in [&mut raised_first, &mut between] {
                let below = record.expires_ns() < map.floor_ns();
                let before = contents(map);
                // The floor swallows a heard record only if no known record is greater.
                let known = map.find(map.hash(record.client()), record.client());
                let is_stale =
                    heard && known.is_some_and(|known| record.order(known) != Ordering::Greater);
                let merged = merge(map, record, heard);
                prop_assert_eq!(merged.outcome == Outcome::Expired, below && !is_stale);
                if below {
                    prop_assert!(!merged.outcome.changed() && !merged.queue);
                    prop_assert_eq!(merged.death, None);
                    prop_assert_eq!(contents(map), before);
                }
            }
        }
        let left = merged_first.len();
        let expired = merged_first.raise_floor(highest).records;
        prop_assert_eq!(merged_first.len() + expired, left);
        let above: Vec<Made> = made.iter().filter(|made| made.time_ns >= highest).cloned().collect();
        // Tombstones below the floor may differ.
        let above_floor = |map: &LocationMap<Masked>| {
            let mut contents = contents(map);
            contents.retain(|_, record| record.time().ns() >= highest || !record.is_tombstone());
            contents
        };
        prop_assert_eq!(above_floor(&merged_first), greatest(&above));
        for map in [&raised_first, &between] {
            prop_assert_eq!(above_floor(map), greatest(&above));
            prop_assert_eq!(map.floor_ns(), highest);
        }
    }
}
