//! SIGKILL under load, at random times, and the ledger of acknowledgements to clients.

use std::net::SocketAddr;
use std::time::Duration;

use herd_integration_tests::{Herd, Ledger, Load, report_on};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::sleep;

use crate::NAMES;
use crate::durability::{kept, on_disk};

/// Kills in one run; some of all servers at once.
const KILLS: usize = 20;

/// The random generator of these tests. The seed shows when a test fails, and `HERD_TEST_SEED` repeats one: the same
/// kills in the same order, as far as processes do the same twice.
pub(crate) fn seeded() -> StdRng {
    let given = std::env::var("HERD_TEST_SEED");
    let seed = match given {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => rand::random(),
    };
    eprintln!("HERD_TEST_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// Four reporters that go from server to server until `load` is over; `prefix` makes their clients their own.
pub(crate) async fn report(prefix: &str, addresses: &[SocketAddr; 5], load: &Load) -> Ledger {
    let reporter = |number: usize| {
        let mut order = addresses.to_vec();
        order.rotate_left(number);
        let clients = format!("{prefix}{number}-");
        async move { report_on(&order, &clients, 25, load).await }
    };
    let ledgers = tokio::join!(reporter(0), reporter(1), reporter(2), reporter(4));
    let mut all = Ledger::default();
    for ledger in <[Ledger; 4]>::from(ledgers) {
        all.merge(ledger);
    }
    all
}

/// Kills some or all of the servers and starts them again, all over again.
async fn kill_at_random(herd: &mut Herd, rng: &mut StdRng) {
    for _ in 0..KILLS {
        sleep(Duration::from_millis(rng.random_range(0..400))).await;
        let mut victims = NAMES;
        victims.shuffle(rng);
        let count = match rng.random_range(0..8) {
            0..5 => 1,
            5 | 6 => 2,
            _ => NAMES.len(),
        };
        for name in &victims[..count] {
            herd.server_mut(name).kill();
        }
        sleep(Duration::from_millis(rng.random_range(0..150))).await;
        for name in &victims[..count] {
            herd.server_mut(name).restart().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_on_disk_outlives_kills_of_any_and_of_all() {
    let mut rng = seeded();
    let mut herd = on_disk("disk").await;
    let addresses = NAMES.map(|name| herd.server(name).client_address());
    let load = Load::default();
    let kills = async {
        load.acknowledged(100).await;
        kill_at_random(&mut herd, &mut rng).await;
        load.stop();
        // At the height of it.
        for name in NAMES {
            herd.server_mut(name).kill();
        }
    };
    let (ledger, ()) = tokio::join!(report("r", &addresses, &load), kills);
    assert!(ledger.losses > 0, "{ledger:?}");
    for name in NAMES {
        herd.server_mut(name).restart().await;
    }
    kept(&herd, &NAMES, &ledger).await;
}

/// All are killed at once, and one of them loses its disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_disks_outlive_a_crash_of_all_and_the_loss_of_one() {
    let mut rng = seeded();
    let mut herd = on_disk("disk,peer").await;
    let addresses = NAMES.map(|name| herd.server(name).client_address());
    let mut ledger = Ledger::default();
    let mut losers = NAMES;
    losers.shuffle(&mut rng);
    for lost in &losers[..3] {
        let load = Load::default();
        let crash = async {
            load.acknowledged(50).await;
            sleep(Duration::from_millis(rng.random_range(300..900))).await;
            for name in NAMES {
                herd.server_mut(name).kill();
            }
            load.stop();
        };
        let prefix = format!("{lost}-");
        let (told, ()) = tokio::join!(report(&prefix, &addresses, &load), crash);
        ledger.merge(told);
        herd.server_mut(lost).wipe();
        let others: Vec<&str> = NAMES.into_iter().filter(|name| name != lost).collect();
        for name in &others {
            herd.server_mut(name).restart().await;
        }
        kept(&herd, &others, &ledger).await;
        herd.server_mut(lost).restart().await;
        kept(&herd, &NAMES, &ledger).await;
    }
}
