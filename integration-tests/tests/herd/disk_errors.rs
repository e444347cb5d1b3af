//! Disks that lose power or answer with errors, made with real file systems.

use std::time::Duration;

use herd_integration_tests::{Herd, Ledger, Load, LoopDisk, Topology, eventually, report_on};
use rand::RngExt as _;
use tokio::time::sleep;

use crate::kills::seeded;
use crate::{TIME, UCLA};

/// Hill on this disk, and Smith.
async fn pair(ack: &str, disk: &LoopDisk) -> Herd {
    let mut herd = Herd::builder(Topology::new(&["Hill", "Smith"], &[("Hill", "Smith")]))
        .on_disk()
        .argument(&format!("--ack={ack}"))
        .start()
        .await;
    herd.server_mut("Hill").terminate().await;
    let folder = disk.path().join("Hill").display().to_string();
    let hill = herd.server_mut("Hill");
    hill.set_argument(&format!("--data-dir={folder}"));
    hill.restart().await;
    herd.linked().await;
    herd
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_on_disk_outlive_a_loss_of_power() {
    let Some(disk) = LoopDisk::mount() else {
        return;
    };
    let mut rng = seeded();
    let mut herd = pair("disk", &disk).await;
    let hill = [herd.server("Hill").client_address()];
    let mut ledger = Ledger::default();
    for loss in 0..4 {
        let load = Load::default();
        let prefix = format!("power{loss}-");
        let reports = report_on(&hill, &prefix, 50, &load);
        let outage = async {
            load.acknowledged(50).await;
            sleep(Duration::from_millis(rng.random_range(100..600))).await;
            disk.cut_power();
            herd.server_mut("Hill").kill();
            load.stop();
        };
        let (told, ()) = tokio::join!(reports, outage);
        ledger.merge(told);
        disk.power_on();
        // No other server runs from which it could learn.
        herd.server_mut("Smith").kill();
        herd.server_mut("Hill").restart().await;
        let ids = ledger.ids();
        let answers = herd.client("Hill").await.find_all(&ids).await;
        let broken = ledger.broken(answers.iter().map(Option::as_deref));
        assert!(broken.is_empty(), "{broken:#?}");
        let said = herd.server("Hill").log_since_start();
        assert!(!said.contains("is damaged"), "{said}");
        herd.server_mut("Smith").restart().await;
        herd.linked().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_reports_disk_errors_and_goes_on() {
    let Some(disk) = LoopDisk::mount() else {
        return;
    };
    let mut herd = pair("disk", &disk).await;
    let early = herd.client("Hill").await.report("early", UCLA, TIME).await;
    disk.cut_power();
    let mut client = herd.client("Hill").await;
    client
        .send(format!("IAMAT late {UCLA} {TIME}\n").as_bytes())
        .await;
    assert!(client.line().await.starts_with(b"? IAMAT late "));
    let log = herd.log("Hill");
    eventually("the error is told", async || {
        let said = log.text();
        said.contains("the store has failed") && said.contains("os error 5")
    })
    .await;
    // It answers, and passes its reports on; nothing waits for the disk any more.
    let late = client.find("late").await.unwrap();
    herd.knows("Smith", "late", &late).await;
    let smiths = herd.client("Smith").await.report("emu", UCLA, TIME).await;
    herd.knows("Hill", "emu", &smiths).await;
    client
        .send(format!("IAMAT later {UCLA} {TIME}\n").as_bytes())
        .await;
    assert!(client.line().await.starts_with(b"? IAMAT later "));
    // As long as it is broken no server starts on it.
    herd.server_mut("Hill").kill();
    let status = herd.server_mut("Hill").run_with(&[]).await;
    assert_eq!(status.code(), Some(74));
    let said = herd.server("Hill").log_since_start();
    assert!(said.contains("cannot use the data folder"), "{said}");
    // After the repair it holds its acknowledged reports, and the herd has the rest.
    disk.power_on();
    herd.server_mut("Hill").restart().await;
    assert!(herd.has("Hill", "early", &early).await);
    herd.knows("Hill", "late", &late).await;
    herd.client("Hill").await.report("again", UCLA, TIME).await;
}
