//! Files of places: a table comes of them, or an error.

use bytes::Bytes;
use herd_crdt::Coordinates;
use herd_places::Source;
use herd_places::import::{import_csv, import_geojson, import_osm_pbf, osm_source};
use herd_places::table::{Table, TableWriter};

fn writer(prefix: &str) -> TableWriter {
    let source = Source {
        key: "mine".to_owned(),
        name: "Mine".to_owned(),
        id_prefix: prefix.to_owned(),
        ..Source::default()
    };
    match TableWriter::new(vec![source]) {
        Ok(writer) => writer,
        Err(error) => panic!("no writer: {error}"),
    }
}

pub(super) fn run_csv(bytes: &[u8]) {
    let mut writer = writer("");
    let _ = import_csv(bytes, &mut writer);
    finish(writer);
}

pub(super) fn run_geojson(bytes: &[u8]) {
    let mut writer = writer("");
    let _ = import_geojson(bytes, &mut writer);
    finish(writer);
}

pub(super) fn run_osm_pbf(bytes: &[u8]) {
    let _ = osm_source(bytes);
    let mut writer = writer("osm:");
    let _ = import_osm_pbf(|| Ok(bytes), &mut writer);
    finish(writer);
}

/// A table that this program wrote is one that it reads, and whole.
fn finish(writer: TableWriter) {
    let rows = writer.row_count();
    let Ok(bytes) = writer.finish() else {
        panic!("places that were taken cannot be written");
    };
    let table = match Table::open(Bytes::from(bytes)) {
        Ok(table) => table,
        Err(error) => panic!("a table of ours is not read: {error}"),
    };
    if let Err(error) = table.verify() {
        panic!("a table of ours is damaged: {error}");
    }
    assert_eq!(table.row_count() as usize, rows);
    let center = Coordinates {
        latitude_degrees: 34.07,
        longitude_degrees: -118.44,
    };
    assert!(table.nearest(center, 50_000.0, 20).len() <= 20);
}
