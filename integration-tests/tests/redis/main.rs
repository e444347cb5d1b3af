//! Clients of Redis that others wrote, on a herd and on a real Redis.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clients;
mod commands;
mod documents;
mod first_bytes;
mod speaking;

use std::net::SocketAddr;
use std::time::Duration;

use herd_integration_tests::redis::{Redis, resp_address};
use herd_integration_tests::{Herd, Topology};

/// A herd and a Redis.
struct Both {
    herd: Herd,
    redis: Redis,
}

impl Both {
    async fn start() -> Self {
        Both {
            herd: herd().await,
            redis: Redis::start().await,
        }
    }

    fn addresses(&self) -> [SocketAddr; 2] {
        [hill(&self.herd), self.redis.address()]
    }
}

/// A server forgets when all others have said what they read; much longer, since machines of tests are slow.
const FORGETS_AFTER: Duration = Duration::from_secs(60);

/// Two servers that serve Redis clients; Hill may forget them.
async fn herd() -> Herd {
    let topology = Topology::new(&["Hill", "Jaquez"], &[("Hill", "Jaquez")]);
    let herd = Herd::builder(topology).argument("--resp-listen=127.0.0.1:0");
    let herd = herd.start().await;
    let may_forget = async {
        loop {
            let mut client = herd.client("Hill").await;
            client.send(b"FORGET nobody\n").await;
            if client.line().await.starts_with(b"GONE ") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let may_forget = tokio::time::timeout(FORGETS_AFTER, may_forget).await;
    may_forget.unwrap();
    herd
}

/// Where Hill serves Redis clients.
fn hill(herd: &Herd) -> SocketAddr {
    resp_address(herd.server("Hill"))
}
