//! Watches on all servers of a herd, while clients cross borders and servers die: the folded stream is the dump.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use herd_integration_tests::{Herd, Topology, Watching, eventually, within};
use tokio::task::JoinSet;

use crate::NAMES;
use crate::kills::seeded;
use crate::nearby::{CLIENTS, Held, corner, degrees, drive, kilometres};
use rand::RngExt as _;

/// Rounds of movement, in each of which a server dies and returns.
const ROUNDS: usize = 3;

/// Watchers that lose their server at the same moment.
const CROWD: usize = 10_000;

/// What is watched on each server: cities, a pole, 180 degrees, clients that move among them.
const SUBJECTS: [&str; 11] = [
    "ALL",
    "PREFIX van1",
    "CLIENT van7",
    "CLIENT nobody",
    "POINT +34.05-118.24 3",
    "POINT +89.98+0 4",
    "POINT +10+180 2.5",
    "WITHIN -0.02-0.02 +0.03+0.03",
    "WITHIN +9.98+179.98 +10.02-179.98",
    "NEARBY van4 3",
    "NEARBY van101 4",
];

/// A watch that moves on to another server when its server dies.
struct Moving {
    subject: &'static str,
    watching: Watching,
}

/// The clients that are to be known by a watch, and the AT line of the middle, where these are held.
fn expected(subject: &str, held: &[Held]) -> (BTreeMap<String, String>, Option<String>) {
    let fields: Vec<&str> = subject.split(' ').collect();
    let find = |id: &str| held.iter().find(|held| held.id == id);
    let at = |held: &Held| (held.latitude, held.longitude);
    let mut middle = None;
    let is_known: Box<dyn Fn(&Held) -> bool> = match fields[..] {
        ["ALL"] => Box::new(|_| true),
        ["PREFIX", prefix] => Box::new(move |held| held.id.starts_with(prefix)),
        ["CLIENT", id] => Box::new(move |held| held.id == id),
        ["POINT", point, radius_km] => {
            let (point, radius_km) = (degrees(point), radius_km.parse::<f64>().unwrap());
            Box::new(move |held| kilometres(point, at(held)) <= radius_km)
        }
        ["WITHIN", southwest, northeast] => {
            let (southwest, northeast) = (corner(southwest), corner(northeast));
            Box::new(move |held| {
                let (latitude, longitude) = at(held);
                let (east, west) = (longitude >= southwest.1, longitude <= northeast.1);
                let crosses = southwest.1 > northeast.1;
                (southwest.0..=northeast.0).contains(&latitude)
                    && if crosses { east || west } else { east && west }
            })
        }
        ["NEARBY", id, radius_km] => {
            let radius_km: f64 = radius_km.parse().unwrap();
            let center = find(id);
            middle = center.map(|center| center.at.clone());
            let center = center.map(at);
            Box::new(move |held| {
                let is_near =
                    center.is_some_and(|center| kilometres(center, at(held)) <= radius_km);
                is_near && held.id != id
            })
        }
        _ => unreachable!("{subject} is one of the above"),
    };
    let known = held.iter().filter(|held| is_known(held));
    let known = known.map(|held| (held.id.clone(), held.at.clone()));
    (known.collect(), middle)
}

impl Moving {
    async fn begin(address: SocketAddr, subject: &'static str) -> Self {
        let watching = Watching::begin(address, subject).await.unwrap();
        Moving { subject, watching }
    }

    /// Why it does not agree with what is held, if it does not.
    fn fault(&self, held: &[Held]) -> Option<String> {
        let folded = self.watching.folded();
        let (known, centre) = expected(self.subject, held);
        if let Some(fault) = folded.faults.first() {
            return Some(fault.clone());
        }
        if !folded.is_live || folded.known != known || folded.centre != centre {
            let [told, so] = [folded.known.len(), known.len()];
            return Some(format!("{}: {told} told, and {so} are so", self.subject));
        }
        None
    }

    async fn agrees(&self, held: &[Held]) {
        let agrees = async || self.fault(held).is_none();
        let what = format!("{} is told as it is: {:?}", self.subject, self.fault(held));
        eventually(what, agrees).await;
    }
}

async fn held_by(herd: &Herd, name: &str) -> Vec<Held> {
    let mut dump = herd.server(name).dump().await.unwrap();
    dump.sort();
    dump.iter().map(|line| Held::of(line)).collect()
}

/// Waits until all servers hold the same.
async fn quiet(herd: &Herd) -> Vec<Held> {
    eventually("the herd is quiet", async || {
        let first = held_by(herd, NAMES[0]).await;
        let mut are_same = first.len() == CLIENTS;
        for name in &NAMES[1..] {
            let other = held_by(herd, name).await;
            let pairs = first.iter().zip(&other);
            are_same &= other.len() == CLIENTS && pairs.into_iter().all(|(a, b)| a.at == b.at);
        }
        are_same
    })
    .await;
    held_by(herd, NAMES[0]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folded_streams_are_the_dumps_of_all_servers() {
    let mut rng = seeded();
    let mut herd = Herd::builder(Topology::five())
        .on_disk()
        .controlled()
        .start()
        .await;
    let mut watches: Vec<(usize, Moving)> = Vec::new();
    for (number, name) in NAMES.into_iter().enumerate() {
        for subject in SUBJECTS {
            let address = herd.server(name).client_address();
            watches.push((number, Moving::begin(address, subject).await));
        }
    }
    for round in 0..ROUNDS {
        let victim = rng.random_range(0..NAMES.len());
        let others: Vec<&str> = NAMES
            .into_iter()
            .filter(|name| *name != NAMES[victim])
            .collect();
        if round > 0 {
            herd.server_mut(NAMES[victim]).kill();
            for (number, watch) in watches.iter_mut().filter(|(number, _)| *number == victim) {
                within("the watch is over", async {
                    eventually("its connection ends", async || watch.watching.is_over()).await;
                })
                .await;
                *number = (victim + 1 + rng.random_range(0..NAMES.len() - 1)) % NAMES.len();
                let address = herd.server(NAMES[*number]).client_address();
                *watch = Moving::begin(address, watch.subject).await;
            }
        }
        drive(
            &herd,
            if round > 0 { &others } else { &NAMES },
            round,
            &mut rng,
        )
        .await;
        if round > 0 {
            herd.server_mut(NAMES[victim]).restart().await;
        }
        let held = quiet(&herd).await;
        for (_, watch) in &watches {
            watch.agrees(&held).await;
        }
    }
    // The check sees a line that did not come.
    let held = held_by(&herd, NAMES[0]).await;
    let all = &watches
        .iter()
        .find(|(_, watch)| watch.subject == "ALL")
        .unwrap()
        .1;
    all.watching.forget("van7");
    assert!(all.fault(&held).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_told_at_the_other_end_of_the_herd() {
    let mut herd = Herd::five().await;
    let mut watcher = herd.client("Campbell").await;
    watcher.send(b"WATCH NEARBY kiwi 5\n").await;
    assert_eq!(watcher.line().await, b"LIVE 0");
    let mut hill = herd.client("Hill").await;
    let kiwi = hill.report("kiwi", "+34.07-118.44", "1").await;
    assert_eq!(watcher.line().await, format!("CENTRE {kiwi}").as_bytes());
    let emu = herd
        .client("Jaquez")
        .await
        .report("emu", "+34.08-118.44", "1")
        .await;
    assert_eq!(watcher.line().await, format!("ENTER {emu}").as_bytes());
    let kiwi = hill.report("kiwi", "+35-118", "2").await;
    assert_eq!(watcher.line().await, format!("CENTRE {kiwi}").as_bytes());
    assert_eq!(watcher.line().await, format!("LEAVE {emu}").as_bytes());
    herd.server_mut("Campbell").terminate().await;
    assert_eq!(watcher.rest().await, b"END stopping\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_watchers_comes_back_at_once() {
    let mut herd = Herd::builder(Topology::five()).on_disk().start().await;
    let ids: Vec<String> = (0..CROWD).map(|number| format!("van{number}")).collect();
    let at = herd
        .client("Smith")
        .await
        .report_all(&ids, "+1+1", "1")
        .await;
    herd.knows("Smith", &ids[CROWD - 1], &at[CROWD - 1]).await;
    let address = herd.server("Smith").client_address();
    let mut before = Vec::new();
    for id in &ids {
        before.push(
            Watching::begin(address, &format!("CLIENT {id}"))
                .await
                .unwrap(),
        );
    }
    let all_live = async |watches: &[Watching]| {
        let are_live = async || watches.iter().all(|watch| watch.folded().is_live);
        eventually("all are told what is so", are_live).await;
    };
    all_live(&before).await;
    herd.server_mut("Smith").kill();
    herd.server_mut("Smith").restart().await;
    let mut coming = JoinSet::new();
    for id in ids.clone() {
        coming.spawn(async move { Watching::begin(address, &format!("CLIENT {id}")).await });
    }
    let mut after = Vec::new();
    while let Some(watching) = within("a watcher comes back", coming.join_next()).await {
        after.push(watching.unwrap().unwrap());
    }
    all_live(&after).await;
    let later = herd
        .client("Hill")
        .await
        .report_all(&ids, "+2+2", "2")
        .await;
    eventually("all are told of the change", async || {
        let told = after
            .iter()
            .flat_map(|watch| watch.folded().known.into_values());
        let mut told: Vec<String> = told.collect();
        let mut later = later.clone();
        told.sort();
        later.sort();
        told == later
    })
    .await;
    assert!(after.iter().all(|watch| watch.folded().faults.is_empty()));
}
