//! A disk that is frozen when its server starts.

use herd_integration_tests::{Herd, LoopDisk, Topology, eventually, within};
use tempfile::TempDir;

use crate::{TIME, UCLA, ids};

const PAIR: [&str; 2] = ["Hill", "Smith"];

/// A data folder whose store alone is on this disk, by a symbolic link.
fn data_folder(disk: &LoopDisk) -> TempDir {
    let folder = TempDir::with_prefix("herd-data-").unwrap();
    let store = disk.path().join("store");
    std::fs::create_dir(&store).unwrap();
    std::os::unix::fs::symlink(store, folder.path().join("store")).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_serves_and_stops_though_its_disk_is_frozen() {
    let Some(disk) = LoopDisk::mount() else {
        return;
    };
    let folder = data_folder(&disk);
    let mut herd = Herd::builder(Topology::new(&PAIR, &[("Hill", "Smith")]))
        .on_disk()
        .data_folder("Hill", folder.path().to_owned())
        .argument("--ack=memory")
        .start()
        .await;
    let clients = ids("client", 300);
    let mut hill = herd.client("Hill").await;
    let lines = hill.report_all(&clients, UCLA, TIME).await;
    herd.agree(&PAIR, &clients).await;
    assert_eq!(herd.server_mut("Hill").terminate().await.code(), Some(0));

    let frozen = disk.frozen();
    herd.server_mut("Hill").restart().await;
    herd.linked().await;
    // It hears, tells, and is told.
    let mut hill = herd.client("Hill").await;
    let kiwi = hill.report("kiwi", UCLA, TIME).await;
    herd.knows("Smith", "kiwi", &kiwi).await;
    let emu = herd.client("Smith").await.report("emu", UCLA, TIME).await;
    // Questions wait for the records of their client on the disk, 30 s at most; then the answer comes from
    // neighbours' records.
    tokio::join!(
        herd.knows("Hill", "emu", &emu),
        herd.knows("Hill", &clients[7], &lines[7]),
    );
    let said = herd.server("Hill").log_since_start();
    assert!(!said.contains("store loaded"), "its disk is frozen: {said}");
    // The last records are handed over, and it stops in time, as far as that depends on it: the system lets go of a
    // process only when its disk has answered.
    let moa = hill.report("moa", UCLA, TIME).await;
    herd.server_mut("Hill").process().terminate();
    eventually("Hill has stopped", async || {
        let said = herd.server("Hill").log_since_start();
        said.contains("herd_cli::commands::serve: stopped")
    })
    .await;
    herd.knows("Smith", "moa", &moa).await;
    drop(frozen);
    let ended = within("Hill has ended", herd.server_mut("Hill").ended()).await;
    assert_eq!(ended.code(), Some(0));

    // Its store is as it was, and enough without a neighbour.
    herd.server_mut("Smith").kill();
    herd.server_mut("Hill").restart().await;
    let found = herd.client("Hill").await.find_all(&clients).await;
    assert!(found.into_iter().flatten().eq(lines));
    let said = herd.server("Hill").log_since_start();
    assert!(!said.contains("is damaged"), "{said}");
}
