//! The table against brute force, and against damage.

use bytes::Bytes;
use herd_crdt::Coordinates;
use proptest::prelude::*;

use super::super::source::Source;
use super::super::sphere::{Circle, haversine_to_metres, to_degrees, to_units};
use super::error::TableError;
use super::layout::{CHECKSUM_OFFSET, FORMAT_VERSION, MAGIC};
use super::read::Table;
use super::write::{InvalidPlace, NewPlace, TableWriter};

fn sources() -> Vec<Source> {
    let source = |key: &str, id_prefix: &str| Source {
        key: key.to_owned(),
        name: format!("Source {key}"),
        id_prefix: id_prefix.to_owned(),
        ..Source::default()
    };
    vec![source("a", "a:"), source("b", "")]
}

fn place(id: &str, latitude_degrees: f64, longitude_degrees: f64) -> NewPlace<'_> {
    NewPlace {
        id,
        name: "Somewhere",
        latitude_degrees,
        longitude_degrees,
        types: &["locality", "political"],
        vicinity: "",
        source_index: usize::from(!id.starts_with("a:")),
    }
}

fn table_bytes(points: &[(f64, f64)]) -> Vec<u8> {
    let mut writer = TableWriter::new(sources()).unwrap();
    for (index, (latitude, longitude)) in points.iter().enumerate() {
        let id = format!("{}{index}", if index % 2 == 0 { "a:" } else { "" });
        writer.add(&place(&id, *latitude, *longitude)).unwrap();
    }
    writer.finish().unwrap()
}

fn table_of(points: &[(f64, f64)]) -> Table {
    let table = Table::open(Bytes::from(table_bytes(points))).unwrap();
    table.verify().unwrap();
    table
}

fn at(latitude_degrees: f64, longitude_degrees: f64) -> Coordinates {
    Coordinates {
        latitude_degrees,
        longitude_degrees,
    }
}

/// Ids and distances by looking at every place.
fn by_brute_force(
    points: &[(f64, f64)],
    center: Coordinates,
    radius_m: f64,
    count_max: usize,
) -> Vec<(String, f64)> {
    let circle = Circle::new(center, radius_m).unwrap();
    let kept = |degrees: f64| to_degrees(to_units(degrees, i32::MAX).unwrap());
    let mut all: Vec<(f64, String)> = points
        .iter()
        .enumerate()
        .map(|(index, (latitude, longitude))| {
            let id = format!("{}{index}", if index % 2 == 0 { "a:" } else { "" });
            (circle.haversine_to(kept(*latitude), kept(*longitude)), id)
        })
        .filter(|(haversine, _)| *haversine <= circle.haversine_max())
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    all.truncate(count_max);
    all.into_iter()
        .map(|(haversine, id)| (id, haversine_to_metres(haversine)))
        .collect()
}

fn by_table(
    table: &Table,
    center: Coordinates,
    radius_m: f64,
    count_max: usize,
) -> Vec<(String, f64)> {
    table
        .nearest(center, radius_m, count_max)
        .iter()
        .map(|found| (table.place(found.row).unwrap().id(), found.distance_m))
        .collect()
}

/// Latitudes and longitudes where something could go wrong, on a grid so that distances tie, and
/// anywhere near them.
fn point() -> impl Strategy<Value = (f64, f64)> {
    let latitude = prop_oneof![
        Just(90.0),
        Just(-90.0),
        (-4_i32..=4).prop_map(|n| f64::from(n) * 0.25),
        89.3..=90.0_f64,
        -90.0..=-89.3_f64,
        -1.0..=1.0_f64,
        59.5..=60.5_f64,
    ];
    let longitude = prop_oneof![
        Just(180.0),
        Just(-180.0),
        (-4_i32..=4).prop_map(|n| f64::from(n) * 0.25),
        179.0..=180.0_f64,
        -180.0..=-179.0_f64,
        -1.0..=1.0_f64,
        -180.0..=180.0_f64,
    ];
    (latitude, longitude)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_search_agrees_with_brute_force(
        points in prop::collection::vec(point(), 0..120),
        centers in prop::collection::vec(point(), 1..8),
        radius_m in prop_oneof![Just(0.0), Just(50_000.0), 0.0..=50_000.0_f64, 0.0..=3e7_f64],
        count_max in 0_usize..30,
    ) {
        let table = table_of(&points);
        for (latitude, longitude) in centers.into_iter().chain(points.first().copied()) {
            let center = at(latitude, longitude);
            prop_assert_eq!(
                by_table(&table, center, radius_m, count_max),
                by_brute_force(&points, center, radius_m, count_max)
            );
        }
    }

    #[test]
    fn the_order_of_the_input_leaves_no_trace(
        points in prop::collection::vec(point(), 1..40).prop_map(|points| {
            points.into_iter().enumerate().collect::<Vec<_>>()
        }).prop_shuffle(),
    ) {
        let write = |points: &[(usize, (f64, f64))]| {
            let mut writer = TableWriter::new(sources()).unwrap();
            for (index, (latitude, longitude)) in points {
                let (id, vicinity) = (index.to_string(), (index % 3).to_string());
                let types = if index % 2 == 0 { &["x"][..] } else { &[] };
                let place = place(&id, *latitude, *longitude);
                writer.add(&NewPlace { vicinity: &vicinity, types, ..place }).unwrap();
            }
            writer.finish().unwrap()
        };
        let mut sorted = points.clone();
        sorted.sort_by_key(|(index, _)| *index);
        prop_assert_eq!(write(&points), write(&sorted));
    }

    #[test]
    fn damage_is_noticed_and_never_panics(
        points in prop::collection::vec(point(), 1..40),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..6),
        center in point(),
    ) {
        let whole = table_bytes(&points);
        let mut bytes = whole.clone();
        for (index, flip) in flips {
            let index = index.index(bytes.len());
            bytes[index] ^= flip;
        }
        prop_assume!(bytes != whole);
        if let Ok(table) = Table::open(Bytes::from(bytes)) {
            prop_assert!(table.verify().is_err());
            read_everything(&table, center);
        }
    }

    #[test]
    fn damage_under_a_right_checksum_never_panics(
        points in prop::collection::vec(point(), 1..40),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        center in point(),
    ) {
        let mut bytes = table_bytes(&points);
        for (index, value) in flips {
            let index = index.index(bytes.len() - 16) + 16;
            bytes[index] = value;
        }
        let checksum = crc32fast::hash(&bytes[16..]);
        bytes[CHECKSUM_OFFSET..][..4].copy_from_slice(&checksum.to_le_bytes());
        if let Ok(table) = Table::open(Bytes::from(bytes)) {
            // Not every damage can be found: a letter of a name may be any letter.
            let _ = table.verify();
            read_everything(&table, center);
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_table(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let headed = [&MAGIC[..], &1_u32.to_le_bytes(), &bytes].concat();
        prop_assert!(Table::open(Bytes::from(bytes)).is_err());
        prop_assert!(Table::open(Bytes::from(headed)).is_err());
    }
}

fn read_everything(table: &Table, (latitude, longitude): (f64, f64)) {
    for radius_m in [0.0, 50_000.0, 3e7] {
        for found in table.nearest(at(latitude, longitude), radius_m, 20) {
            let _ = table.place(found.row).map(|place| place.id());
        }
    }
    for row in (0..table.row_count().min(1_000)).chain([u32::MAX]) {
        let _ = table.place(row).map(|place| place.type_words().count());
    }
    let _ = table.type_sets().take(1_000).count();
}

#[test]
fn equal_distances_are_ordered_by_id() {
    let points = [(1.0, 1.0); 6];
    let ids: Vec<String> = by_table(&table_of(&points), at(1.0, 1.0), 1.0, 4)
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_eq!(ids, ["1", "3", "5", "a:0"]);
}

#[test]
fn a_place_is_read_as_it_was_written() {
    let mut writer = TableWriter::new(sources()).unwrap();
    let new = NewPlace {
        id: "a:1",
        name: "Café",
        latitude_degrees: -33.8688197,
        longitude_degrees: 151.2092955,
        types: &["cafe", "food"],
        vicinity: "Sydney",
        source_index: 0,
    };
    writer.add(&new).unwrap();
    let table = Table::open(Bytes::from(writer.finish().unwrap())).unwrap();
    assert_eq!(table.sources(), sources());
    assert_eq!(table.type_sets().collect::<Vec<_>>(), ["cafe,food"]);
    let place = table.place(0).unwrap();
    assert_eq!((place.id().as_str(), place.local_id), ("a:1", "1"));
    assert_eq!((place.name, place.vicinity), ("Café", Some("Sydney")));
    assert_eq!(place.type_words().collect::<Vec<_>>(), ["cafe", "food"]);
    assert_eq!(place.latitude_degrees, -33.8688197);
    assert_eq!(place.longitude_degrees, 151.2092955);
    assert!(table.place(1).is_none());
}

/// A place that differs from a good one in a single field is refused for that reason.
fn refuses<'a>(
    writer: &mut TableWriter,
    reason: InvalidPlace,
    spoil: impl FnOnce(&mut NewPlace<'a>),
) {
    let mut spoilt = place("2", 0.0, 0.0);
    spoil(&mut spoilt);
    assert_eq!(writer.add(&spoilt), Err(reason), "{spoilt:?}");
}

#[test]
fn a_refused_place_leaves_the_writer_as_it_was() {
    let mut writer = TableWriter::new(sources()).unwrap();
    let good = place("b1", 0.0, 0.0);
    writer.add(&good).unwrap();
    assert_eq!(writer.add(&good), Err(InvalidPlace::Duplicate));
    let long = "x".repeat(2_000);
    let many = ["x"; 100];
    for id in ["b 2", "", &long] {
        refuses(&mut writer, InvalidPlace::Id, |place| place.id = id);
    }
    for name in [" ", "a\nb", &long] {
        refuses(&mut writer, InvalidPlace::Name, |place| place.name = name);
    }
    for types in [&["a,b"][..], &[""], &many] {
        refuses(&mut writer, InvalidPlace::Types, |place| {
            place.types = types;
        });
    }
    refuses(&mut writer, InvalidPlace::Latitude, |place| {
        place.latitude_degrees = 90.1;
    });
    refuses(&mut writer, InvalidPlace::Longitude, |place| {
        place.longitude_degrees = f64::NAN;
    });
    refuses(&mut writer, InvalidPlace::Vicinity, |place| {
        place.vicinity = &long;
    });
    refuses(&mut writer, InvalidPlace::Source, |place| {
        place.source_index = 2;
    });
    assert_eq!(writer.row_count(), 1);
    let table = Table::open(Bytes::from(writer.finish().unwrap())).unwrap();
    table.verify().unwrap();
    assert_eq!(table.row_count(), 1);
}

#[test]
fn files_that_are_not_whole_are_refused() {
    let whole = table_bytes(&[(1.0, 2.0), (3.0, 4.0)]);
    for length in 0..whole.len() {
        let error = Table::open(Bytes::copy_from_slice(&whole[..length])).unwrap_err();
        if length >= 24 {
            assert!(
                matches!(error, TableError::Length { .. }),
                "{length}: {error}"
            );
        }
    }
    let longer = [&whole[..], b"\n"].concat();
    let error = Table::open(Bytes::from(longer)).unwrap_err();
    assert!(matches!(error, TableError::Length { .. }));
}

#[test]
fn a_file_from_a_newer_version_is_refused_with_that_reason() {
    let mut bytes = table_bytes(&[(1.0, 2.0)]);
    bytes[8..12].copy_from_slice(&(FORMAT_VERSION + 1).to_le_bytes());
    let error = Table::open(Bytes::from(bytes)).unwrap_err();
    assert_eq!(
        error,
        TableError::NewerFormat {
            found: FORMAT_VERSION + 1
        }
    );
    assert!(error.to_string().contains("newer herd"), "{error}");
}

#[test]
fn questions_that_are_no_questions_find_nothing() {
    let table = table_of(&[(0.0, 0.0)]);
    assert!(table.nearest(at(f64::NAN, 0.0), 50_000.0, 20).is_empty());
    assert!(
        table
            .nearest(at(0.0, f64::INFINITY), 50_000.0, 20)
            .is_empty()
    );
    assert!(table.nearest(at(0.0, 0.0), f64::NAN, 20).is_empty());
    assert!(table.nearest(at(0.0, 0.0), -1.0, 20).is_empty());
    assert!(table.nearest(at(0.0, 0.0), 1.0, 0).is_empty());
    assert_eq!(
        table.nearest(at(0.0, 0.0), f64::INFINITY, usize::MAX).len(),
        1
    );
    assert!(
        table_of(&[])
            .nearest(at(0.0, 0.0), f64::INFINITY, 20)
            .is_empty()
    );
}

/// Appends a section of a kind that no reader knows yet, as a later writer would.
fn with_unknown_section(bytes: &[u8]) -> Vec<u8> {
    const ENTRY_BYTES: u64 = 20;
    let (header, rest) = bytes.split_at(36);
    let mut header = header.to_vec();
    let count = u32::from_le_bytes(header[32..36].try_into().unwrap());
    let (entries, sections) = rest.split_at(count as usize * ENTRY_BYTES as usize);
    let total = bytes.len() as u64 + ENTRY_BYTES + 3;
    header[16..24].copy_from_slice(&total.to_le_bytes());
    header[32..36].copy_from_slice(&(count + 1).to_le_bytes());
    let mut entries = entries.to_vec();
    for entry in entries.chunks_mut(ENTRY_BYTES as usize) {
        let offset = u64::from_le_bytes(entry[4..12].try_into().unwrap()) + ENTRY_BYTES;
        entry[4..12].copy_from_slice(&offset.to_le_bytes());
    }
    entries.extend_from_slice(&99_u32.to_le_bytes());
    entries.extend_from_slice(&(total - 3).to_le_bytes());
    entries.extend_from_slice(&3_u64.to_le_bytes());
    let mut file = [&header[..], &entries, sections, b"new"].concat();
    let checksum = crc32fast::hash(&file[16..]);
    file[CHECKSUM_OFFSET..][..4].copy_from_slice(&checksum.to_le_bytes());
    file
}

#[test]
fn sections_of_later_writers_are_skipped() {
    let points = [(1.0, 2.0), (1.1, 2.0), (-90.0, 0.0)];
    let old = table_of(&points);
    let bytes = with_unknown_section(&table_bytes(&points));
    let new = Table::open(Bytes::from(bytes)).unwrap();
    new.verify().unwrap();
    let center = at(1.0, 2.0);
    assert_eq!(
        by_table(&new, center, 5e4, 9),
        by_table(&old, center, 5e4, 9)
    );
    assert_eq!(by_table(&new, center, 5e4, 9).len(), 2);
}

/// A change of these bytes is a change of the format: files that people made would no longer be
/// read as they were meant. Then it needs a new version, and this test one for each.
#[test]
fn format_1_stays_as_it_is() {
    let bytes = table_bytes(&[(34.06893, -118.445127), (-16.76, 179.75), (-90.0, 0.0)]);
    assert_eq!(
        (bytes.len(), crc32fast::hash(&bytes)),
        (1967, 1_409_117_683)
    );
}
