//! `herd places` as a user meets it, in this process.

use std::fs;
use std::path::Path;

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    places: PlacesArgs,
}

fn run_with(arguments: &[&str]) -> (anyhow::Result<()>, String) {
    run_in(arguments, &Environment::default())
}

fn run_in(arguments: &[&str], environment: &Environment) -> (anyhow::Result<()>, String) {
    let program = Program::parse_from([&["herd places"], arguments].concat());
    let mut output = Vec::new();
    let result = run_to(&program.places, environment, &mut output);
    (result, String::from_utf8(output).unwrap())
}

#[test]
fn an_import_can_be_looked_into() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (csv, table, sources) = (path("mine.csv"), path("mine.table"), path("mine.toml"));
    fs::write(&csv, "id,name,lat,lon\n1,A,1,2\n2,B,x,2\n").unwrap();

    let (result, _) = run_with(&["import", &csv, "--output", &table, "--strict"]);
    assert!(result.unwrap_err().to_string().contains("--strict"));
    assert!(!Path::new(&table).exists());

    let (result, told) = run_with(&["import", &csv, "--output", &table]);
    result.unwrap();
    assert!(told.contains("line 3: latitude"), "{told}");
    assert!(
        told.contains("1 places taken, 1 bad rows left out"),
        "{told}"
    );
    let (result, told) = run_with(&["info", &table]);
    result.unwrap();
    assert!(told.contains("\nmine: 1 places\n"), "{told}");

    fs::write(&sources, "[[source]]\nkey = 'm'\nname = 'My Places'\n").unwrap();
    let with_sources = ["import", &csv, "--output", &table, "--sources", &sources];
    run_with(&with_sources).0.unwrap();
    let (_, told) = run_with(&["info", &table]);
    assert!(told.contains("\nMy Places: 1 places\n"), "{told}");
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 3, "a partial file was left behind: {left:?}");
}

#[test]
fn impossible_requests_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (csv, table) = (path("bad.csv"), path("bad.table"));
    fs::write(&csv, "id,name,lat,lon\n1,A,x,2\n").unwrap();
    let error = |arguments: &[&str]| format!("{:#}", run_with(arguments).0.unwrap_err());
    assert!(error(&["import", &csv, "--output", &table]).contains("no row is good"));
    assert!(error(&["import", &path("none.csv"), "--output", &table]).contains("cannot open"));
    assert!(error(&["info", &path("none")]).contains("cannot read"));
    assert!(error(&["info", &csv]).contains("not a table of places"));
    fs::write(&csv, "id,name,lat,lon\n1,A,1,2\n").unwrap();
    let nowhere = path("no/such/folder");
    assert!(error(&["import", &csv, "--output", &nowhere]).contains("cannot write"));
}

#[test]
fn the_embedded_table_is_whole() {
    let (result, told) = run_with(&["info"]);
    result.unwrap();
    assert!(
        told.contains("GeoNames") && told.contains("CC BY 4.0"),
        "{told}"
    );
    assert!(
        told.contains("airportsdata") && told.contains("MIT"),
        "{told}"
    );
}

#[test]
fn info_shows_the_tables_of_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (csv, table) = (path("mine.csv"), path("mine.table"));
    fs::write(&csv, "id,name,lat,lon\n1,A,1,2\n").unwrap();
    run_with(&["import", &csv, "--output", &table]).0.unwrap();
    let variables = [("HERD_PLACES_FILE".into(), table.clone().into())];
    let environment = Environment::new(variables);
    let (result, told) = run_in(&["info"], &environment);
    result.unwrap();
    assert!(
        told.starts_with(&format!("from {table}:\n1 places")),
        "{told}"
    );
    assert!(!told.contains("GeoNames"), "{told}");
    let (result, told) = run_in(&["info", "--places-add"], &environment);
    result.unwrap();
    assert!(told.contains("\nmine: 1 places\n"), "{told}");
    assert!(told.contains("\nin this program:\n264213 places"), "{told}");
    let (result, _) = run_with(&["info", "--places-file", &csv]);
    assert!(
        result
            .unwrap_err()
            .to_string()
            .contains("not a table of places")
    );
}

#[test]
fn geojson_and_extracts_are_known_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let table = path("out.table");
    let feature = r#"{"type":"Feature","id":1,"properties":{"name":"A"},
        "geometry":{"type":"Point","coordinates":[2,1]}}"#;
    for name in ["a.geojson", "a.json"] {
        fs::write(path(name), feature).unwrap();
        let (result, told) = run_with(&["import", &path(name), "--output", &table]);
        result.unwrap();
        assert!(told.contains("1 places taken, 0 bad rows"), "{told}");
    }
    let other = path("a.txt");
    fs::write(&other, feature).unwrap();
    let (result, _) = run_with(&["import", &other, "--output", &table]);
    assert!(result.unwrap_err().to_string().contains("give --format"));
    let forced = ["import", &other, "--format", "geojson", "--output", &table];
    run_with(&forced).0.unwrap();

    let helsinki = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../places/tests/data/Helsinki.osm.pbf"
    );
    let (result, told) = run_with(&["import", helsinki, "--output", &table]);
    result.unwrap();
    assert!(
        told.contains("\n1683 places taken, 30 bad rows left out"),
        "{told}"
    );
    let (_, told) = run_with(&["info", &table]);
    assert!(
        told.contains("\nOpenStreetMap: ") && told.contains("licence: ODbL 1.0"),
        "{told}"
    );
}
