//! Clients that are near, as a table for people and as JSON for programs.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::answer::{Answer, Hit};
use herd_clock::clock::rfc3339_millis;
use herd_protocol::difference_text;
use herd_text::printable::Printable;

/// The columns.
const HEADS: [&str; 5] = ["KM", "CLIENT", "LOCATION", "REPORTED", "HEARD BY"];

/// The answer as a table.
pub(super) struct Table<'a>(pub(super) &'a Answer);

impl Display for Table<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Answer { hits, more } = self.0;
        if hits.is_empty() {
            return f.write_str(if *more {
                "there are clients in the area; --limit 0 shows none"
            } else {
                "no client in the area"
            });
        }
        let mut lines = vec![HEADS.map(str::to_owned)];
        lines.extend(hits.iter().map(cells));
        let width = |column: usize| {
            let cells = lines.iter().map(|line| line[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: [usize; 5] = std::array::from_fn(width);
        for line in &lines {
            let [km, client, location, reported, server] = line;
            let [km_width, client_width, location_width, reported_width, _] = widths;
            writeln!(
                f,
                "{km:>km_width$}  {client:<client_width$}  {location:<location_width$}  \
                 {reported:<reported_width$}  {server}"
            )?;
        }
        f.write_str(if *more {
            "and further ones: --limit takes up to 1000"
        } else {
            "these are all in the area"
        })
    }
}

fn cells(hit: &Hit) -> [String; 5] {
    let record = &hit.record;
    [
        format!("{:.3}", hit.kilometres),
        Printable(record.client()).to_string(),
        Printable(record.location_text()).to_string(),
        rfc3339_millis(record.time().ns()),
        Printable(record.server().as_bytes()).to_string(),
    ]
}

/// The answer as JSON.
#[derive(Serialize)]
pub(super) struct Json<'a> {
    /// Nearest first.
    clients: Vec<JsonHit<'a>>,
    /// Whether these are all that are in the area.
    complete: bool,
}

/// One client.
#[derive(Serialize)]
struct JsonHit<'a> {
    /// The id, with bytes that are no text escaped as in the table.
    client: String,
    distance_km: f64,
    latitude: Option<f64>,
    longitude: Option<f64>,
    /// The texts of the report.
    location: String,
    time: String,
    time_utc: String,
    server: &'a str,
    difference_s: String,
}

impl<'a> Json<'a> {
    pub(super) fn of(answer: &'a Answer) -> Self {
        Json {
            clients: answer.hits.iter().map(JsonHit::of).collect(),
            complete: !answer.more,
        }
    }
}

impl<'a> JsonHit<'a> {
    fn of(hit: &'a Hit) -> Self {
        let record = &hit.record;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let at = record.location().map(|location| location.coordinates());
        JsonHit {
            client: Printable(record.client()).to_string(),
            distance_km: hit.kilometres,
            latitude: at.map(|at| at.latitude_degrees),
            longitude: at.map(|at| at.longitude_degrees),
            location: text(record.location_text()),
            time: text(record.time_text()),
            time_utc: rfc3339_millis(record.time().ns()),
            server: record.server(),
            difference_s: difference_text(record.difference_ns()),
        }
    }
}

#[cfg(test)]
mod tests {
    use herd_crdt::Record;

    use super::*;

    fn answer(more: bool) -> Answer {
        let hit = |kilometres: f64, client: &[u8], location: &[u8]| Hit {
            kilometres,
            record: Record::new(
                client,
                location,
                b"1520023934.5",
                "Hill".into(),
                1_520_023_935_000_000_000,
            )
            .unwrap(),
        };
        Answer {
            hits: vec![
                hit(0.0, b"kiwi", b"+34.068930-118.445127"),
                hit(12_345.197_677, b"emu\xff", b"+1+1"),
            ],
            more,
        }
    }

    #[test]
    fn a_table_is_aligned_and_tells_whether_it_is_all() {
        let expected =
            "       KM  CLIENT   LOCATION               REPORTED                  HEARD BY
    0.000  kiwi     +34.068930-118.445127  2018-03-02T20:52:14.500Z  Hill
12345.198  emu\\xff  +1+1                   2018-03-02T20:52:14.500Z  Hill
these are all in the area";
        assert_eq!(Table(&answer(false)).to_string(), expected);
        assert!(Table(&answer(true)).to_string().ends_with("up to 1000"));
        let nobody = |more| Answer {
            hits: Vec::new(),
            more,
        };
        assert_eq!(Table(&nobody(false)).to_string(), "no client in the area");
        assert!(Table(&nobody(true)).to_string().contains("--limit 0"));
    }

    #[test]
    fn json_has_numbers_and_texts() {
        let json = serde_json::to_value(Json::of(&answer(true))).unwrap();
        assert_eq!(json["complete"], false);
        let far = &json["clients"][1];
        assert_eq!(far["client"], "emu\\xff");
        assert_eq!(far["distance_km"], 12_345.197_677);
        assert_eq!(
            (far["latitude"].as_f64(), far["longitude"].as_f64()),
            (Some(1.0), Some(1.0))
        );
        assert_eq!(far["difference_s"], "+0.500000000");
        assert_eq!(far["time"], "1520023934.5");
    }
}
