//! A neighbour that connects again while its old connection still stands.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use herd_gossip::link::frame::{Frame, FrameStream, Received, admit_all, framed};
use herd_gossip::link::handshake::initiate;
use herd_gossip::link::network::{LinkStream, Network as _};
use herd_gossip::link::offer::Layout;
use herd_gossip::links::{HerdView, Links};
use herd_gossip::neighbour::NeighbourConfig;
use herd_replica::report::{Applied, AppliedReport};
use tokio::time::timeout;

use super::harness::{Herd, entropy};
use super::network::Endpoint;

type Frames = FrameStream<Box<dyn LinkStream>>;

/// Connects to Smith as Hill, whose gossip runs.
async fn connect(hill: &Endpoint, links: &Arc<Links>) -> Frames {
    let mut frames = framed(hill.connect("Smith").await.unwrap().stream);
    initiate(
        &mut frames,
        links,
        &links.neighbours()[0],
        None,
        Layout::Ranged,
    )
    .await
    .unwrap();
    admit_all(&mut frames);
    let report = AppliedReport::new([(links.incarnation(), Applied::default())]);
    let clock_ns = 0;
    let report: Bytes = Frame::Report { report, clock_ns }.encode().unwrap();
    frames.send(report).await.unwrap();
    frames
}

/// Waits for the first message of a round that Smith begins, and leaves it unanswered.
async fn round_begins(frames: &mut Frames) {
    loop {
        let bytes = frames.next().await.unwrap().unwrap();
        if let Received::Gossip(_) = Received::decode(&bytes, |_, _| None).unwrap() {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_round_does_not_outlive_its_connection() {
    // Hill is ours to play.
    let mut herd = Herd::stopped(&["Hill", "Smith"], &[(0, 1)]);
    let hill = herd.network.endpoint("Hill");
    herd.restart(1);
    let view = HerdView {
        cluster: "test".to_owned(),
        me: "Hill".into(),
        servers: vec!["Hill".into(), "Smith".into()],
        neighbours: vec![NeighbourConfig {
            name: "Smith".into(),
            address: "Smith".to_owned(),
            dials: true,
        }],
    };
    let links = Arc::new(Links::new(view, entropy(), None));
    let mut first = connect(&hill, &links).await;
    timeout(Duration::from_secs(5), round_begins(&mut first))
        .await
        .unwrap();
    // The round in flight will never end; the new connection must not wait for its time-out.
    let mut second = connect(&hill, &links).await;
    timeout(Duration::from_secs(1), round_begins(&mut second))
        .await
        .unwrap();
    assert!(herd.server(1).links.neighbour("Hill").unwrap().is_up());
}
