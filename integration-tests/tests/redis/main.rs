//! Clients of Redis that others wrote, on a herd and on a real Redis.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clients;
mod commands;
mod documents;
mod first_bytes;
mod speaking;

use std::net::SocketAddr;

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

/// Two servers that serve Redis clients.
async fn herd() -> Herd {
    let topology = Topology::new(&["Hill", "Jaquez"], &[("Hill", "Jaquez")]);
    let herd = Herd::builder(topology).argument("--resp-listen=127.0.0.1:0");
    herd.start().await
}

/// Where Hill serves Redis clients.
fn hill(herd: &Herd) -> SocketAddr {
    resp_address(herd.server("Hill"))
}
