//! Strangers do their worst to one server of a herd, all at the same time, while honest clients go on.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attackers;
mod evil;
mod honest;
mod memory;
mod neighbour;
mod peers;
mod redis_clients;
mod speaker;
mod wire;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use herd_integration_tests::redis::resp_address;
use herd_integration_tests::{Addresses, Herd, Topology, eventually, series, within};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustix::process::setpriority_process;
use tokio::runtime::{self, Handle};
use tokio::task::JoinSet;

use crate::honest::Honest;

/// Connections of a crowd, if the system lets a process have so many descriptors.
const CROWD: usize = 10_000;

/// Descriptors that all else takes.
const OTHER_DESCRIPTORS: usize = 1_500;

/// How many clients a server is told to hold at most.
const CLIENTS_MAX: usize = 20_000;

/// What all attacks but the crowd's may add to the memory of the server that they hit, in KiB.
const ADDED_KIB_MAX: u64 = 160_000;

/// Replies that nobody reads take less than all else, so that the other memory shows.
const REPLY_BYTES_MAX: &str = "--reply-bytes-max=33554432";

/// Real attackers have machines of their own, and use the server's cores only by their messages. Here they share the
/// same cores, with the low priority of the server's threads for bulk.
const ATTACKERS_NICE: i32 = 10;

/// Honest exchanges before the attacks, and as many during them: at least ten seconds of either.
const EXCHANGES: usize = 2_000;

// The honest clients have a thread of their own, this one: the time of the attackers must not count.
#[tokio::test]
async fn under_all_attacks_at_once_honest_clients_are_served() {
    let strangers = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .on_thread_start(|| setpriority_process(None, ATTACKERS_NICE).unwrap())
        .enable_all()
        .build()
        .unwrap();
    // One after the other: each takes the machine as a whole.
    let handle = strangers.handle();
    attacked(None, Crowd::Idle, handle).await;
    attacked(Some("--commands-per-second=5000"), Crowd::Idle, handle).await;
    attacked(None, Crowd::UnreadPipelines, handle).await;
    strangers.shutdown_background();
}

/// Ten thousand connections beside all else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crowd {
    /// Of the text protocol. They say nothing.
    Idle,
    /// Of Redis clients. They send searches, and read no reply.
    UnreadPipelines,
}

impl Crowd {
    /// What a connection may take, in KiB.
    fn connection_kib_max(self) -> u64 {
        match self {
            Crowd::Idle => 16,
            // The replies that do not count among those of all connections, twice as they grow, and what was read.
            Crowd::UnreadPipelines => 32,
        }
    }
}

/// The attacks on a herd whose limits are the usual ones, or that has one more.
async fn attacked(limit: Option<&str>, kind: Crowd, strangers: &Handle) {
    let count = CROWD.min(descriptors().saturating_sub(OTHER_DESCRIPTORS));
    let mut herd = herd_to_attack(limit).await;
    let smith = herd.server("Smith").addresses();
    let pid = herd.server_mut("Smith").process().id();
    let calm = Honest::new(&herd).await.exchanges(EXCHANGES).await;
    let memory_before = resident_kib(pid);

    let over = Arc::new(AtomicBool::new(false));
    let resp = resp_address(herd.server("Smith"));
    let crowd = match kind {
        Crowd::Idle => attackers::crowd(smith.client, count, None).await,
        Crowd::UnreadPipelines => redis_clients::unread_pipelines(resp, count).await,
    };
    let generation = peers::generation(&herd, "Smith", "Hill").await;
    let mut running = JoinSet::new();
    for attack in attacks(&smith, resp, generation, &over) {
        running.spawn_on(attack, strangers);
    }
    let attacked = Honest::new(&herd).await.exchanges(EXCHANGES).await;
    let memory = resident_kib(pid).saturating_sub(memory_before);
    over.store(true, Ordering::Relaxed);
    let finished = async {
        while let Some(ended) = running.join_next().await {
            ended.unwrap();
        }
    };
    within("the attackers give up", finished).await;
    drop(crowd);

    let limit = limit.unwrap_or("no limit of commands");
    println!(
        "{limit}; {count} connections: {kind:?}; {memory} KiB more memory; calm {calm}; attacked {attacked}"
    );
    let most = ADDED_KIB_MAX + kind.connection_kib_max() * CROWD as u64;
    assert!(memory < most, "{memory} KiB more");
    all_is_as_before(&mut herd).await;
}

/// A herd whose Smith has limits that the attacks reach.
async fn herd_to_attack(limit: Option<&str>) -> Herd {
    let mut herd = Herd::builder(Topology::five())
        .argument("--half-line-timeout=3s")
        .argument("--http-locations")
        .argument("--resp-listen=127.0.0.1:0")
        .argument(REPLY_BYTES_MAX)
        .argument(&format!("--max-clients={CLIENTS_MAX}"));
    if let Some(limit) = limit {
        herd = herd.argument(limit);
    }
    let mut herd = herd.start().await;
    // A wire log of all this would fill the disk, and is off in a server unless it is asked for.
    herd.server_mut("Smith").kill();
    herd.server_mut("Smith")
        .set_argument("--wire-log=/dev/null");
    herd.server_mut("Smith").restart().await;
    herd.linked().await;
    herd
}

type Attack = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Every attack on a server, until it is over; `generation` is that of a neighbour whose name attackers take.
fn attacks(
    on: &Addresses,
    resp: SocketAddr,
    generation: u64,
    over: &Arc<AtomicBool>,
) -> Vec<Attack> {
    let over = || over.clone();
    vec![
        Box::pin(attackers::slow_writers(on.client, over())),
        Box::pin(attackers::slow_readers(on.client, over())),
        Box::pin(attackers::flood_of_one_id(on.client, over())),
        Box::pin(attackers::flood_of_ids(on.client, over())),
        Box::pin(attackers::times_out_of_range(on.client, over())),
        Box::pin(attackers::bad_requests(on.http, over())),
        Box::pin(attackers::slow_bodies(on.http, over())),
        Box::pin(attackers::deaf_watchers(on.http, over())),
        Box::pin(redis_clients::bad_requests(resp, over())),
        Box::pin(peers::half_open(on.peer, over())),
        Box::pin(peers::frames_cut_at_every_byte(on.peer, generation, over())),
        Box::pin(peers::replayed_handshakes(on.peer, generation, over())),
    ]
}

/// Servers, links and room are there as before the attacks, and the log names the attackers.
async fn all_is_as_before(herd: &mut Herd) {
    for name in herd.names() {
        assert!(herd.server_mut(&name).is_running(), "{name} has ended");
        let panics = herd.log(&name).lines_with(0, &["panicked"]);
        assert!(panics.is_empty(), "{name}: {panics:?}");
    }
    let named = herd.log("Smith").lines_with(0, &["peer connection"]);
    assert!(!named.is_empty());
    // The log may have left out the last lines about links, because the false Hills made and lost many.
    let smith = herd.server("Smith").addresses();
    for neighbour in ["Hill", "Singleton", "Campbell"] {
        let up = format!("herd_link_up{{neighbour=\"{neighbour}\"}}");
        eventually("Smith has its links", async || {
            series(smith.http, &up).await == 1.0
        })
        .await;
    }
    eventually("the crowd's places are free", async || {
        Honest::new(herd).await.exchanges(1).await;
        true
    })
    .await;
}

/// How many descriptors this process may have, after asking for as many as there are.
fn descriptors() -> usize {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    usize::try_from(hard).unwrap_or(usize::MAX)
}

/// The memory that a process has in use.
fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.unwrap().parse().unwrap()
}
