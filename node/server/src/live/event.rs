//! The events that a page gets, as text.
//!
//! Each is `event: NAME`, `data: JSON` and an empty line. The JSON has no line breaks outside strings and escapes
//! those inside, so it fits in one line for every client id.

use serde::Serialize;

use super::changes::SceneChanges;
use super::figures::Second;
use super::herd_picture::HerdPicture;
use super::map_tiles::MapTiles;
use super::question::key_text;
use super::record_view::RecordView;
use super::scene::{Dot, DotKey, Scene};

/// The first event of each stream.
#[derive(Debug, Serialize)]
pub(super) struct PageHello<'a> {
    /// The server that the page is of.
    pub(super) server: &'a str,
    /// The program's version.
    pub(super) version: &'a str,
    /// Where tiles with streets come from, if anywhere.
    pub(super) tiles: Option<&'a MapTiles>,
}

/// Key, latitude, longitude, count, server, time in s, label.
type AddedDot = (String, f64, f64, usize, Option<u16>, Option<i64>, String);

/// The same without the label.
type MovedDot = (String, f64, f64, usize, Option<u16>, Option<i64>);

/// The changes of the map.
#[derive(Debug, Serialize)]
struct MapChanges {
    /// Whether this is all that there is, and not what changed.
    whole: bool,
    clients: usize,
    counted: bool,
    added: Vec<AddedDot>,
    moved: Vec<MovedDot>,
    gone: Vec<String>,
}

/// The figures since the last event of this kind. Comes each second, as a sign of life too.
#[derive(Debug, Serialize)]
pub(super) struct Seconds {
    /// The server's clock, in ms since the epoch.
    pub(super) now_ms: f64,
    /// The oldest first.
    pub(super) seconds: Vec<Second>,
}

/// The chosen client.
#[derive(Debug, Serialize)]
struct ChosenClient<'a> {
    /// `null` for one that is not known.
    record: Option<RecordView<'a>>,
    /// Whether who looks at the page may forget the client.
    may_forget: bool,
}

/// The first event.
pub(super) fn hello(hello: &PageHello<'_>, out: &mut Vec<u8>) {
    event("hello", hello, out);
}

/// The changes that turn the page's map into `scene`; nothing if there are none. All of it, if nothing was shown before.
pub(super) fn map(before: Option<&Scene>, scene: &Scene, out: &mut Vec<u8>) {
    if before == Some(scene) {
        return;
    }
    let nothing = Scene::default();
    let changes = SceneChanges::between(before.unwrap_or(&nothing), scene);
    let added = |(key, dot): (DotKey, &Dot)| {
        let ((latitude, longitude), label) = (position(dot), dot.label.to_string());
        let (count, server, time_s) = (dot.count, dot.server, dot.time_s);
        let key = key_text(key);
        (key, latitude, longitude, count, server, time_s, label)
    };
    let moved = |(key, dot): (DotKey, &Dot)| {
        let (latitude, longitude) = position(dot);
        let (count, server, time_s) = (dot.count, dot.server, dot.time_s);
        (key_text(key), latitude, longitude, count, server, time_s)
    };
    let map = MapChanges {
        whole: before.is_none(),
        clients: scene.clients,
        counted: scene.counted,
        added: changes.added.into_iter().map(added).collect(),
        moved: changes.moved.into_iter().map(moved).collect(),
        gone: changes.gone.into_iter().map(key_text).collect(),
    };
    event("map", &map, out);
}

/// The record of the chosen client.
pub(super) fn client(record: Option<RecordView<'_>>, may_forget: bool, out: &mut Vec<u8>) {
    event("client", &ChosenClient { record, may_forget }, out);
}

/// The herd.
pub(super) fn herd(picture: &HerdPicture, out: &mut Vec<u8>) {
    event("herd", picture, out);
}

/// Figures.
pub(super) fn seconds(seconds: &Seconds, out: &mut Vec<u8>) {
    event("seconds", seconds, out);
}

/// To about a tenth of a metre, as no page can show more.
fn position(dot: &Dot) -> (f64, f64) {
    let rounded = |degrees: f64| (degrees * 1e6).round() / 1e6;
    (rounded(dot.latitude), rounded(dot.longitude))
}

fn event(name: &str, data: &impl Serialize, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    // Strings, lists and numbers into a Vec: neither the data nor the writer can fail.
    if serde_json::to_writer(&mut *out, data).is_err() {
        out.truncate(start);
        return;
    }
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::client_text::label;
    use super::*;

    fn scene(dots: &[(DotKey, f64, &str)]) -> Scene {
        let dots = dots.iter().map(|&(key, latitude, label)| {
            let dot = Dot {
                latitude,
                longitude: 0.123_456_789,
                count: 1,
                server: Some(3),
                time_s: Some(1_520_023_934),
                label: label.into(),
            };
            (key, dot)
        });
        Scene {
            clients: 7,
            counted: false,
            dots: dots.collect(),
        }
    }

    /// The name and data of the only event of a text.
    fn parsed(text: &[u8]) -> (String, serde_json::Value) {
        let text = std::str::from_utf8(text).unwrap();
        let lines: Vec<&str> = text.split('\n').collect();
        let [name, data, "", ""] = lines[..] else {
            panic!("not one event: {text}");
        };
        let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        (name.strip_prefix("event: ").unwrap().to_owned(), data)
    }

    #[test]
    fn an_event_has_the_changes_only() {
        let (before, after) = (
            scene(&[(1, 1.0, "a"), (2, 2.0, "b"), (3, 3.0, "c")]),
            scene(&[(2, 2.0, "b"), (3, 3.5, "c"), (0xfeed, 4.0, "<b>\"d\"</b>")]),
        );
        let mut out = Vec::new();
        map(Some(&before), &after, &mut out);
        let (name, data) = parsed(&out);
        assert_eq!(name, "map");
        let expected = serde_json::json!({
            "whole": false, "clients": 7, "counted": false,
            "added": [["000000000000feed", 4.0, 0.123457, 1, 3, 1_520_023_934, "<b>\"d\"</b>"]],
            "moved": [["0000000000000003", 3.5, 0.123457, 1, 3, 1_520_023_934]],
            "gone": ["0000000000000001"],
        });
        assert_eq!(data, expected);
        out.clear();
        map(Some(&after), &after.clone(), &mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn the_first_event_of_a_map_comes_even_if_nothing_is_on_it() {
        let mut out = Vec::new();
        map(None, &Scene::default(), &mut out);
        let (name, data) = parsed(&out);
        assert_eq!((name.as_str(), &data["whole"]), ("map", &true.into()));
    }

    proptest! {
        #[test]
        fn no_client_id_can_end_its_event(client in proptest::collection::vec(any::<u8>(), 1..60)) {
            let text = label(&client, 40);
            let mut out = Vec::new();
            map(None, &scene(&[(1, 1.0, &text)]), &mut out);
            let (_, data) = parsed(&out);
            prop_assert_eq!(data["added"][0][6].as_str(), Some(&*text));
        }
    }
}
