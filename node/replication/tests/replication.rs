//! Replication of several servers in one process, over a network in memory and under paused time, so
//! that hours of partitions and deaths pass in seconds. Real processes and sockets are tested
//! elsewhere.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that goes wrong panics"
)]

mod replication {
    mod backlog;
    mod certificates;
    mod clock;
    mod crash_loop;
    mod death;
    mod expiry;
    mod forgetting;
    mod garbled;
    mod handshake;
    mod hanging_disk;
    mod harness;
    mod levels;
    mod lies;
    mod mixed_links;
    mod network;
    mod panic;
    mod readiness;
    mod replaced;
    mod returns;
    mod rivals;
    mod spreading;
    mod store_return;
    mod upgrade;
    mod versions;
    mod waits;
    mod wrong_clocks;
}
