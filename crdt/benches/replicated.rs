//! Where the time of an update goes in the replicated state: merge, encode, decode, compaction.
//!
//! `cargo bench -p herd-crdt`. All figures are for [`COUNT`] records.

#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::hash::{BuildHasherDefault, DefaultHasher};

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use herd_crdt::group::{GroupBuilder, decode_group};
use herd_crdt::{LocationMap, Publisher, Record, SlotId};

/// How many records each bench works on.
const COUNT: usize = 10_000;

type Map = LocationMap<BuildHasherDefault<DefaultHasher>>;

fn main() {
    divan::main();
}

/// A record of each of [`COUNT`] clients, all of the same second.
fn records(second: usize) -> Vec<Record> {
    let record = |client: usize| {
        Record::new(
            format!("client-{client:09}").as_bytes(),
            b"+34.068930-118.445127",
            format!("{second}.918963997").as_bytes(),
            "Hill".into(),
            1_520_023_935_000_000_000,
        )
    };
    (0..COUNT).map(|client| record(client).unwrap()).collect()
}

/// Merges all and returns the hashes of those to be published.
fn heard(map: &mut Map, records: Vec<Record>) -> Vec<u64> {
    let mut pending = Vec::new();
    for record in records {
        let hash = map.hash(record.client());
        if map.merge_heard(hash, record).queue {
            pending.push(hash);
        }
    }
    pending
}

fn groups(records: &[Record]) -> Vec<Vec<u8>> {
    let (mut builder, mut groups) = (GroupBuilder::default(), Vec::new());
    for record in records {
        if !builder.try_push(record) {
            groups.push(builder.finish());
            assert!(builder.try_push(record));
        }
    }
    groups.push(builder.finish());
    groups
}

#[divan::bench]
fn merge_new(bencher: Bencher<'_, '_>) {
    bencher
        .counter(ItemsCount::new(COUNT))
        .with_inputs(|| {
            (
                Map::new(BuildHasherDefault::default()),
                records(1_520_023_934),
            )
        })
        .bench_values(|(mut map, records)| {
            heard(&mut map, records);
            map
        });
}

#[divan::bench]
fn merge_update(bencher: Bencher<'_, '_>) {
    bencher
        .counter(ItemsCount::new(COUNT))
        .with_inputs(|| {
            let mut map = Map::new(BuildHasherDefault::default());
            heard(&mut map, records(1_520_023_934));
            (map, records(1_520_023_935))
        })
        .bench_values(|(mut map, records)| {
            heard(&mut map, records);
            map
        });
}

#[divan::bench]
fn encode(bencher: Bencher<'_, '_>) {
    let records = records(1_520_023_934);
    bencher
        .counter(ItemsCount::new(COUNT))
        .bench_local(|| groups(black_box(&records)));
}

#[divan::bench]
fn decode(bencher: Bencher<'_, '_>) {
    let groups = groups(&records(1_520_023_934));
    bencher.counter(ItemsCount::new(COUNT)).bench_local(|| {
        let decoded = groups
            .iter()
            .map(|group| decode_group(black_box(group)).unwrap());
        decoded.map(|records| records.len()).sum::<usize>()
    });
}

/// A publisher of all clients, of which nine of ten have reported again since: slots to compact.
fn sparse() -> (Map, Publisher, Vec<SlotId>) {
    let mut map = Map::new(BuildHasherDefault::default());
    let mut publisher = Publisher::default();
    let pending = heard(&mut map, records(1_520_023_934));
    publisher.publish(&pending, &mut map);
    let again = records(1_520_023_935).into_iter().enumerate();
    let mut deaths = Vec::new();
    for (number, record) in again {
        if number % 10 != 0 {
            let hash = map.hash(record.client());
            deaths.extend(map.merge_heard(hash, record).death);
        }
    }
    publisher.apply_deaths(&deaths, 0);
    let sources = publisher.compaction_sources();
    (map, publisher, sources)
}

#[divan::bench]
fn compaction(bencher: Bencher<'_, '_>) {
    assert!(!sparse().2.is_empty(), "there is nothing to compact");
    bencher
        .counter(ItemsCount::new(COUNT))
        .with_inputs(sparse)
        .bench_values(|(mut map, mut publisher, sources)| publisher.compact(&sources, &mut map));
}
