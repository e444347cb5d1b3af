//! A message can panic the gossip engine. That costs an incarnation, and no record.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use herd_node::replication::incarnation::Incarnation;
use herd_node::replication::link::frame::framed;
use herd_node::replication::link::handshake::answer;
use herd_node::replication::link::network::Network as _;
use herd_node::replication::links::{HerdView, Links};
use herd_node::replication::neighbour::NeighbourConfig;
use herd_node::topology::gossip_address;

use super::harness::{Herd, chance, eventually};

/// An ACK of chitchat's whose delta sets a key at version 2,000 and then the greatest version to 1,000: its
/// state asserts that this does not happen. The node that it speaks of must be known, and not have come
/// so far itself.
fn poison(node: &Incarnation) -> Bytes {
    let mut operations = vec![0_u8];
    string(&mut operations, &node.server);
    operations.extend(node.generation.to_le_bytes());
    let std::net::IpAddr::V6(address) = gossip_address(&node.server).ip() else {
        panic!("not an IPv6 address");
    };
    operations.push(6);
    operations.extend(address.octets());
    operations.extend(gossip_address(&node.server).port().to_le_bytes());
    operations.extend(0_u64.to_le_bytes());
    operations.extend(0_u64.to_le_bytes());
    operations.push(1);
    string(&mut operations, "slot/00000000");
    string(&mut operations, "");
    operations.extend(2_000_u64.to_le_bytes());
    operations.push(0);
    operations.push(2);
    operations.extend(1_000_u64.to_le_bytes());

    const GOSSIP_FRAME: u8 = 3;
    const MAGIC_NUMBER: u16 = 45_139;
    let mut frame = vec![GOSSIP_FRAME];
    frame.extend(MAGIC_NUMBER.to_le_bytes());
    // Version 0, an ACK, one uncompressed block, no more blocks.
    frame.extend([0, 2, 2]);
    frame.extend(u16::try_from(operations.len()).unwrap().to_le_bytes());
    frame.extend(operations);
    frame.push(0);
    frame.into()
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
    out.extend(text.as_bytes());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_panics_the_engine_costs_an_incarnation_and_no_record() {
    // Hill connects to Smith and to Jaquez; Smith is ours to play.
    let mut herd = Herd::start(&["Hill", "Smith", "Jaquez"], &[(0, 1), (0, 2)]);
    herd.stop(1).await;
    let smith = herd.network.endpoint("Smith");
    let view = HerdView {
        cluster: "test".to_owned(),
        me: "Smith".into(),
        servers: vec!["Hill".into(), "Smith".into(), "Jaquez".into()],
        neighbours: vec![NeighbourConfig {
            name: "Hill".into(),
            address: "Hill".to_owned(),
            dials: false,
        }],
    };
    let links = Arc::new(Links::new(view, chance(), None));
    let mut frames = framed(smith.accept().await.unwrap().stream);
    let hill = answer(&mut frames, &links, None).await.unwrap().incarnation;
    // Gossip has started when it begins a round.
    frames.next().await.unwrap().unwrap();
    eventually("gossip has started", || {
        !herd.server(2).links.status().members.is_empty()
    })
    .await;

    frames.send(poison(&hill)).await.unwrap();
    let ended = async { while let Some(Ok(_)) = frames.next().await {} };
    tokio::time::timeout(std::time::Duration::from_secs(10), ended)
        .await
        .unwrap();

    let server = herd.server(0);
    eventually("Hill has a new incarnation", || {
        server.links.incarnation().generation > hill.generation
    })
    .await;
    // What comes before, during and after it reaches Jaquez all the same.
    server.report("kiwi", 1);
    eventually("Jaquez knows", || herd.server(2).time_of("kiwi").is_some()).await;
    // And Smith may come back after a while.
    let mut frames = framed(smith.accept().await.unwrap().stream);
    let again = answer(&mut frames, &links, None).await.unwrap().incarnation;
    assert!(again.generation > hill.generation);
}
