//! How the cost of a herd grows with its servers: pushes, rounds and bytes of one record, and of many.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use herd_acknowledgement::AckLevel;
use herd_crdt::{Record, ServerName};
use herd_gossip::link::offer::Offer;
use herd_gossip::links::HerdView;
use herd_gossip::neighbour::NeighbourConfig;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use tokio::time::{Instant, sleep};

use super::clock::{START_S, SimClock};
use super::network::SimNetwork;
use super::process::{Process, Start};

/// Set for the whole table, of herds of up to 50 servers.
const TABLE_VARIABLE: &str = "HERD_SIM_GROWING";

/// Nothing takes this long, however large the herd.
const PATIENCE: Duration = Duration::from_secs(600);

/// Until heartbeats and failure detection have settled.
const SETTLING: Duration = Duration::from_secs(10);

/// How long an idle herd and one under load are watched.
const WATCHED: Duration = Duration::from_secs(10);

/// Records whose way is watched one by one.
const PROBES: usize = 20;

/// The load, over the whole herd.
const UPDATES_PER_SECOND: usize = 1_000;
const CLIENTS: usize = 1_000;
/// It comes in pieces.
const PIECES_PER_SECOND: usize = 100;

type Links = BTreeSet<(usize, usize)>;

/// What one herd cost.
#[derive(Debug)]
struct Cost {
    /// One record, until all servers have it: the mean time, and what the whole herd sent on average.
    spread: Duration,
    spread_sent: Sent,
    /// What a server sends each second, on average.
    idle: Sent,
    loaded: Sent,
}

/// What servers began, and bytes that they sent.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    pushes: u64,
    rounds: u64,
    bytes: u64,
}

impl Sent {
    fn map(self, of: impl Fn(u64) -> u64) -> Sent {
        Sent {
            pushes: of(self.pushes),
            rounds: of(self.rounds),
            bytes: of(self.bytes),
        }
    }
}

struct Herd {
    processes: Vec<Process>,
    names: Vec<ServerName>,
}

fn ring(servers: usize) -> Links {
    (0..servers)
        .map(|from| link(from, (from + 1) % servers))
        .collect()
}

/// Each server has up to two below it.
fn tree(servers: usize) -> Links {
    (1..servers)
        .map(|from| link(from, (from - 1) / 2))
        .collect()
}

/// Two rings over the same servers, the second one in random order: almost every server has degree 4.
fn random_of_degree_4(servers: usize) -> Links {
    let mut order: Vec<usize> = (0..servers).collect();
    order.shuffle(&mut StdRng::seed_from_u64(4));
    let second = ring(servers);
    let second = second.iter().map(|&(a, b)| link(order[a], order[b]));
    second.chain(ring(servers)).collect()
}

fn link(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

impl Herd {
    fn start(servers: usize, links: &Links) -> Herd {
        let network = SimNetwork::new(1);
        let names: Vec<ServerName> = (0..servers)
            .map(|n| format!("server{n:02}").into())
            .collect();
        let clock = Arc::new(SimClock::new(Instant::now()));
        let processes = (0..servers).map(|me| {
            let neighbours = links.iter().filter_map(|&(a, b)| match me {
                _ if me == a => Some((b, true)),
                _ if me == b => Some((a, false)),
                _ => None,
            });
            let neighbours = neighbours.map(|(other, dials)| NeighbourConfig {
                name: names[other].clone(),
                address: names[other].to_string(),
                dials,
            });
            Process::start(Start {
                view: HerdView {
                    cluster: "growing".to_owned(),
                    me: names[me].clone(),
                    servers: names.clone(),
                    neighbours: neighbours.collect(),
                },
                level: AckLevel::Memory,
                clock: clock.clone(),
                disk: None,
                network: &network,
                offer: Offer::PRESENT,
                seed: me as u64,
            })
        });
        Herd {
            processes: processes.collect(),
            names,
        }
    }

    fn report(&self, server: usize, client: usize, time_ms: usize) {
        let time = format!(
            "{}.{:03}",
            START_S as usize + time_ms / 1_000,
            time_ms % 1_000
        );
        let record = Record::new(
            format!("client{client:06}.example.com").as_bytes(),
            b"+34.068930-118.445127",
            time.as_bytes(),
            self.names[server].clone(),
            0,
        );
        self.processes[server].locations.report(record.unwrap());
    }

    async fn all_hold(&self, clients: usize) {
        let start = Instant::now();
        while self.processes.iter().any(|p| p.locations.len() < clients) {
            assert!(start.elapsed() < PATIENCE, "not all hold {clients} clients");
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// By all servers so far.
    fn sent(&self) -> Sent {
        let mut sent = Sent::default();
        for neighbour in self.processes.iter().flat_map(|p| p.links.neighbours()) {
            let counts = &neighbour.counts;
            sent.pushes += counts.pushes.load(Ordering::Relaxed);
            sent.rounds += counts.rounds.load(Ordering::Relaxed);
            sent.bytes += counts.bytes_sent.load(Ordering::Relaxed);
        }
        sent
    }

    /// The same of the time that `during` takes.
    async fn sent_during(&self, during: impl Future<Output = ()>) -> Sent {
        let before = self.sent();
        during.await;
        let after = self.sent();
        Sent {
            pushes: after.pushes - before.pushes,
            rounds: after.rounds - before.rounds,
            bytes: after.bytes - before.bytes,
        }
    }
}

async fn measure(servers: usize, links: &Links) -> Cost {
    let herd = Herd::start(servers, links);
    herd.report(0, 0, 0);
    herd.all_hold(1).await;
    sleep(SETTLING).await;
    let per_server_second = |count: u64| count / servers as u64 / WATCHED.as_secs();
    let idle = herd.sent_during(sleep(WATCHED)).await;

    let mut spread = Duration::ZERO;
    let mut spread_sent = Sent::default();
    for probe in 1..=PROBES {
        let start = Instant::now();
        let spreading = async {
            herd.report(probe * 7 % servers, probe, probe);
            herd.all_hold(probe + 1).await;
        };
        let sent = herd.sent_during(spreading).await;
        spread += start.elapsed() / PROBES as u32;
        spread_sent.pushes += sent.pushes;
        spread_sent.rounds += sent.rounds;
        spread_sent.bytes += sent.bytes;
        // Not in step with the rounds of an idle herd.
        sleep(Duration::from_millis(1_000 + 37 * probe as u64)).await;
    }

    let load = async {
        for piece in 0..PIECES_PER_SECOND * WATCHED.as_secs() as usize {
            for number in 0..UPDATES_PER_SECOND / PIECES_PER_SECOND {
                let update = piece * (UPDATES_PER_SECOND / PIECES_PER_SECOND) + number;
                herd.report(update % servers, update % CLIENTS, 1_000_000 + update);
            }
            sleep(Duration::from_millis(1_000 / PIECES_PER_SECOND as u64)).await;
        }
    };
    let loaded = herd.sent_during(load).await;
    herd.all_hold(CLIENTS).await;
    Cost {
        spread,
        spread_sent: spread_sent.map(|count| count / PROBES as u64),
        idle: idle.map(per_server_second),
        loaded: loaded.map(per_server_second),
    }
}

/// On a runtime of its own, whose time is paused.
fn cost_of(servers: usize, links: &Links) -> Cost {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(measure(servers, links))
}

#[test]
fn a_record_costs_a_push_or_two_on_each_link() {
    if std::env::var_os(TABLE_VARIABLE).is_some() {
        return print_table();
    }
    let links = ring(5);
    let cost = cost_of(5, &links);
    // Flooding takes two hops here, of 2 ms at most for a message; idle rounds alone would take half a second for each.
    assert!(cost.spread < Duration::from_millis(20), "{cost:?}");
    assert!(cost.spread_sent.pushes >= 4, "{cost:?}");
    assert!(
        cost.spread_sent.pushes <= 2 * links.len() as u64,
        "{cost:?}"
    );
    assert!(cost.loaded.bytes > cost.idle.bytes, "{cost:?}");
}

fn print_table() {
    println!(
        "| servers | links | hops | one record: ms | pushes | bytes | idle: bytes/s | load: bytes/s | pushes/s | rounds/s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for servers in [5, 10, 20, 50] {
        let shapes: [(&str, Links); 3] = [
            ("ring", ring(servers)),
            ("tree", tree(servers)),
            ("random of degree 4", random_of_degree_4(servers)),
        ];
        for (shape, links) in shapes {
            let cost = cost_of(servers, &links);
            println!(
                "| {servers} | {shape}, {} | {} | {:.1} | {} | {} | {} | {} | {} | {} |",
                links.len(),
                diameter(servers, &links),
                cost.spread.as_secs_f64() * 1_000.0,
                cost.spread_sent.pushes,
                cost.spread_sent.bytes,
                cost.idle.bytes,
                cost.loaded.bytes,
                cost.loaded.pushes,
                cost.loaded.rounds,
            );
        }
    }
}

/// The most hops between two servers.
fn diameter(servers: usize, links: &Links) -> usize {
    let far = |start: usize| {
        let mut reached = BTreeSet::from([start]);
        let mut hops = 0;
        while reached.len() < servers {
            let next: Vec<usize> = links
                .iter()
                .flat_map(|&(a, b)| [(a, b), (b, a)])
                .filter(|(from, _)| reached.contains(from))
                .map(|(_, to)| to)
                .collect();
            reached.extend(next);
            hops += 1;
        }
        hops
    };
    (0..servers).map(far).max().unwrap_or(0)
}
