//! The same commands on a herd and on a Redis: the same replies, but for what docs/redis.md names.

use herd_integration_tests::redis::skipped;

use crate::Both;
use crate::speaking::{Speaking, Value};

/// How near two numbers have to be: a geohash of 52 bits rounds by up to 0.6 m, and the spheres differ by 0.03 %.
const RELATIVE: f64 = 0.001;
const DEGREES: f64 = 0.000_01;

/// What may differ in a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alike {
    /// Nothing.
    Exactly,
    /// Numbers in decimals, by what a geohash rounds and by the radius of the earth.
    Nearly,
    /// The words of an error, whose code is the same.
    InCode,
    /// All: the difference has a row in the table of docs/redis.md that holds this text.
    Named(&'static str),
}

use Alike::{Exactly, InCode, Named, Nearly};

/// On one connection, in this order.
const COMMANDS: &[(&str, Alike)] = &[
    ("PING", Exactly),
    ("PING hello", Exactly),
    ("ping a b", Exactly),
    ("ECHO hello", Exactly),
    ("ECHO", Exactly),
    ("SELECT 0", Exactly),
    ("SELECT 1", Named("`SELECT`")),
    ("SELECT x", Exactly),
    ("CLIENT GETNAME", Exactly),
    ("CLIENT SETNAME van", Exactly),
    ("CLIENT GETNAME", Exactly),
    ("CLIENT SETNAME \u{1}", Exactly),
    ("CLIENT FOO", InCode),
    ("AUTH secret", Exactly),
    ("AUTH default secret", Exactly),
    ("AUTH a b c", Exactly),
    ("HELLO 4", Exactly),
    ("HELLO x", Exactly),
    (
        "GEOADD fleet 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
        Exactly,
    ),
    ("GEOADD fleet 13.361389 38.115556 Palermo", Exactly),
    ("GEOADD fleet CH 13.361389 38.2 Palermo 1 1 new", Exactly),
    ("GEOADD fleet NX 5 5 Palermo 6 6 newer", Exactly),
    ("GEOADD fleet XX 5 5 nobody", Exactly),
    ("GEOADD fleet XX CH 13.361389 38.115556 Palermo", Exactly),
    ("GEOADD fleet NX XX 5 5 a", Exactly),
    ("GEOADD fleet 5 5", Exactly),
    ("GEOADD fleet 5 5 a 6", Exactly),
    ("GEOADD fleet x 5 a", Exactly),
    ("GEOADD fleet 5 x a", Exactly),
    ("GEOADD fleet 181 5 a", Exactly),
    ("GEOADD fleet 5 91 a", Exactly),
    ("GEOADD fleet 5 89 pole", Named("latitude")),
    ("ZREM fleet pole", Named("latitude")),
    ("GEOADD fleet 1e1 .5 sci", Exactly),
    ("GEOADD fleet nan 5 a", Exactly),
    ("GEOADD fleet inf 5 a", Exactly),
    ("GEOADD fleet 1 2 a 200 3 b", Exactly),
    ("GEOPOS fleet a", Exactly),
    ("GEOPOS fleet", Exactly),
    ("GEOPOS nokey nobody", Exactly),
    ("GEOPOS fleet Palermo nobody Catania", Nearly),
    ("GEODIST fleet Palermo Catania", Nearly),
    ("GEODIST fleet Palermo Catania km", Nearly),
    ("GEODIST fleet Palermo Catania FT", Nearly),
    ("GEODIST fleet Palermo Catania mi", Nearly),
    ("GEODIST fleet Palermo Catania xx", Exactly),
    ("GEODIST fleet Palermo nobody", Exactly),
    ("GEODIST fleet Palermo", Exactly),
    ("GEODIST fleet Palermo Catania km x", Exactly),
    ("GEODIST nokey a b", Exactly),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYRADIUS 200 km ASC",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYRADIUS 200 km DESC",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHDIST WITHCOORD",
        Nearly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYRADIUS 200 km ASC COUNT 1",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYRADIUS 200 km DESC COUNT 1",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYRADIUS 200 km COUNT 1",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYRADIUS 200 km COUNT 1 ANY",
        Named("`ANY`"),
    ),
    (
        "GEOSEARCH fleet FROMMEMBER Palermo BYRADIUS 200 km ASC WITHDIST",
        Nearly,
    ),
    (
        "GEOSEARCH fleet FROMMEMBER nobody BYRADIUS 200 km ASC",
        Exactly,
    ),
    (
        "GEOSEARCH nokey FROMMEMBER nobody BYRADIUS 200 km ASC",
        Named("`FROMMEMBER`"),
    ),
    (
        "GEOSEARCH nokey FROMLONLAT 15 37 BYRADIUS 200 km ASC",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHDIST",
        Nearly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYBOX 100 400 km ASC",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYBOX 400 100 km ASC",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYBOX 300000 240000 m DESC",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYBOX 150 180 mi ASC",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYRADIUS 600000 ft ASC",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYRADIUS -1 km ASC",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYRADIUS x km ASC",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYRADIUS 1 xx ASC",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYBOX -1 1 km ASC",
        Exactly,
    ),
    ("GEOSEARCH fleet FROMLONLAT 15 37 BYBOX x 1 km ASC", Exactly),
    ("GEOSEARCH fleet FROMLONLAT 15 37 BYBOX 1 x km ASC", Exactly),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYRADIUS 1 km COUNT 0",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYRADIUS 1 km COUNT -1",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYRADIUS 1 km COUNT x",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYRADIUS 1 km COUNT 10001",
        Named("10,000"),
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYRADIUS 1 km ANY",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYRADIUS 1 km FOO",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYRADIUS 1 km COUNT",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 ASC WITHDIST WITHCOORD",
        Exactly,
    ),
    (
        "GEOSEARCH fleet BYRADIUS 1 km ASC WITHDIST WITHCOORD",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 FROMMEMBER Palermo BYRADIUS 1 km",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYBOX 1 1 km BYRADIUS 1 km",
        Exactly,
    ),
    (
        "GEOSEARCH fleet FROMLONLAT 181 37 BYRADIUS 1 km ASC",
        Exactly,
    ),
    ("GEOSEARCH fleet FROMLONLAT x 37 BYRADIUS 1 km ASC", Exactly),
    ("GEOSEARCH fleet FROMLONLAT 15", Exactly),
    (
        "GEOSEARCH fleet FROMLONLAT 15 37 BYRADIUS 200 km WITHHASH",
        Named("`WITHHASH`"),
    ),
    ("ZCARD fleet", Exactly),
    ("ZCARD nokey", Exactly),
    ("ZCARD", Exactly),
    ("EXISTS fleet", Exactly),
    ("EXISTS fleet nokey fleet", Exactly),
    ("TYPE fleet", Exactly),
    ("TYPE nokey", Exactly),
    ("ZREM fleet Palermo nobody", Exactly),
    ("ZREM fleet Palermo", Exactly),
    ("ZREM fleet", Exactly),
    ("ZREM nokey a", Exactly),
    ("GEOPOS fleet Palermo", Exactly),
    ("GEOADD fleet 1 1 Palermo", Exactly),
    ("ZCARD fleet", Exactly),
    ("ZREM fleet Palermo Catania new newer sci a", Exactly),
    ("EXISTS fleet", Exactly),
    ("TYPE fleet", Exactly),
    ("FOO bar", InCode),
    ("COMMAND INFO nothing", Exactly),
    ("COMMAND FOO", InCode),
    ("RESET", Exactly),
    ("QUIT", Exactly),
    ("PING", Exactly),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_are_those_of_redis_in_both_versions() {
    if skipped() {
        return;
    }
    let both = Both::start().await;
    for version in [2, 3] {
        let [mut herd, mut redis] = both.addresses().map(Speaking::connect);
        for connection in [&mut herd, &mut redis] {
            connection.ask(&format!("HELLO {version}"));
        }
        for &(command, alike) in COMMANDS {
            // Behind QUIT the connection may be gone for writes too.
            let (told, expected) = (herd.try_ask(command), redis.try_ask(command));
            assert!(
                are_alike(&told, &expected, alike),
                "RESP{version}, {command}: herd says {told:?}, Redis says {expected:?}"
            );
        }
    }
}

fn are_alike(told: &Value, expected: &Value, alike: Alike) -> bool {
    match (alike, told, expected) {
        (Exactly, ..) => told == expected,
        (Named(_), ..) => true,
        (InCode, Value::Text('-', a), Value::Text('-', b)) => code(a) == code(b),
        (Nearly, Value::Many(a, told), Value::Many(b, expected)) => {
            let mut pairs = told.iter().zip(expected);
            a == b
                && told.len() == expected.len()
                && pairs.all(|(told, expected)| are_alike(told, expected, alike))
        }
        (Nearly, Value::Text(a, told), Value::Text(b, expected)) => {
            a == b && are_near(told, expected)
        }
        _ => told == expected,
    }
}

fn code(error: &str) -> Option<&str> {
    error.split(' ').next()
}

fn are_near(told: &str, expected: &str) -> bool {
    match (told.parse::<f64>(), expected.parse::<f64>()) {
        (Ok(told), Ok(expected)) => {
            let apart = (told - expected).abs();
            apart <= DEGREES || apart <= RELATIVE * expected.abs()
        }
        _ => told == expected,
    }
}

#[test]
fn every_named_difference_is_in_the_document() {
    let document = include_str!("../../../docs/redis.md");
    let rows: Vec<&str> = document
        .lines()
        .filter(|line| line.starts_with("| "))
        .collect();
    for (command, alike) in COMMANDS {
        if let Named(what) = alike {
            let is_named = rows.iter().any(|row| row.contains(what));
            assert!(is_named, "{command}: no row of docs/redis.md has {what}");
        }
    }
}

/// Commands of the catalogue and others of Redis that people may try are refused with a reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_herd_lacks_is_refused_and_changes_nothing() {
    let herd = crate::herd().await;
    let mut client = Speaking::connect(crate::hill(&herd));
    client.ask("GEOADD fleet 1 1 a");
    for command in [
        "DEL fleet",
        "GEOSEARCHSTORE a fleet FROMMEMBER a BYRADIUS 1 km",
        "GEORADIUS fleet 1 1 1 km",
        "GEOHASH fleet a",
        "ZADD fleet 1 a",
        "FLUSHALL",
        "SET a b",
        "MULTI",
        "SUBSCRIBE x",
        "CONFIG GET save",
    ] {
        let told = client.ask(command);
        let Value::Text('-', text) = &told else {
            panic!("{command}: {told:?}");
        };
        assert!(
            text.contains("is not a command of herd: "),
            "{command}: {text}"
        );
    }
    assert_eq!(client.ask("ZCARD fleet"), Value::Text(':', "1".to_owned()));
}
