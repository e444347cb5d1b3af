//! A server's report about its links, in a key of gossip.

use herd_replica::link_words::parse;
use herd_topology::SERVERS_MAX;

pub(super) fn run(bytes: &[u8]) {
    let words = parse(&String::from_utf8_lossy(bytes));
    assert!(words.len() <= SERVERS_MAX);
}
