//! A connection to the peer port, up to its end.

use std::sync::Arc;

use herd_clock::clock::WallClock;
use herd_gossip::entropy::Entropy;
use herd_gossip::link::frame::framed;
use herd_gossip::link::handshake::answer;
use herd_gossip::link::session;
use herd_gossip::links::{HerdView, Links};
use herd_gossip::neighbour::NeighbourConfig;
use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;

/// Room for all that a server says before it waits.
const REPLY_BYTES: usize = 1 << 20;

struct Stopped;

impl WallClock for Stopped {
    fn now_ns(&self) -> i64 {
        7_000_000_000
    }
}

/// Hill, as its neighbour Smith may reach it.
fn links() -> Links {
    let smith = NeighbourConfig {
        name: "Smith".into(),
        address: "127.0.0.1:1".to_owned(),
        dials: false,
    };
    let view = HerdView {
        cluster: "herd".to_owned(),
        me: "Hill".into(),
        servers: vec!["Hill".into(), "Smith".into()],
        neighbours: vec![smith],
    };
    Links::new(view, Entropy::new(Arc::new(Stopped), 0), None)
}

pub(super) fn run(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let Ok(runtime) = runtime else {
        panic!("no runtime");
    };
    runtime.block_on(async {
        let links = links();
        let (mut stranger, server) = tokio::io::duplex(REPLY_BYTES.max(bytes.len()));
        if stranger.write_all(bytes).await.is_err() || stranger.shutdown().await.is_err() {
            panic!("the connection takes no bytes");
        }
        let mut frames = framed(server);
        let stop = CancellationToken::new();
        if let Ok(agreement) = answer(&mut frames, &links, None).await {
            session::run(frames, agreement, &links, "stranger:1", &stop).await;
        }
        // The handshake has not made it another server.
        assert_eq!(&*links.incarnation().server, "Hill");
    });
}
