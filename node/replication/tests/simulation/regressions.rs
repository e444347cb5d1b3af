//! Defects that seeds have found, each by itself.

use std::sync::Arc;
use std::time::Duration;

use herd_acknowledgement::{AckLevel, Unconfirmed};
use herd_crdt::Record;
use herd_gossip::link::offer::Offer;
use herd_gossip::links::HerdView;
use herd_storage::ModelledDisk;
use tokio::time::{Instant, sleep};

use super::clock::SimClock;
use super::network::SimNetwork;
use super::process::{Process, Start};

fn alone(disk: &ModelledDisk) -> Process {
    Process::start(Start {
        view: HerdView {
            cluster: "regression".to_owned(),
            me: "Hill".into(),
            servers: vec!["Hill".into()],
            neighbours: Vec::new(),
        },
        level: AckLevel::Disk,
        clock: Arc::new(SimClock::new(Instant::now())),
        disk: Some(disk),
        network: &SimNetwork::new(1),
        offer: Offer::PRESENT,
        seed: 1,
    })
}

/// A round that was written after the store had failed counted as on disk, so whoever began to wait for it
/// only then was told that the report was safe.
#[tokio::test(start_paused = true)]
async fn a_failed_store_confirms_nothing_later() {
    let disk = ModelledDisk::new();
    disk.fail_sync();
    let hill = alone(&disk);
    while !hill.store_has_failed() {
        sleep(Duration::from_millis(1)).await;
    }
    let record = Record::new(b"kiwi", b"+1+1", b"1", "Hill".into(), 0).unwrap();
    hill.locations.report(record);
    let ticket = hill.acknowledgements.ticket();
    // By now the publisher has written the round.
    sleep(Duration::from_secs(1)).await;
    let confirmed = hill.acknowledgements.confirmed(ticket).await;
    assert_eq!(confirmed, Err(Unconfirmed::DiskFailed));
}
