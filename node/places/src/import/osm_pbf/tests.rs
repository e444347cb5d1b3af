//! Extracts made here, a real one, and damaged ones.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use prost::Message as _;

use super::super::super::table::Table;
use super::super::report::BadRow;
use super::messages::{
    Blob, BlobHeader, DenseNodes, HeaderBlock, Node, PrimitiveBlock, PrimitiveGroup, Relation,
    StringTable, Way,
};
use super::*;

/// A real extract: the centre of Helsinki; NOTICE names its owner.
const HELSINKI: &[u8] = include_bytes!("../../../tests/data/Helsinki.osm.pbf");

fn blob(kind: &str, contents: &[u8], pack: bool) -> Vec<u8> {
    let blob = if pack {
        let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
        packer.write_all(contents).unwrap();
        Blob {
            raw: None,
            zlib: Some(packer.finish().unwrap()),
        }
    } else {
        Blob {
            raw: Some(contents.to_vec()),
            zlib: None,
        }
    };
    let data = blob.encode_to_vec();
    let header = BlobHeader {
        kind: kind.to_owned(),
        data_bytes: data.len().try_into().unwrap(),
    };
    let header = header.encode_to_vec();
    let mut bytes = u32::try_from(header.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(header);
    bytes.extend(data);
    bytes
}

fn header(required_features: &[&str]) -> Vec<u8> {
    let block = HeaderBlock {
        required_features: required_features.iter().map(|&f| f.to_owned()).collect(),
        replication_timestamp: Some(1_793_491_200),
    };
    blob("OSMHeader", &block.encode_to_vec(), false)
}

fn extract() -> Vec<u8> {
    let texts = [
        "", "name", "Kahvila", "amenity", "cafe", "Puisto", "leisure", "park", "Linna", "historic",
        "castle", "Poissa",
    ];
    let group = PrimitiveGroup {
        nodes: vec![Node {
            id: Some(10),
            keys: vec![1, 3],
            values: vec![2, 4],
            latitude: Some(601_700_000),
            longitude: Some(249_400_000),
        }],
        dense: Some(DenseNodes {
            ids: vec![1, 1, 1, 1],
            latitudes: vec![600_000_000, 10_000_000, 0, 0],
            longitudes: vec![240_000_000, 0, 10_000_000, 10_000_000],
            keys_values: vec![0, 1, 2, 3, 4, 0, 3, 4, 0, 0],
        }),
        ways: vec![
            Way {
                id: 20,
                keys: vec![1, 6],
                values: vec![5, 7],
                nodes: vec![1, 1, 1],
            },
            Way {
                id: 21,
                keys: Vec::new(),
                values: Vec::new(),
                nodes: vec![3, 1],
            },
            Way {
                id: 22,
                keys: vec![1, 6],
                values: vec![11, 7],
                nodes: vec![999],
            },
        ],
        relations: vec![Relation {
            id: 30,
            keys: vec![1, 9],
            values: vec![8, 10],
            members: vec![21, -20, 5],
            member_kinds: vec![1, 0, 7],
        }],
    };
    let block = PrimitiveBlock {
        string_table: Some(StringTable {
            texts: texts.map(|text| text.as_bytes().to_vec()).to_vec(),
        }),
        groups: vec![group],
        ..PrimitiveBlock::default()
    };
    let mut bytes = header(&["OsmSchema-V0.6", "DenseNodes"]);
    bytes.extend(blob("Other", b"passed over", false));
    bytes.extend(blob("OSMData", &block.encode_to_vec(), true));
    bytes
}

fn import(bytes: &[u8]) -> Result<(ImportReport, Table), ImportError> {
    let mut writer = TableWriter::new(vec![osm_source(bytes)?]).unwrap();
    let report = import_osm_pbf(|| Ok(bytes), &mut writer)?;
    let table = Table::open(Bytes::from(writer.finish().unwrap())).unwrap();
    table.verify().unwrap();
    Ok((report, table))
}

fn found(table: &Table) -> Vec<(String, String, String, f64, f64)> {
    let mut found: Vec<_> = (0..table.row_count())
        .map(|row| {
            let place = table.place(row).unwrap();
            (
                place.id(),
                place.name.to_owned(),
                place.types.to_owned(),
                place.latitude_degrees,
                place.longitude_degrees,
            )
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

#[test]
fn nodes_ways_and_relations_become_places() {
    let (report, table) = import(&extract()).unwrap();
    let place = |id: &str, name: &str, kind: &str, latitude, longitude| {
        (
            id.to_owned(),
            name.to_owned(),
            kind.to_owned(),
            latitude,
            longitude,
        )
    };
    assert_eq!(
        found(&table),
        [
            place("osm:node/10", "Kahvila", "cafe", 60.17, 24.94),
            place("osm:node/2", "Kahvila", "cafe", 61.0, 24.0),
            place("osm:relation/30", "Linna", "castle", 60.5, 25.0),
            place("osm:way/20", "Puisto", "park", 60.5, 24.5),
        ]
    );
    assert_eq!((report.rows_taken, report.rows_bad), (4, 1));
    let bad = &report.bad_rows[0];
    assert_eq!(
        format!("{}: {}", bad.at, bad.reason),
        "way/22: none of its points is in the file"
    );
    let source = &table.sources()[0];
    assert_eq!(
        (source.name.as_str(), source.licence.as_str()),
        ("OpenStreetMap", "ODbL 1.0")
    );
    assert_eq!(source.version, "2026-11-01T00:00:00Z");
}

/// The result of an extract of these groups: ids that were taken, and the messages about the others.
fn taken(groups: Vec<PrimitiveGroup>, granularity: Option<i32>) -> (Vec<String>, Vec<String>) {
    let texts = ["", "name", "Kahvila", "amenity", "cafe"];
    let block = PrimitiveBlock {
        string_table: Some(StringTable {
            texts: texts.map(|text| text.as_bytes().to_vec()).to_vec(),
        }),
        groups,
        granularity,
        ..PrimitiveBlock::default()
    };
    let data = blob("OSMData", &block.encode_to_vec(), false);
    let (report, table) = import(&[&header(&[])[..], &data].concat()).unwrap();
    let taken = found(&table).into_iter().map(|place| place.0).collect();
    let bad = report.bad_rows.iter();
    let bad = bad.map(|bad| format!("{}: {}", bad.at, bad.reason));
    (taken, bad.collect())
}

const CAFE: ([u32; 2], [u32; 2]) = ([1, 3], [2, 4]);

fn node(id: i64, latitude: Option<i64>, longitude: Option<i64>) -> Node {
    Node {
        id: Some(id),
        keys: CAFE.0.to_vec(),
        values: CAFE.1.to_vec(),
        latitude,
        longitude,
    }
}

#[test]
fn nodes_without_a_position_are_left_out_and_counted() {
    let nodes = vec![
        node(1, None, Some(5)),
        node(2, Some(5), None),
        node(3, Some(0), Some(0)),
        // A product that wraps around lands on Earth.
        node(4, Some(i64::MAX / 50), Some(1)),
        node(5, Some(1_800_000_000), Some(0)),
        Node {
            id: None,
            ..node(0, Some(1), Some(1))
        },
    ];
    let group = PrimitiveGroup {
        nodes,
        ..PrimitiveGroup::default()
    };
    let (taken, bad) = taken(vec![group], None);
    assert_eq!(taken, ["osm:node/3"]);
    assert_eq!(bad.len(), 5, "{bad:?}");
    for element in ["node/1", "node/2", "node/4", "a node without an id"] {
        let said = format!("{element}: it has no position");
        assert!(bad.contains(&said), "{bad:?}");
    }
}

#[test]
fn columns_that_end_or_overflow_place_nothing() {
    let dense = |latitudes: Vec<i64>, longitudes: Vec<i64>| PrimitiveGroup {
        dense: Some(DenseNodes {
            ids: vec![1, 1, 1],
            latitudes,
            longitudes,
            keys_values: [1, 2, 3, 4, 0].repeat(3),
        }),
        ..PrimitiveGroup::default()
    };
    let short = dense(vec![5], vec![5, 5, 5]);
    let (ids, bad) = taken(vec![short], None);
    assert_eq!((ids, bad.len()), (vec!["osm:node/1".to_owned()], 2));
    // The sum of the third would wrap around to where the first is.
    let wraps = dense(vec![5, i64::MAX, i64::MIN], vec![5, 0, 0]);
    let (ids, bad) = taken(vec![wraps], None);
    assert_eq!((ids, bad.len()), (vec!["osm:node/1".to_owned()], 2));
    // Units of no size would be all in one place.
    let (ids, bad) = taken(vec![dense(vec![5, 5, 5], vec![5, 5, 5])], Some(0));
    assert_eq!((ids.len(), bad.len()), (0, 3));
}

#[test]
fn ways_and_relations_of_which_a_part_is_missing_are_left_out() {
    let way = |id, nodes: &[i64]| Way {
        id,
        keys: CAFE.0.to_vec(),
        values: CAFE.1.to_vec(),
        nodes: nodes.to_vec(),
    };
    let relation = |id, members: &[i64], member_kinds: &[i32]| Relation {
        id,
        keys: CAFE.0.to_vec(),
        values: CAFE.1.to_vec(),
        members: members.to_vec(),
        member_kinds: member_kinds.to_vec(),
    };
    let group = PrimitiveGroup {
        nodes: vec![
            Node {
                keys: Vec::new(),
                values: Vec::new(),
                ..node(1, Some(100), Some(100))
            },
            Node {
                keys: Vec::new(),
                values: Vec::new(),
                ..node(2, Some(300), Some(300))
            },
            Node {
                keys: Vec::new(),
                values: Vec::new(),
                ..node(3, None, None)
            },
        ],
        ways: vec![
            way(10, &[1, 1]),
            way(11, &[1, 1, 1]),
            way(12, &[1, 8]),
            way(13, &[1, i64::MAX, 1]),
        ],
        relations: vec![
            relation(20, &[10, -9], &[1, 0]),
            relation(21, &[10, 80], &[1, 1]),
            relation(22, &[1, 1, 1], &[0, 0, 0]),
            relation(23, &[20], &[2]),
        ],
        ..PrimitiveGroup::default()
    };
    let (taken, bad) = taken(vec![group], None);
    assert_eq!(taken, ["osm:relation/20", "osm:way/10"]);
    let part = "some of its points are not in the file, so its middle is not known";
    for element in ["way/11", "way/12", "way/13", "relation/21", "relation/22"] {
        assert!(
            bad.contains(&format!("{element}: {part}")),
            "{element}: {bad:?}"
        );
    }
    let none = "relation/23: none of its points is in the file";
    assert!(bad.contains(&none.to_owned()), "{bad:?}");
}

#[test]
fn a_real_extract_has_its_places() {
    let (report, table) = import(HELSINKI).unwrap();
    let nodes = (0..table.row_count())
        .filter(|&row| table.place(row).unwrap().local_id.starts_with("node/"))
        .count();
    // The extract was cut out, so elements across its border lack points.
    let is_cut = |bad: &BadRow| bad.reason == BadRowReason::PointsIncomplete;
    assert!(report.bad_rows.iter().all(is_cut), "{:?}", report.bad_rows);
    assert_eq!(report.rows_bad, 30);
    assert_eq!(nodes, 1_583);
    assert_eq!(report.rows_taken, u64::from(table.row_count()));
    assert_eq!(report.rows_taken, 1_683);
}

#[test]
fn an_invalid_extract_is_reported() {
    let error = |bytes: &[u8]| import(bytes).unwrap_err().to_string();
    assert!(error(b"").contains("no header"));
    assert!(error(b"id,name,lat,lon\n").contains("too long"));
    assert!(error(&extract()[..3]).contains("cut off"));
    let needs = header(&["DenseNodes", "HistoricalInformation"]);
    assert!(error(&needs).contains("`HistoricalInformation`"));
    let whole = extract();
    assert!(error(&whole[..whole.len() - 1]).contains("cut off"));
    let other = [&header(&[])[..], &blob("OSMData", b"\xff\xff", false)].concat();
    assert!(error(&other).contains("not a whole OpenStreetMap extract"));
}

#[test]
fn a_bomb_is_not_unpacked() {
    let zeros = vec![0; 33 * 1024 * 1024];
    let bytes = [&header(&[])[..], &blob("OSMData", &zeros, true)].concat();
    assert!(bytes.len() < 64 * 1024);
    assert!(
        import(&bytes)
            .unwrap_err()
            .to_string()
            .contains("when unpacked")
    );
}

proptest::proptest! {
    #[test]
    fn damage_never_panics(position in 0_usize..2_000, byte: u8, cut in 0_usize..2_000) {
        let mut bytes = extract();
        let length = bytes.len();
        bytes[position % length] = byte;
        bytes.truncate(length - cut % (length / 2));
        let _ = import(&bytes);
    }

    #[test]
    fn any_numbers_in_a_block_are_read_without_a_panic(
        ids: Vec<i64>,
        latitudes: Vec<i64>,
        keys_values: Vec<i32>,
        members: Vec<i64>,
        member_kinds: Vec<i32>,
        keys: Vec<u32>,
        granularity: Option<i32>,
        offset: Option<i64>,
    ) {
        let block = PrimitiveBlock {
            string_table: Some(StringTable { texts: vec![b"name".to_vec(), vec![0xff]] }),
            groups: vec![PrimitiveGroup {
                nodes: Vec::new(),
                dense: Some(DenseNodes {
                    ids: ids.clone(),
                    latitudes: latitudes.clone(),
                    longitudes: latitudes,
                    keys_values,
                }),
                ways: vec![Way { id: 1, keys: keys.clone(), values: keys.clone(), nodes: ids }],
                relations: vec![Relation {
                    id: 1,
                    keys: keys.clone(),
                    values: keys,
                    members,
                    member_kinds,
                }],
            }],
            granularity,
            latitude_offset: offset,
            longitude_offset: offset,
        };
        let data = blob("OSMData", &block.encode_to_vec(), false);
        let _ = import(&[&header(&[])[..], &data].concat());
    }
}
