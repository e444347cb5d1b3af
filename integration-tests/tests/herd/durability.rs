//! Acknowledged reports outlive kills.

use std::time::Duration;

use herd_integration_tests::{Herd, Ledger, Load, Topology, eventually};
use tokio::time::sleep;

use crate::kills::report;
use crate::{NAMES, TIME, UCLA, ids};

pub(crate) async fn on_disk(ack: &str) -> Herd {
    Herd::builder(Topology::five())
        .on_disk()
        .argument(&format!("--ack={ack}"))
        .start()
        .await
}

/// Every server of `servers` answers with the acknowledged records, or with greater ones.
pub(crate) async fn kept(herd: &Herd, servers: &[&str], ledger: &Ledger) {
    let answers = herd.agree(servers, &ledger.ids()).await;
    let broken = ledger.broken(answers.iter().map(|at| Some(at.as_str())));
    assert!(broken.is_empty(), "{broken:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_at_a_peer_outlives_a_server_and_its_disk() {
    let mut herd = on_disk("peer").await;
    let addresses = NAMES.map(|name| herd.server(name).client_address());
    let mut ledger = Ledger::default();
    for lost in ["Smith", "Hill"] {
        let load = Load::default();
        let loss = async {
            load.acknowledged(50).await;
            sleep(Duration::from_millis(700)).await;
            herd.server_mut(lost).kill();
            load.stop();
        };
        let (told, ()) = tokio::join!(report("r", &addresses, &load), loss);
        ledger.merge(told);
        herd.server_mut(lost).wipe();
        let others: Vec<&str> = NAMES.into_iter().filter(|&name| name != lost).collect();
        kept(&herd, &others, &ledger).await;
        // It comes back with nothing, under the same name, and gets everything.
        herd.server_mut(lost).restart().await;
        kept(&herd, &NAMES, &ledger).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_of_all_costs_a_client_nothing() {
    let mut herd = on_disk("disk,peer").await;
    let addresses = NAMES.map(|name| herd.server(name).client_address());
    let load = Load::default();
    let restarts = async {
        for name in NAMES {
            load.acknowledged(1).await;
            let status = herd.server_mut(name).terminate().await;
            assert_eq!(status.code(), Some(0), "{name}");
            herd.server_mut(name).restart().await;
            herd.linked().await;
        }
        load.stop();
    };
    let (ledger, ()) = tokio::join!(report("r", &addresses, &load), restarts);
    kept(&herd, &NAMES, &ledger).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_server_answers_alone_from_its_disk() {
    let mut herd = on_disk("disk").await;
    let clients = ids("client", 3_000);
    let lines = herd
        .client("Hill")
        .await
        .report_all(&clients, UCLA, TIME)
        .await;
    herd.agree(&NAMES, &clients).await;
    for name in NAMES {
        herd.server_mut(name).kill();
    }
    // Campbell learnt its records over two hops.
    herd.server_mut("Campbell").restart().await;
    // At once: not found is waited for while the store is read.
    let found = herd.client("Campbell").await.find_all(&clients).await;
    assert!(found.into_iter().flatten().eq(lines));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_outlive_an_origin_that_never_comes_back() {
    let mut herd = on_disk("disk").await;
    let clients = ids("client", 500);
    let lines = herd
        .client("Hill")
        .await
        .report_all(&clients, UCLA, TIME)
        .await;
    herd.agree(&NAMES, &clients).await;
    for name in NAMES {
        herd.server_mut(name).kill();
    }
    herd.server_mut("Hill").wipe();
    let others = ["Jaquez", "Smith", "Campbell", "Singleton"];
    for name in others {
        herd.server_mut(name).restart().await;
    }
    // Gossip never knew the dead incarnation: its records are adopted from the disks.
    let log = herd.log("Smith");
    eventually("orphans are adopted", async || {
        log.text().contains("orphans adopted")
    })
    .await;
    // An empty server joins, and gets every record from the living.
    herd.server_mut("Hill").restart().await;
    assert_eq!(herd.agree(&NAMES, &clients).await, lines);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_neighbour_peer_is_refused_and_disk_is_not() {
    // A refusal comes after the time limit; a disk may take long on a busy machine.
    for (ack, limit, expected) in [
        ("peer", "500ms", "? "),
        ("disk", "10s", "AT "),
        ("disk,peer", "500ms", "? "),
    ] {
        let mut herd = Herd::builder(Topology::new(&["Hill", "Smith"], &[("Hill", "Smith")]))
            .on_disk()
            .argument(&format!("--ack={ack}"))
            .argument(&format!("--ack-timeout={limit}"))
            .start()
            .await;
        // However long the disk and Smith take today: it must be known, not acknowledged.
        let mut hill = herd.client("Hill").await;
        let report = format!("IAMAT kiwi {UCLA} {TIME}\n");
        hill.send(report.as_bytes()).await;
        hill.line().await;
        herd.server_mut("Smith").kill();
        let mut client = herd.client("Hill").await;
        client
            .send(format!("IAMAT emu {UCLA} {TIME}\nWHATSAT kiwi 0 0\n").as_bytes())
            .await;
        let reply = String::from_utf8(client.line().await).unwrap();
        assert!(reply.starts_with(expected), "{ack}: {reply}");
        // Later lines are answered nevertheless.
        let behind = String::from_utf8(client.line().await).unwrap();
        assert!(behind.contains(" kiwi "), "{behind}");
        if expected == "? " {
            assert_eq!(reply, format!("? IAMAT emu {UCLA} {TIME}"));
            let reason = ["no neighbour has it in time"];
            herd.log("Hill").wait_for(0, &reason).await;
        }
    }
}
