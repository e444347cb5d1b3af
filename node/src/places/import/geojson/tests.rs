//! Collections good, bad, and without an end.

use std::io;

use bytes::Bytes;

use super::super::super::source::Source;
use super::super::super::table::Table;
use super::*;

fn writer() -> TableWriter {
    let source = Source {
        key: "one".to_owned(),
        name: "one".to_owned(),
        ..Source::default()
    };
    TableWriter::new(vec![source]).unwrap()
}

fn import(text: &str) -> (Result<ImportReport, ImportError>, Table) {
    let mut writer = writer();
    let report = import_geojson(text.as_bytes(), &mut writer);
    let table = Table::open(Bytes::from(writer.finish().unwrap())).unwrap();
    table.verify().unwrap();
    (report, table)
}

fn point(id: &str, properties: &str) -> String {
    format!(
        "{{\"type\":\"Feature\",\"id\":{id},\"properties\":{properties},\
         \"geometry\":{{\"type\":\"Point\",\"coordinates\":[24.94,60.17,7]}}}}"
    )
}

fn collection(features: &[String]) -> String {
    let features = features.join(",\n");
    format!("{{\"features\":[{features}],\"bbox\":[1,2],\"type\":\"FeatureCollection\"}}")
}

#[test]
fn features_become_places() {
    let park = "{\"type\":\"Feature\",\"geometry\":{\"type\":\"Polygon\",\"coordinates\":\
        [[[24,60],[26,60],[26,61],[24,60]]]},\"properties\":{\"@id\":\"way/5\",\"name\":\"Park\",\
        \"leisure\":\"park\",\"addr:city\":\"Helsinki\"}}";
    let cafe = point(
        "7",
        "{\"name\":\"Café\",\"types\":[\"cafe\",\"food\"],\"vicinity\":\"Katu\"}",
    );
    let text = collection(&[cafe, park.to_owned()]);
    let (report, table) = import(&text);
    let report = report.unwrap();
    assert_eq!((report.rows_taken, report.rows_bad), (2, 0), "{report:?}");
    let places: Vec<_> = (0..2).map(|row| table.place(row).unwrap()).collect();
    let cafe = places.iter().find(|place| place.local_id == "7").unwrap();
    assert_eq!(
        (cafe.name, cafe.types, cafe.vicinity, cafe.latitude_degrees),
        ("Café", "cafe,food", Some("Katu"), 60.17)
    );
    let park = places
        .iter()
        .find(|place| place.local_id == "way/5")
        .unwrap();
    assert_eq!((park.types, park.vicinity), ("park", Some("Helsinki")));
    assert_eq!(
        (park.latitude_degrees, park.longitude_degrees),
        (60.5, 25.0)
    );
}

#[test]
fn one_feature_and_collections_of_geometries() {
    let (report, _) = import(&point("\"a\"", "{\"name\":\"A\"}"));
    assert_eq!(report.unwrap().rows_taken, 1);
    let text = "{\"type\":\"Feature\",\"id\":1,\"properties\":{\"name\":\"Both\"},\"geometry\":\
        {\"type\":\"GeometryCollection\",\"geometries\":[{\"type\":\"Point\",\"coordinates\":[1,2]},\
        {\"type\":\"MultiPoint\",\"coordinates\":[[3,4],[2,3]]}]}}";
    let (report, table) = import(text);
    assert_eq!(report.unwrap().rows_taken, 1);
    let both = table.place(0).unwrap();
    assert_eq!((both.latitude_degrees, both.longitude_degrees), (3.0, 2.0));
}

#[test]
fn bad_features_are_counted_and_listed() {
    let features = [
        point("1", "{\"name\":\"Good\"}"),
        point("1", "{\"name\":\"Again\"}"),
        point("2", "{}"),
        point("null", "{\"name\":\"No id\"}"),
        point("3", "{\"name\":\"Types\",\"types\":5}"),
        "{\"type\":\"Feature\",\"id\":4,\"geometry\":null,\"properties\":null}".to_owned(),
        "{\"type\":\"Feature\",\"id\":5,\"geometry\":{\"coordinates\":[]}}".to_owned(),
        "{\"type\":\"Feature\",\"id\":6,\"geometry\":{\"coordinates\":[1]}}".to_owned(),
        "{\"type\":\"Point\",\"coordinates\":[1,2]}".to_owned(),
        "5".to_owned(),
        point("7", "{\"name\":\"Beyond\"}").replace("60.17", "90.1"),
    ];
    let report = import(&collection(&features)).0.unwrap();
    assert_eq!((report.rows_taken, report.rows_bad), (1, 10));
    let told: Vec<String> = report
        .bad_rows
        .iter()
        .map(|bad| format!("{}: {}", bad.at, bad.reason))
        .collect();
    let beginnings = [
        "feature 2: id is that of an earlier place",
        "feature 3: name",
        "feature 4: id is empty",
        "feature 5: types",
        "feature 6: it has no position",
        "feature 7: it has no position",
        "feature 8: not a GeoJSON feature: a position has one number",
        "feature 9: not a GeoJSON feature: its `type` is `Point`",
        "feature 10: not a GeoJSON feature: invalid type",
        "feature 11: latitude",
    ];
    for (told, beginning) in told.iter().zip(beginnings) {
        assert!(told.starts_with(beginning), "{told} is not {beginning}");
    }
}

#[test]
fn what_is_no_geojson_is_told() {
    let error = |text: &str| import(text).0.unwrap_err().to_string();
    assert!(error("").contains("not GeoJSON: EOF"));
    assert!(error("[1]").contains("a FeatureCollection or a Feature"));
    assert!(error("{\"type\":\"Topology\"}").contains("neither"));
    assert!(error("{\"type\":\"FeatureCollection\"}").contains("no `features`"));
    let cut = collection(&[point("1", "{\"name\":\"A\"}")]);
    assert!(error(&cut[..cut.len() - 40]).contains("not GeoJSON: EOF"));
    assert!(error(&format!("{cut}x")).contains("trailing characters"));
}

#[test]
fn a_feature_without_an_end_is_not_taken_into_memory() {
    let head = collection(&[point("1", "{\"name\":\"A\"}")]);
    let head = head.split("],\"bbox\"").next().unwrap().to_owned() + ",{\"type\":\"";
    let mut writer = writer();
    let endless = head.as_bytes().chain(io::repeat(b'x'));
    let error = import_geojson(endless, &mut writer).unwrap_err();
    assert!(
        matches!(error, ImportError::FeatureTooLong { feature: 1 }),
        "{error}"
    );
    assert_eq!(writer.row_count(), 1);
}

proptest::proptest! {
    #[test]
    fn arbitrary_text_never_panics(text: String, feature: String) {
        let _ = import_geojson(text.as_bytes(), &mut writer());
        let _ = import_geojson(collection(&[feature]).as_bytes(), &mut writer());
    }
}
