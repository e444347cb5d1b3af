//! How the cost of a herd grows with its servers: rounds and bytes of one record, and of many.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use herd_crdt::{Record, ServerName};
use herd_node::acknowledgement::AckLevel;
use herd_node::replication::links::HerdView;
use herd_node::replication::neighbour::NeighbourConfig;
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
    /// One record, until all servers have it: the mean time, rounds and bytes, of the whole herd.
    spread: Duration,
    spread_rounds: u64,
    spread_bytes: u64,
    /// Bytes that a server sends each second, on average.
    idle_bytes: u64,
    loaded_bytes: u64,
    /// And rounds that it begins.
    loaded_rounds: u64,
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

    /// Rounds begun and bytes sent so far, by all servers.
    fn sent(&self) -> (u64, u64) {
        let counts = self.processes.iter().flat_map(|p| p.links.neighbours());
        counts.fold((0, 0), |(rounds, bytes), neighbour| {
            let counts = &neighbour.counts;
            (
                rounds + counts.rounds.load(Ordering::Relaxed),
                bytes + counts.bytes_sent.load(Ordering::Relaxed),
            )
        })
    }

    /// The same of the time that `during` takes.
    async fn sent_during(&self, during: impl Future<Output = ()>) -> (u64, u64) {
        let before = self.sent();
        during.await;
        let after = self.sent();
        (after.0 - before.0, after.1 - before.1)
    }
}

async fn measure(servers: usize, links: &Links) -> Cost {
    let herd = Herd::start(servers, links);
    herd.report(0, 0, 0);
    herd.all_hold(1).await;
    sleep(SETTLING).await;
    let per_server_second = |count: u64| count / servers as u64 / WATCHED.as_secs();
    let (_, idle_bytes) = herd.sent_during(sleep(WATCHED)).await;

    let mut cost = Cost {
        spread: Duration::ZERO,
        spread_rounds: 0,
        spread_bytes: 0,
        idle_bytes: per_server_second(idle_bytes),
        loaded_bytes: 0,
        loaded_rounds: 0,
    };
    for probe in 1..=PROBES {
        let start = Instant::now();
        let spreading = async {
            herd.report(probe * 7 % servers, probe, probe);
            herd.all_hold(probe + 1).await;
        };
        let (rounds, bytes) = herd.sent_during(spreading).await;
        cost.spread += start.elapsed() / PROBES as u32;
        cost.spread_rounds += rounds;
        cost.spread_bytes += bytes;
        // Not in step with the rounds of an idle herd.
        sleep(Duration::from_millis(1_000 + 37 * probe as u64)).await;
    }
    cost.spread_rounds /= PROBES as u64;
    cost.spread_bytes /= PROBES as u64;

    let load = async {
        for piece in 0..PIECES_PER_SECOND * WATCHED.as_secs() as usize {
            for number in 0..UPDATES_PER_SECOND / PIECES_PER_SECOND {
                let update = piece * (UPDATES_PER_SECOND / PIECES_PER_SECOND) + number;
                herd.report(update % servers, update % CLIENTS, 1_000_000 + update);
            }
            sleep(Duration::from_millis(1_000 / PIECES_PER_SECOND as u64)).await;
        }
    };
    let (rounds, bytes) = herd.sent_during(load).await;
    herd.all_hold(CLIENTS).await;
    cost.loaded_bytes = per_server_second(bytes);
    cost.loaded_rounds = per_server_second(rounds);
    cost
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
fn a_record_crosses_the_herd_at_once_and_costs_a_few_rounds_on_each_link() {
    if std::env::var_os(TABLE_VARIABLE).is_some() {
        return print_table();
    }
    let links = ring(5);
    let cost = cost_of(5, &links);
    // Flooding takes two hops here, of 2 ms at most for each of three messages and 5 ms between rounds; idle
    // rounds alone would take half a second for each.
    assert!(cost.spread < Duration::from_millis(100), "{cost:?}");
    assert!(cost.spread_rounds >= 4, "{cost:?}");
    assert!(cost.spread_rounds <= 8 * links.len() as u64, "{cost:?}");
    assert!(cost.loaded_bytes > cost.idle_bytes, "{cost:?}");
}

fn print_table() {
    println!(
        "| servers | links | hops | one record: ms | rounds | bytes | idle: bytes/s | load: bytes/s | rounds/s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for servers in [5, 10, 20, 50] {
        let shapes: [(&str, Links); 3] = [
            ("ring", ring(servers)),
            ("tree", tree(servers)),
            ("random of degree 4", random_of_degree_4(servers)),
        ];
        for (shape, links) in shapes {
            let cost = cost_of(servers, &links);
            println!(
                "| {servers} | {shape}, {} | {} | {:.1} | {} | {} | {} | {} | {} |",
                links.len(),
                diameter(servers, &links),
                cost.spread.as_secs_f64() * 1_000.0,
                cost.spread_rounds,
                cost.spread_bytes,
                cost.idle_bytes,
                cost.loaded_bytes,
                cost.loaded_rounds,
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
