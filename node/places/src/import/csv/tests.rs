//! Rows good and bad, and files that would not end.

use bytes::Bytes;

use std::io;

use super::super::super::source::Source;
use super::super::super::table::Table;
use super::super::report::BAD_ROWS_LISTED_MAX;
use super::*;

fn writer() -> TableWriter {
    let source = |key: &str, id_prefix: &str| Source {
        key: key.to_owned(),
        name: key.to_owned(),
        id_prefix: id_prefix.to_owned(),
        ..Source::default()
    };
    TableWriter::new(vec![source("one", ""), source("two", "t:")]).unwrap()
}

fn import(text: &str) -> (Result<ImportReport, ImportError>, Table) {
    let mut writer = writer();
    let report = import_csv(text.as_bytes(), &mut writer);
    let table = Table::open(Bytes::from(writer.finish().unwrap())).unwrap();
    table.verify().unwrap();
    (report, table)
}

#[test]
fn rows_become_places() {
    let (report, table) = import(
        "\u{feff}name,lat,lon,id,types,colour,vicinity,source\r\n\
         \"Café, \"\"Nº 1\"\"\",60.17,24.94,t:7,cafe; food,red,\"Katu 1, Helsinki\",two\r\n\
         \r\n\
         Plain,-90,180,8,,,,one\r\n",
    );
    let report = report.unwrap();
    assert_eq!((report.rows_taken, report.rows_bad), (2, 0));
    assert_eq!(report.columns_unknown, ["colour"]);
    let plain = table.place(0).unwrap();
    assert_eq!(
        (plain.name, plain.types, plain.vicinity),
        ("Plain", "", None)
    );
    let cafe = table.place(1).unwrap();
    assert_eq!(cafe.name, "Café, \"Nº 1\"");
    assert_eq!((cafe.id(), cafe.local_id), ("t:7".to_owned(), "7"));
    assert_eq!(cafe.types, "cafe,food");
    assert_eq!(cafe.vicinity, Some("Katu 1, Helsinki"));
    assert_eq!(cafe.source.key, "two");
    assert_eq!(
        (cafe.latitude_degrees, cafe.longitude_degrees),
        (60.17, 24.94)
    );
}

#[test]
fn bad_rows_are_counted_and_listed_with_their_lines() {
    let text = b"id,name,lat,lon,types,source\n\
        t:1,Good,1,2,,two\n\
        t:2,\"Two\nlines\",1,2,,two\n\
        t:1,Again,1,2,,two\n\
        t:3,North,90.1,2,,two\n\
        t:4,East,1,1e3,,two\n\
        t:5,Word,one,2,,two\n\
        t:6,,1,2,,two\n\
        7,Prefix,1,2,,two\n\
        t:,No id,1,2,,two\n\
        t:8,Types,1,2,a b,two\n\
        t:9,Source,1,2,,three\n\
        t:10,Few,1,2\n\
        t:11,\xff\xfe,1,2,,two\n\
        t:12,Good,-1,-2,,two";
    let mut writer = writer();
    let report = import_csv(&text[..], &mut writer).unwrap();
    assert_eq!((report.rows_taken, report.rows_bad), (2, 12));
    let told: Vec<String> = report
        .bad_rows
        .iter()
        .map(|bad| format!("{}: {}", bad.at, bad.reason))
        .collect();
    let beginnings = [
        "line 3: name",
        "line 5: id is that of an earlier place",
        "line 6: latitude",
        "line 7: longitude",
        "line 8: latitude",
        "line 9: name",
        "line 10: id does not begin with `t:`",
        "line 11: id is empty",
        "line 12: types",
        "line 13: source",
        "line 14: 4 fields where the first line has 6",
        "line 15: not UTF-8",
    ];
    assert_eq!(told.len(), beginnings.len(), "{told:#?}");
    for (told, beginning) in told.iter().zip(beginnings) {
        assert!(told.starts_with(beginning), "{told} is not {beginning}");
    }
}

#[test]
fn the_list_of_bad_rows_is_bounded() {
    let text = format!("id,name,lat,lon\n{}", "1,A,x,y\n".repeat(1_000));
    let report = import(&text).0.unwrap();
    assert_eq!((report.rows_taken, report.rows_bad), (0, 1_000));
    assert_eq!(report.bad_rows.len(), BAD_ROWS_LISTED_MAX);
}

#[test]
fn columns_must_be_named() {
    let error = |text| import(text).0.unwrap_err().to_string();
    assert!(error("").contains("`name`"));
    assert!(error("1,A,60,24\n").contains("`name`"));
    assert!(error("id,name,lat,x\n").contains("`lon`"));
    assert!(error("name,lat,lon,lng\n").contains("`lon`"));
    assert!(error("id,name,lat,lon,name\n").contains("`name`"));
}

#[test]
fn files_of_other_programs_are_read() {
    for text in [
        "Name;Latitude;LNG;types\nDepot 1;60,17;24,94;\"a;b\"\n",
        "name\tlat\tlong\ttypes\nDepot 1\t60.17\t24,94\ta;b\n",
        "name,lat,longitude,types\nDepot 1,\"60,17\",24.94,a;b\n",
    ] {
        let (report, table) = import(text);
        let report = report.unwrap();
        assert_eq!(
            (report.rows_taken, report.rows_bad),
            (1, 0),
            "{text}: {report:?}"
        );
        let depot = table.place(0).unwrap();
        assert_eq!(
            (depot.latitude_degrees, depot.longitude_degrees),
            (60.17, 24.94)
        );
        assert_eq!((depot.name, depot.types), ("Depot 1", "a,b"));
        assert!(
            depot.local_id.starts_with("60.1700000,24.9400000,"),
            "{}",
            depot.local_id
        );
    }
}

#[test]
fn an_open_quote_does_not_take_the_file_into_memory() {
    let head = &b"id,name,lat,lon\n1,A,1,2\n2,\"open,1,2\n"[..];
    let mut writer = writer();
    let error = import_csv(head.chain(io::repeat(b'x')), &mut writer).unwrap_err();
    assert!(
        matches!(error, ImportError::RowTooLong { line: 3 }),
        "{error}"
    );
    assert_eq!(writer.row_count(), 1);
}

#[test]
fn a_failing_input_is_an_error() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disk on fire"))
        }
    }
    let head = &b"id,name,lat,lon\n1,A,1,2\n"[..];
    let error = import_csv(head.chain(Broken), &mut writer()).unwrap_err();
    assert!(error.to_string().contains("disk on fire"), "{error}");
}

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..500)
    ) {
        let text = [&b"id,name,lat,lon\n"[..], &bytes].concat();
        let _ = import_csv(&bytes[..], &mut writer());
        let mut writer = writer();
        if let Ok(report) = import_csv(&text[..], &mut writer) {
            proptest::prop_assert_eq!(report.rows_taken as usize, writer.row_count());
        }
    }
}
