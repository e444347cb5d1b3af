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
fn features_may_follow_each_other() {
    let feature = |name: &str| point("null", &format!("{{\"name\":\"{name}\"}}"));
    for text in [
        format!("{}\n{}\n", feature("A"), feature("B")),
        format!("\u{1e}{}\n\u{1e}{}", feature("A"), feature("B")),
    ] {
        let (report, table) = import(&text);
        assert_eq!(report.unwrap().rows_taken, 2, "{text}");
        let ids: Vec<&str> = (0..2)
            .map(|row| table.place(row).unwrap().local_id)
            .collect();
        assert!(
            ids[0] != ids[1] && ids[0].starts_with("60.1700000,24.9400000,"),
            "{ids:?}"
        );
    }
    let (error, table) = import(&format!("{}\n{{", feature("A")));
    assert!(error.unwrap_err().to_string().contains("not GeoJSON: EOF"));
    assert_eq!(table.row_count(), 1);
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
    assert_eq!((report.rows_taken, report.rows_bad), (2, 9));
    let told: Vec<String> = report
        .bad_rows
        .iter()
        .map(|bad| format!("{}: {}", bad.at, bad.reason))
        .collect();
    let beginnings = [
        "feature 2: id is that of an earlier place",
        "feature 3: name",
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
fn a_place_without_its_own_coordinates_is_left_out() {
    let feature = |geometry: &str| {
        format!(
            "{{\"type\":\"Feature\",\"id\":1,\"properties\":{{\"name\":\"A\"}},\"geometry\":{geometry}}}"
        )
    };
    let line = "{\"type\":\"LineString\",\"coordinates\":[[24,60],[999,60],[26,60]]}";
    for (geometry, reason) in [
        (line, "longitude"),
        (
            "{\"type\":\"MultiPoint\",\"coordinates\":[[24,60],[190,60]]}",
            "longitude",
        ),
        (
            "{\"type\":\"Point\",\"coordinates\":[[24,60],[26,60]]}",
            "not those of a Point",
        ),
        (
            "{\"type\":\"Polygon\",\"coordinates\":[24,60]}",
            "not those of a Polygon",
        ),
        (
            "{\"type\":\"Box\",\"coordinates\":[24,60]}",
            "`Box` is not a type",
        ),
        ("{\"coordinates\":[24,60]}", "`` is not a type"),
        (
            "{\"type\":\"MultiPoint\",\"coordinates\":[[24,60],26,60]}",
            "a number among",
        ),
        (
            "{\"type\":\"Polygon\",\"coordinates\":[[[24,60]],[26,60]]}",
            "different depths",
        ),
        (
            "{\"type\":\"Point\",\"coordinates\":[24,null]}",
            "not a GeoJSON feature",
        ),
        (
            "{\"type\":\"Point\",\"coordinates\":[24,\"60\"]}",
            "not a GeoJSON feature",
        ),
        (
            "{\"type\":\"Point\",\"coordinates\":[2,6],\"crs\":{\"properties\":{\"name\":\"EPSG:3067\"}}}",
            "reference system `EPSG:3067`",
        ),
    ] {
        let report = import(&collection(&[feature(geometry)])).0.unwrap();
        assert_eq!((report.rows_taken, report.rows_bad), (0, 1), "{geometry}");
        let said = report.bad_rows[0].reason.to_string();
        assert!(said.contains(reason), "{geometry}: {said}");
    }
}

#[test]
fn another_reference_system_is_refused_wherever_it_stands() {
    let features = collection(&[point("1", "{\"name\":\"A\"}")]);
    let with = |crs: &str| {
        let before = features.replacen('{', &format!("{{\"crs\":{crs},"), 1);
        let after = format!("{},\"crs\":{crs}}}", &features[..features.len() - 1]);
        [before, after]
    };
    let named =
        |name: &str| format!("{{\"type\":\"name\",\"properties\":{{\"name\":\"{name}\"}}}}");
    for crs in [named("urn:ogc:def:crs:EPSG::3857"), "null".to_owned()] {
        for text in with(&crs) {
            let error = import(&text).0.unwrap_err();
            let is_told = matches!(error, ImportError::OtherReferenceSystem(_));
            assert!(is_told, "{text}: {error}");
        }
    }
    for text in with(&named("urn:ogc:def:crs:OGC:1.3:CRS84")) {
        assert_eq!(import(&text).0.unwrap().rows_taken, 1, "{text}");
    }
}

#[test]
fn a_byte_order_mark_is_passed_over_and_utf_16_is_named() {
    let text = collection(&[point("1", "{\"name\":\"A\"}")]);
    let marked = format!("\u{feff}{text}");
    assert_eq!(import(&marked).0.unwrap().rows_taken, 1);
    let wide: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let error = import_geojson(&wide[..], &mut writer()).unwrap_err();
    assert!(error.to_string().contains("UTF-16"), "{error}");
}

#[test]
fn invalid_geojson_is_reported() {
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
