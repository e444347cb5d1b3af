//! Servers that move to another address, join and leave, while clients report.

use herd_integration_tests::{Herd, Load, Topology, report_on};

use crate::NAMES;
use crate::durability::{kept, on_disk};
use crate::kills::report;

/// Reports that a server takes before it leaves.
const OWN_REPORTS: usize = 100;

/// One after the other is stopped and started again with the topology of now.
async fn rolling_restart(herd: &mut Herd, names: &[&str], topology: &Topology) {
    for name in names {
        herd.use_topology(name, topology);
        let status = herd.server_mut(name).terminate().await;
        assert_eq!(status.code(), Some(0), "{name}");
        herd.server_mut(name).restart().await;
        herd.linked().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_replaced_at_another_address_with_no_disk() {
    let mut herd = on_disk("disk,peer").await;
    let addresses = NAMES.map(|name| herd.server(name).client_address());
    let topology = herd.topology().clone();
    let load = Load::default();
    let replacement = async {
        load.acknowledged(100).await;
        // It is gone with its machine; another takes its place.
        herd.server_mut("Smith").kill();
        herd.server_mut("Smith").wipe();
        herd.server_mut("Smith").readdress();
        herd.use_topology("Smith", &topology);
        herd.server_mut("Smith").restart().await;
        // The others learn where it is.
        let others = ["Hill", "Jaquez", "Campbell", "Singleton"];
        rolling_restart(&mut herd, &others, &topology).await;
        load.stop();
    };
    let (ledger, ()) = tokio::join!(report("r", &addresses, &load), replacement);
    kept(&herd, &NAMES, &ledger).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_restarts_add_and_remove_a_server_unnoticed() {
    let two = Topology::new(&["Hill", "Smith"], &[("Hill", "Smith")]);
    let three = Topology::new(
        &["Hill", "Smith", "Jaquez"],
        &[("Hill", "Smith"), ("Smith", "Jaquez")],
    );
    let mut herd = Herd::builder(three.clone())
        .on_disk()
        .argument("--ack=disk,peer")
        .start()
        .await;
    // No server links to Jaquez yet.
    herd.server_mut("Jaquez").terminate().await;
    herd.server_mut("Jaquez").wipe();
    rolling_restart(&mut herd, &["Hill", "Smith"], &two).await;
    let addresses = ["Hill", "Smith", "Jaquez"].map(|name| herd.server(name).client_address());
    let load = Load::default();
    let change = async {
        load.acknowledged(100).await;
        rolling_restart(&mut herd, &["Hill", "Smith"], &three).await;
        herd.server_mut("Jaquez").restart().await;
        herd.linked().await;
        // Clients report to it for a while, and then it leaves for good.
        let while_it_stays = Load::default();
        let enough = async {
            while_it_stays.acknowledged(OWN_REPORTS).await;
            while_it_stays.stop();
        };
        let reports = report_on(&addresses[2..], "own", 20, &while_it_stays);
        let (own, ()) = tokio::join!(reports, enough);
        herd.server_mut("Jaquez").terminate().await;
        rolling_restart(&mut herd, &["Hill", "Smith"], &two).await;
        load.stop();
        own
    };
    let reports = report_on(&addresses, "r", 25, &load);
    let (mut ledger, own) = tokio::join!(reports, change);
    ledger.merge(own);
    kept(&herd, &["Hill", "Smith"], &ledger).await;
}
