//! The text protocol over real sockets against real processes.

use std::time::{Duration, SystemTime};

use herd_integration_tests::{Client, Herd, Reply, Topology, within};
use tokio::time::sleep;

use crate::{TIME, UCLA};

/// The time of now in nanoseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "a client has the machine's clock, as the server has"
)]
pub(crate) fn now_ns() -> u128 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_nanos()
}

fn seconds(ns: u128) -> String {
    format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000)
}

/// The difference of an AT line in nanoseconds; a sign and nine decimals, never anything else.
fn difference_ns(at: &str) -> i128 {
    let text = at.split(' ').nth(2).unwrap();
    let (sign, digits) = text.split_at(1);
    assert!(sign == "+" || sign == "-", "{at}");
    let (whole, decimals) = digits.split_once('.').unwrap();
    assert_eq!(decimals.len(), 9, "{at}");
    assert!(
        (whole.to_owned() + decimals)
            .bytes()
            .all(|byte| byte.is_ascii_digit()),
        "{at}"
    );
    let ns: i128 = (whole.to_owned() + decimals).parse().unwrap();
    if sign == "-" { -ns } else { ns }
}

/// Two servers, for tests that do not depend on their number.
async fn two() -> Herd {
    Herd::builder(Topology::new(&["Hill", "Smith"], &[("Hill", "Smith")]))
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_at_line_has_the_clocks_difference_and_the_operands() {
    let herd = two().await;
    let mut client = herd.client("Hill").await;
    let sent = now_ns();
    let at = client
        .report("kiwi.cs.ucla.edu", UCLA, &seconds(sent))
        .await;
    let round_trip = i128::try_from(now_ns() - sent).unwrap();
    let difference = difference_ns(&at);
    assert!(
        (0..=round_trip).contains(&difference),
        "{at} within {round_trip} ns"
    );
    assert!(at.starts_with("AT Hill +"), "{at}");
    assert!(
        at.ends_with(&format!(" kiwi.cs.ucla.edu {UCLA} {}", seconds(sent))),
        "{at}"
    );
    // A clock that goes ahead, though not by too much.
    let ahead = now_ns() + 3_600_000_000_000;
    let at = client.report("ahead", "+12-118", &seconds(ahead)).await;
    assert!(
        (-3_600_000_000_000..-3_500_000_000_000).contains(&difference_ns(&at)),
        "{at}"
    );
    // Too far ahead.
    let ahead = format!(
        "IAMAT far +12-118 {}",
        seconds(now_ns() + 3 * 3_600_000_000_000)
    );
    client.send(format!("{ahead}\n").as_bytes()).await;
    assert_eq!(client.line().await, format!("? {ahead}").into_bytes());
    assert_eq!(client.find("far").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_server_answers_with_the_same_at_line_and_places_near_by() {
    let herd = Herd::five().await;
    let at = herd.client("Hill").await.report("kiwi", UCLA, TIME).await;
    for name in herd.names() {
        herd.knows(&name, "kiwi", &at).await;
        let mut client = herd.client(&name).await;
        let Reply::Places(line, json) = client.whatsat("kiwi", "10", "5").await else {
            panic!("{name} does not know kiwi");
        };
        assert_eq!(line, at);
        let reply: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(reply["status"], "OK", "{json}");
        assert!(reply["html_attributions"].is_array(), "{json}");
        let results = reply["results"].as_array().unwrap();
        assert_eq!(results.len(), 5, "{json}");
        for place in results {
            let position = &place["geometry"]["location"];
            let (lat, lng) = (&position["lat"], &position["lng"]);
            let (lat, lng) = (lat.as_f64().unwrap(), lng.as_f64().unwrap());
            // 10 km are 0.09 degrees of latitude, and here 0.109 of longitude.
            assert!(
                (lat - 34.06893).abs() < 0.091 && (lng + 118.445127).abs() < 0.110,
                "{place}"
            );
            assert!(!place["name"].as_str().unwrap().is_empty());
        }
        let Reply::Places(_, json) = client.whatsat("kiwi", "0", "5").await else {
            panic!("{name} does not know kiwi");
        };
        assert!(json.contains("ZERO_RESULTS"), "{json}");
        // After the two newlines nothing more comes.
        client.half_close().await;
        assert_eq!(client.rest().await, b"");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_command_is_copied_and_the_connection_goes_on() {
    let herd = two().await;
    let mut client = herd.client("Smith").await;
    let long = [b"IAMAT ".to_vec(), vec![b'x'; 100_000]].concat();
    for command in [
        &b"WHATSAT nobody 10 5"[..],
        b"IAMAT kiwi +34.068930-118.445127",
        b"IAMAT kiwi 34.068930-118.445127 1520023934.9",
        b"IAMAT kiwi +91-118 1520023934.9",
        b"IAMAT kiwi +34-118 1e9",
        b"iamat kiwi +34-118 1520023934.9",
        b"AT Hill +0.1 kiwi +34-118 1520023934.9",
        b"  WHATSAT  \t kiwi 51 5 ",
        b"WHATSAT kiwi 10 21",
        b"\xff\xfe caf\xc3\xa9",
        b"x",
    ] {
        client.send(&[command, b"\n"].concat()).await;
        assert_eq!(client.line().await, [b"? ", command].concat());
        client.send(&[command, b"\r\n"].concat()).await;
        assert_eq!(client.line().await, [b"? ", command].concat());
    }
    client.send(&[&long, &b"\n"[..]].concat()).await;
    assert_eq!(client.line().await, [b"? ", &long[..1024]].concat());
    // Blank lines get nothing.
    client.send(b"\n \t\x0b\x0c\r\n\r\n").await;
    client.report("kiwi", UCLA, TIME).await;
    client.half_close().await;
    assert_eq!(client.rest().await, b"");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_come_in_any_pieces_and_replies_in_order() {
    let herd = two().await;
    let text =
        format!("IAMAT a {UCLA} 1\nWHATSAT a 0 1\nwhat\n\nIAMAT b {UCLA} 2\r\nWHATSAT b 10 1");
    let mut all = Vec::new();
    for piece in [1, 7, text.len()] {
        let mut client = herd.client("Hill").await;
        for bytes in text.as_bytes().chunks(piece) {
            client.send(bytes).await;
        }
        // The last line has no LF; the end makes it one.
        client.half_close().await;
        let replies = String::from_utf8(client.rest().await).unwrap();
        let starts: Vec<&str> = replies
            .lines()
            .filter(|line| line.starts_with("AT ") || line.starts_with('?'))
            .map(|line| line.split(' ').nth(3).unwrap_or(line))
            .collect();
        assert_eq!(starts, ["a", "a", "? what", "b", "b"], "{replies}");
        assert!(replies.ends_with("}\n\n"), "{replies}");
        all.push(replies);
    }
    // A report that repeats the stored one does not replace it.
    let second_line = |replies: &str| replies.lines().nth(1).unwrap().to_owned();
    assert!(
        all.iter()
            .all(|replies| second_line(replies) == second_line(&all[0]))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grader_gets_each_reply_with_one_read() {
    let herd = Herd::five().await;
    let mut lines = Vec::new();
    for number in 0..50 {
        let mut client = herd.client("Jaquez").await;
        client
            .send(format!("IAMAT id{number} {UCLA} {TIME}\n").as_bytes())
            .await;
        client.half_close().await;
        let reply = String::from_utf8(client.read_once().await).unwrap();
        assert!(reply.starts_with("AT Jaquez +"), "{reply}");
        assert!(
            reply.ends_with(&format!(" id{number} {UCLA} {TIME}\n")),
            "{reply}"
        );
        lines.push(reply);
    }
    for (number, line) in lines.iter().enumerate() {
        herd.knows("Campbell", &format!("id{number}"), line.trim_end())
            .await;
        let mut client = herd.client("Campbell").await;
        client
            .send(format!("WHATSAT id{number} 10 20\n").as_bytes())
            .await;
        client.half_close().await;
        let reply = String::from_utf8(client.read_once().await).unwrap();
        let json = reply.strip_prefix(line.as_str()).unwrap();
        assert!(json.ends_with("\n\n"), "{json}");
        assert!(!json.trim_end().contains("\n\n"), "{json}");
        let _: serde_json::Value = serde_json::from_str(json).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_answers_before_it_has_a_link() {
    let mut herd = two().await;
    for name in ["Smith", "Hill"] {
        herd.server_mut(name).kill();
    }
    herd.server_mut("Hill").start();
    let address = herd.server("Hill").client_address();
    let connected = async {
        loop {
            if let Ok(client) = Client::try_connect(address).await {
                return client;
            }
            sleep(Duration::from_millis(2)).await;
        }
    };
    let mut client = within("Hill accepts", connected).await;
    let line = client.report("first", UCLA, TIME).await;
    assert_eq!(client.find("first").await, Some(line));
    assert!(herd.server("Hill").links().is_empty());
}
