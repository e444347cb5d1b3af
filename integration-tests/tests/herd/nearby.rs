//! Searches for clients: every server gives the answer that follows from its own dump.

use std::fmt::Write as _;

use herd_integration_tests::{Client, Herd, Topology, eventually};
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::NAMES;
use crate::kills::seeded;

pub(super) const CLIENTS: usize = 400;

/// Rounds of movement, in each of which a server dies and returns.
const ROUNDS: usize = 4;

/// The mean radius of the earth, in kilometres.
const EARTH_RADIUS_KM: f64 = 6_371.008_8;

/// Around these clients drive: a city, a pole, the antimeridian, and the corner of hemispheres.
pub(super) const PLACES: [(f64, f64); 4] =
    [(34.05, -118.24), (89.98, 0.0), (10.0, 180.0), (0.0, 0.0)];

/// A record, as a line of a dump says it.
pub(super) struct Held {
    pub(super) at: String,
    pub(super) id: String,
    pub(super) latitude: f64,
    pub(super) longitude: f64,
}

impl Held {
    pub(super) fn of(line: &[u8]) -> Self {
        let at = String::from_utf8(line.to_vec()).unwrap();
        let fields: Vec<&str> = at.split(' ').collect();
        let (latitude, longitude) = degrees(fields[4]);
        Held {
            id: fields[3].to_owned(),
            at,
            latitude,
            longitude,
        }
    }
}

/// Of `+34.07-118.44`; at a pole every longitude is 0.
pub(super) fn degrees(location: &str) -> (f64, f64) {
    let middle = 1 + location[1..].find(['+', '-']).unwrap();
    let (latitude, longitude) = location.split_at(middle);
    let latitude: f64 = latitude.parse().unwrap();
    let is_pole = latitude.abs() == 90.0;
    (
        latitude,
        if is_pole {
            0.0
        } else {
            longitude.parse().unwrap()
        },
    )
}

/// The same with the longitude that was given.
pub(super) fn corner(location: &str) -> (f64, f64) {
    let middle = 1 + location[1..].find(['+', '-']).unwrap();
    (degrees(location).0, location[middle..].parse().unwrap())
}

pub(super) fn kilometres(from: (f64, f64), to: (f64, f64)) -> f64 {
    let latitude = (from.0 - to.0).to_radians() / 2.0;
    let longitude = (from.1 - to.1).to_radians() / 2.0;
    let cosines = from.0.to_radians().cos() * to.0.to_radians().cos();
    let haversine = latitude.sin().powi(2) + cosines * longitude.sin().powi(2);
    2.0 * EARTH_RADIUS_KM * haversine.clamp(0.0, 1.0).sqrt().asin()
}

pub(super) fn location(latitude: f64, longitude: f64) -> String {
    let longitude = if longitude > 180.0 {
        longitude - 360.0
    } else {
        longitude
    };
    format!("{:+.6}{longitude:+.6}", latitude.min(90.0))
}

/// A question, with its operands.
enum Question {
    Around {
        center: (f64, f64),
        radius_km: f64,
        limit: usize,
        line: String,
    },
    AroundClient {
        id: String,
        radius_km: f64,
        limit: usize,
    },
    Between {
        southwest: (f64, f64),
        northeast: (f64, f64),
        limit: usize,
        line: String,
    },
}

fn question(rng: &mut StdRng) -> Question {
    let place = PLACES[rng.random_range(0..PLACES.len())];
    let limit = [0, 1, 5, 50, 1_000][rng.random_range(0..5)];
    let radius_km = [0.5, 3.0, 50.0, 20_100.0][rng.random_range(0..4)];
    match rng.random_range(0..3) {
        0 => {
            let text = location(place.0, place.1);
            Question::Around {
                center: degrees(&text),
                radius_km,
                limit,
                line: format!("NEARBY POINT {text} {radius_km} {limit}"),
            }
        }
        1 => Question::AroundClient {
            id: format!("van{}", rng.random_range(0..CLIENTS)),
            radius_km,
            limit,
        },
        _ => {
            let size = rng.random_range(0.0..0.1);
            let southwest = location(place.0 - size, place.1 - size);
            let northeast = location(place.0 + size, place.1 + size);
            Question::Between {
                southwest: corner(&southwest),
                northeast: corner(&northeast),
                limit,
                line: format!("WITHIN {southwest} {northeast} {limit}"),
            }
        }
    }
}

impl Question {
    fn line(&self) -> String {
        match self {
            Question::Around { line, .. } | Question::Between { line, .. } => line.clone(),
            Question::AroundClient {
                id,
                radius_km,
                limit,
            } => {
                format!("NEARBY CLIENT {id} {radius_km} {limit}")
            }
        }
    }

    /// The reply of a server that holds these.
    fn expected(&self, held: &[Held]) -> String {
        match self {
            Question::Around {
                center,
                radius_km,
                limit,
                ..
            } => around(held, *center, *radius_km, *limit, None),
            Question::AroundClient {
                id,
                radius_km,
                limit,
            } => {
                let center = held.iter().find(|held| held.id == *id).unwrap();
                let center = (center.latitude, center.longitude);
                around(held, center, *radius_km, *limit, Some(id))
            }
            Question::Between {
                southwest,
                northeast,
                limit,
                ..
            } => {
                let mut inside: Vec<&Held> = held
                    .iter()
                    .filter(|held| (southwest.0..=northeast.0).contains(&held.latitude))
                    .filter(|held| {
                        let east_of_west = held.longitude >= southwest.1;
                        let west_of_east = held.longitude <= northeast.1;
                        let is_pole = held.latitude.abs() == 90.0;
                        match southwest.1 > northeast.1 {
                            _ if is_pole => true,
                            true => east_of_west || west_of_east,
                            false => east_of_west && west_of_east,
                        }
                    })
                    .collect();
                inside.sort_by(|a, b| a.id.cmp(&b.id));
                let lines = inside.iter().map(|held| format!("{}\n", held.at));
                reply("IN", lines, inside.len(), *limit)
            }
        }
    }
}

fn around(
    held: &[Held],
    center: (f64, f64),
    radius_km: f64,
    limit: usize,
    except: Option<&String>,
) -> String {
    let mut near: Vec<(f64, &Held)> = held
        .iter()
        .filter(|held| Some(&held.id) != except)
        .map(|held| (kilometres(center, (held.latitude, held.longitude)), held))
        .filter(|(distance_km, _)| *distance_km <= radius_km)
        .collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.id.cmp(&b.1.id)));
    let lines = near
        .iter()
        .map(|(distance_km, held)| format!("{distance_km:.6} {}\n", held.at));
    reply("NEAR", lines, near.len(), limit)
}

fn reply(word: &str, lines: impl Iterator<Item = String>, all: usize, limit: usize) -> String {
    let end = if all > limit { "more" } else { "complete" };
    let mut reply = format!("{word} {} {end}\n", all.min(limit));
    lines.take(limit).for_each(|line| reply.push_str(&line));
    reply.push('\n');
    reply
}

/// The whole reply to a question.
async fn ask(client: &mut Client, line: &str) -> String {
    client.send(format!("{line}\n").as_bytes()).await;
    let mut reply = String::new();
    loop {
        let line = String::from_utf8(client.line().await).unwrap();
        writeln!(reply, "{line}").unwrap();
        if line.is_empty() || line.starts_with('?') {
            return reply;
        }
    }
}

/// Every client drives on, and is reported anywhere.
pub(super) async fn drive(herd: &Herd, servers: &[&str], round: usize, rng: &mut StdRng) {
    for number in 0..CLIENTS {
        // Some stay, and some stand at one place.
        if round > 0 && rng.random_range(0..3) == 0 {
            continue;
        }
        let place = PLACES[number % PLACES.len()];
        let spread = if number < 40 { 0.0 } else { 0.05 };
        let mut aside = || spread * (rng.random_range(0.0..2.0) - 1.0);
        let at = location(place.0 + aside(), place.1 + aside());
        let server = servers[rng.random_range(0..servers.len())];
        let (id, time) = (
            format!("van{number}"),
            format!("{}.5", 1_520_000_000 + round),
        );
        herd.client(server).await.report(&id, &at, &time).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_those_of_a_look_at_every_record() {
    let mut rng = seeded();
    let mut herd = Herd::builder(Topology::five())
        .on_disk()
        .controlled()
        .start()
        .await;
    for round in 0..ROUNDS {
        let victim = NAMES[rng.random_range(0..NAMES.len())];
        let others: Vec<&str> = NAMES.into_iter().filter(|name| *name != victim).collect();
        if round > 0 {
            herd.server_mut(victim).kill();
        }
        drive(
            &herd,
            if round > 0 { &others } else { &NAMES },
            round,
            &mut rng,
        )
        .await;
        if round > 0 {
            herd.server_mut(victim).restart().await;
        }
        eventually("the herd is quiet", async || {
            let mut dumps = Vec::new();
            for name in NAMES {
                let mut dump = herd.server(name).dump().await.unwrap();
                dump.sort();
                dumps.push(dump);
            }
            dumps[0].len() == CLIENTS && dumps.iter().all(|dump| *dump == dumps[0])
        })
        .await;
        for name in NAMES {
            let dump = herd.server(name).dump().await.unwrap();
            let held: Vec<Held> = dump.iter().map(|line| Held::of(line)).collect();
            let mut client = herd.client(name).await;
            for _ in 0..60 {
                let question = question(&mut rng);
                let line = question.line();
                assert_eq!(
                    ask(&mut client, &line).await,
                    question.expected(&held),
                    "{name}: {line}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_of_the_protocol_is_answered_on_every_server() {
    let herd = Herd::five().await;
    let kiwi = herd
        .client("Hill")
        .await
        .report("kiwi", "+34.068930-118.445127", "1520023934")
        .await;
    let emu = herd
        .client("Jaquez")
        .await
        .report("emu", "+34.0797-118.4453", "1520023999")
        .await;
    for name in NAMES {
        herd.knows(name, "kiwi", &kiwi).await;
        herd.knows(name, "emu", &emu).await;
        let mut client = herd.client(name).await;
        let near = ask(&mut client, "NEARBY POINT +34.068930-118.445127 5 10").await;
        assert_eq!(
            near,
            format!("NEAR 2 complete\n0.000000 {kiwi}\n1.197677 {emu}\n\n")
        );
        let near = ask(&mut client, "NEARBY CLIENT emu * 1").await;
        assert_eq!(near, format!("NEAR 1 complete\n1.197677 {kiwi}\n\n"));
        let within = ask(&mut client, "WITHIN +34-119 +35-118 1").await;
        assert_eq!(within, format!("IN 1 more\n{emu}\n\n"));
        assert_eq!(
            ask(&mut client, "NEARBY CLIENT moa 1 1").await,
            "? NEARBY CLIENT moa 1 1\n"
        );
    }
}
