//! A change, as a line for people and as JSON for programs.

use herd_clock::clock::rfc3339_millis;
use herd_crdt::Record;
use herd_protocol::difference_text;
use herd_text::printable::Printable;
use serde::Serialize;

use super::known::Change;

/// A change that a server told.
pub(super) struct Shown<'a> {
    pub(super) change: Change,
    /// The server, as it was named.
    pub(super) server: &'a str,
}

/// The JSON of a change.
#[derive(Serialize)]
struct Json<'a> {
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    #[serde(flatten)]
    record: Option<JsonRecord>,
    /// With `live`: the number of clients, and the server that told.
    #[serde(skip_serializing_if = "Option::is_none")]
    clients: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    told_by: Option<&'a str>,
}

/// The texts of a report, and what they say.
#[derive(Serialize)]
struct JsonRecord {
    latitude: Option<f64>,
    longitude: Option<f64>,
    location: String,
    time: String,
    time_utc: String,
    server: String,
    difference_s: String,
}

impl Shown<'_> {
    /// A line for people.
    pub(super) fn text(&self) -> String {
        match &self.change {
            Change::At(record) => told("is at", record),
            Change::Enter(record) => told("came in, at", record),
            Change::Leave(record) => told("went out, at", record),
            Change::Centre(record) => told("is the middle, at", record),
            Change::Gone(client) => format!("{} is gone", Printable(client)),
            Change::Live(1) => format!("1 client now; watching {}", self.server),
            Change::Live(clients) => format!("{clients} clients now; watching {}", self.server),
        }
    }

    /// One line of JSON.
    pub(super) fn json(&self) -> String {
        let (event, record) = match &self.change {
            Change::At(record) => ("at", Some(record)),
            Change::Enter(record) => ("enter", Some(record)),
            Change::Leave(record) => ("leave", Some(record)),
            Change::Centre(record) => ("centre", Some(record)),
            Change::Gone(_) => ("gone", None),
            Change::Live(_) => ("live", None),
        };
        let client = match (&self.change, record) {
            (Change::Gone(client), _) => Some(Printable(client).to_string()),
            (_, record) => record.map(|record| Printable(record.client()).to_string()),
        };
        let clients = match &self.change {
            Change::Live(clients) => Some(*clients),
            _ => None,
        };
        let json = Json {
            event,
            client,
            record: record.map(JsonRecord::of),
            clients,
            told_by: clients.map(|_| self.server),
        };
        // Texts and finite numbers always can be written.
        serde_json::to_string(&json).unwrap_or_default()
    }
}

fn told(verb: &str, record: &Record) -> String {
    format!(
        "{} {verb} {}, reported {}, heard by {}",
        Printable(record.client()),
        Printable(record.location_text()),
        rfc3339_millis(record.time().ns()),
        Printable(record.server().as_bytes()),
    )
}

impl JsonRecord {
    fn of(record: &Record) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let at = record.location().map(|location| location.coordinates());
        JsonRecord {
            latitude: at.map(|at| at.latitude_degrees),
            longitude: at.map(|at| at.longitude_degrees),
            location: text(record.location_text()),
            time: text(record.time_text()),
            time_utc: rfc3339_millis(record.time().ns()),
            server: record.server().to_string(),
            difference_s: difference_text(record.difference_ns()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(change: Change) -> Shown<'static> {
        let server = "127.0.0.1:12000";
        Shown { change, server }
    }

    #[test]
    fn a_change_is_one_line() {
        let record = Record::new(b"ki\x1bwi", b"+1+1.5", b"1", "Hill".into(), 0).unwrap();
        let at = "+1+1.5, reported 1970-01-01T00:00:01.000Z, heard by Hill";
        for (change, text) in [
            (Change::At(record.clone()), format!("ki\\x1bwi is at {at}")),
            (
                Change::Enter(record.clone()),
                format!("ki\\x1bwi came in, at {at}"),
            ),
            (
                Change::Leave(record.clone()),
                format!("ki\\x1bwi went out, at {at}"),
            ),
            (
                Change::Centre(record.clone()),
                format!("ki\\x1bwi is the middle, at {at}"),
            ),
            (Change::Gone(b"emu".to_vec()), "emu is gone".to_owned()),
            (
                Change::Live(2),
                "2 clients now; watching 127.0.0.1:12000".to_owned(),
            ),
        ] {
            assert_eq!(shown(change).text(), text);
        }
        assert_eq!(
            shown(Change::Enter(record)).json(),
            "{\"event\":\"enter\",\"client\":\"ki\\\\x1bwi\",\"latitude\":1.0,\"longitude\":1.5,\
             \"location\":\"+1+1.5\",\"time\":\"1\",\"time_utc\":\"1970-01-01T00:00:01.000Z\",\
             \"server\":\"Hill\",\"difference_s\":\"-1.000000000\"}"
        );
        assert_eq!(
            shown(Change::Live(1)).json(),
            "{\"event\":\"live\",\"clients\":1,\"told_by\":\"127.0.0.1:12000\"}"
        );
        assert_eq!(
            shown(Change::Gone(b"emu".to_vec())).json(),
            "{\"event\":\"gone\",\"client\":\"emu\"}"
        );
    }
}
