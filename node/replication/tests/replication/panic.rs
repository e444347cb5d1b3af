//! A message can panic the gossip engine. That costs an incarnation, and no record.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use herd_gossip::guard::FaultKind;
use herd_gossip::link::frame::{FrameStream, admit_all, framed};
use herd_gossip::link::handshake::answer;
use herd_gossip::link::network::{LinkStream, Network as _};
use herd_gossip::links::{HerdView, Links};
use herd_gossip::neighbour::NeighbourConfig;
use herd_topology::gossip_address;
use herd_topology::incarnation::Incarnation;

use super::harness::{Herd, entropy, eventually};
use super::network::Endpoint;

type Frames = FrameStream<Box<dyn LinkStream>>;

/// An ACK of chitchat's whose delta sets a key at version 2,000 and then the greatest version to 1,000: its
/// state asserts that this does not happen. The node that it speaks of must be known, and not have come
/// so far itself.
fn poison(node: &Incarnation) -> Vec<u8> {
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

    const MAGIC_NUMBER: u16 = 45_139;
    let mut frame = Vec::new();
    frame.extend(MAGIC_NUMBER.to_le_bytes());
    // Version 0, an ACK, one uncompressed block, no more blocks.
    frame.extend([0, 2, 2]);
    frame.extend(u16::try_from(operations.len()).unwrap().to_le_bytes());
    frame.extend(operations);
    frame.push(0);
    frame
}

/// It as a frame of a link.
fn frame_of(message: &[u8]) -> Bytes {
    const GOSSIP_FRAME: u8 = 3;
    [&[GOSSIP_FRAME], message].concat().into()
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
    out.extend(text.as_bytes());
}

/// Hill connects to Smith and to Jaquez; Smith is ours to play.
async fn herd_without_smith() -> (Herd, Endpoint, Arc<Links>) {
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
    (herd, smith, Arc::new(Links::new(view, entropy(), None)))
}

/// Smith takes Hill's connection, and waits until Hill's gossip has started.
async fn accept(herd: &Herd, smith: &Endpoint, links: &Arc<Links>) -> (Frames, Incarnation) {
    let mut frames = framed(smith.accept().await.unwrap().stream);
    let hill = answer(&mut frames, links, None).await.unwrap().incarnation;
    admit_all(&mut frames);
    // Gossip has started when it begins a round.
    frames.next().await.unwrap().unwrap();
    eventually("gossip has started", || {
        !herd.server(2).figures.status().members.is_empty()
    })
    .await;
    (frames, hill)
}

async fn end_of(mut frames: Frames) {
    let ended = async { while let Some(Ok(_)) = frames.next().await {} };
    let ended = tokio::time::timeout(std::time::Duration::from_secs(10), ended);
    ended.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_message_that_would_panic_the_engine_is_refused() {
    let (herd, smith, links) = herd_without_smith().await;
    let (mut frames, hill) = accept(&herd, &smith, &links).await;
    frames.send(frame_of(&poison(&hill))).await.unwrap();
    end_of(frames).await;
    let server = herd.server(0);
    let counts = server.links.guard.counts();
    assert_eq!(counts.refused(FaultKind::Malformed), 1);
    server.report("kiwi", 1);
    eventually("Jaquez knows", || herd.server(2).time_of("kiwi").is_some()).await;
    // Smith may come back after a while, and finds the same incarnation.
    let (_, again) = accept(&herd, &smith, &links).await;
    assert_eq!(again, hill);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_panics_the_engine_costs_no_record() {
    let (herd, smith, links) = herd_without_smith().await;
    let (frames, hill) = accept(&herd, &smith, &links).await;
    // Past the guard, as one would be that it does not know.
    let server = herd.server(0);
    let poison = poison(&hill);
    server
        .links
        .hand_in_unguarded("Smith", &poison)
        .await
        .unwrap();
    end_of(frames).await;
    eventually("Hill has a new incarnation", || {
        server.links.incarnation().generation > hill.generation
    })
    .await;
    // What comes before, during and after it reaches Jaquez all the same.
    server.report("kiwi", 1);
    eventually("Jaquez knows", || herd.server(2).time_of("kiwi").is_some()).await;
    // And Smith may come back after a while.
    let (_, again) = accept(&herd, &smith, &links).await;
    assert!(again.generation > hill.generation);
}
