use proptest::prelude::*;

use super::*;

/// The three texts of a report of no path, or the fields that are wrong.
fn read(json: &str) -> Result<[String; 3], Vec<String>> {
    let fields = |problem: Problem| -> Vec<String> {
        let problem = serde_json::to_value(problem.view()).unwrap();
        let faults = problem["errors"].as_array().unwrap().iter();
        faults
            .map(|fault| fault["field"].as_str().unwrap().to_owned())
            .collect()
    };
    let texts = ReportTexts::read(json.as_bytes(), None).map_err(fields)?;
    let operands = texts.operands("7.5").map_err(fields)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok([
        text(operands.client()),
        text(operands.location()),
        text(operands.time()),
    ])
}

#[test]
fn texts_are_kept_and_numbers_are_canonical() {
    for (json, expected) in [
        (
            r#"{"client":"van7","latitude":34.068930,"longitude":-118.445127,"time":"1520023934.918963997"}"#,
            ["van7", "+34.06893-118.445127", "1520023934.918963997"],
        ),
        (
            r#" { "client" : "van\u0037" , "latitude" : "34.068930", "longitude":"-0118.10" , "time" : 15.20 } "#,
            ["van7", "+34.068930-0118.10", "15.2"],
        ),
        (
            r#"{"client_base64":"dmFuNw==","location":"+34.068930-118.445127","time":null}"#,
            ["van7", "+34.068930-118.445127", "7.5"],
        ),
        (
            r#"{"client":"Zürich","latitude":1e1,"longitude":-0,"time":"2018-03-02T20:52:14.9Z"}"#,
            ["Zürich", "+10+0", "1520023934.9"],
        ),
    ] {
        assert_eq!(
            read(json)
                .as_ref()
                .map(|texts| texts.each_ref().map(String::as_str)),
            Ok(expected),
            "{json}"
        );
    }
}

#[test]
fn every_mistake_of_a_report_is_named() {
    for (json, fields) in [
        ("", &["body"][..]),
        ("[]", &["body"]),
        ("{} x", &["body"]),
        (r#"{"client":"a","client":"b"}"#, &["body"]),
        (
            r#"{"client":"a","latitude":1,"longitude":2,"latitude":3}"#,
            &["body"],
        ),
        ("{}", &["client", "latitude", "longitude"]),
        (
            r#"{"lat":1,"client":1,"latitude":[],"longitude":true,"time":{}}"#,
            &["lat", "client", "latitude", "longitude", "time"],
        ),
        (
            r#"{"client":"a b","latitude":91,"longitude":181,"time":9223372037}"#,
            &["client", "latitude", "longitude", "time"],
        ),
        (
            r#"{"foo":1,"client":"a b","latitude":"91","longitude":"x","time":"soon"}"#,
            &["foo", "client", "latitude", "longitude", "time"],
        ),
        (
            r#"{"client":"a","latitude":"91","time":"soon"}"#,
            &["longitude", "latitude", "time"],
        ),
        (r#"{"client":"a","location":"34-118"}"#, &["location"]),
        (
            r#"{"client":"a","location":"+1+1","latitude":1}"#,
            &["location"],
        ),
        (
            r#"{"client":"a","client_base64":"YQ==","location":"+1+1"}"#,
            &["client_base64"],
        ),
        (
            r#"{"client_base64":"?","location":1}"#,
            &["client_base64", "location"],
        ),
        (r#"{"client":"\ud800","location":"+1+1"}"#, &["client"]),
        (
            r#"{"client":"a","location":"+1+1","time":"yesterday at 12:00"}"#,
            &["time"],
        ),
        (
            r#"{"client":"a","location":"+1+1","time":1.0123456789}"#,
            &["time"],
        ),
        (
            r#"{"client":"a","latitude":"","longitude":"+1+1"}"#,
            &["latitude", "longitude"],
        ),
        (
            r#"{"client":"a","latitude":1e64,"longitude":0}"#,
            &["latitude"],
        ),
    ] {
        let expected: Vec<String> = fields.iter().map(|&field| field.to_owned()).collect();
        assert_eq!(read(json), Err(expected), "{json}");
    }
}

#[test]
fn the_client_of_the_path_is_the_clients() {
    let read = |json: &'static str, of: &'static [u8]| {
        let texts = ReportTexts::read(json.as_bytes(), Some(of));
        texts.map(|texts| texts.client().to_vec()).ok()
    };
    let rest = r#"{"location":"+1+1"}"#;
    assert_eq!(read(rest, b"\xff"), Some(b"\xff".to_vec()));
    assert_eq!(
        read(r#"{"client":"a","location":"+1+1"}"#, b"a"),
        Some(b"a".to_vec())
    );
    assert_eq!(read(r#"{"client":"b","location":"+1+1"}"#, b"a"), None);
}

proptest! {
    #[test]
    fn any_bytes_are_a_report_or_refused(bytes: Vec<u8>) {
        if let Ok(texts) = ReportTexts::read(&bytes, None) {
            let _ = texts.operands("1");
        }
    }

    #[test]
    fn any_members_are_a_report_or_refused(
        members in prop::collection::vec(
            ("client|client_base64|latitude|longitude|location|time|x", "\"[-+.0-9eTZ:a=\\\\]{0,9}\"|-?[0-9.e]{1,6}|null|\\[\\]"),
            0..6,
        )
    ) {
        let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let json = format!("{{{}}}", members.join(","));
        if let Ok(texts) = ReportTexts::read(json.as_bytes(), None)
            && let Err(problem) = texts.operands("1")
        {
            let problem = serde_json::to_value(problem.view()).unwrap();
            prop_assert!(!problem["errors"].as_array().unwrap().is_empty());
        }
    }
}

#[test]
fn so_many_unknown_members_are_named_and_no_more() {
    let members = (0..1_000).map(|number| format!("\"{number}\":1"));
    let json = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
    assert_eq!(read(&json).unwrap_err().len(), 33);
}
