//! Nobody is forgotten at a server that sees another one alive which cannot read tombstones.

use std::collections::BTreeSet;

use super::super::herd::Herd;
use super::super::server::Server;
use crate::incarnation::Incarnation;

/// To be asked of a server that is told to forget a client, and does.
///
/// # Errors
/// A server that it saw alive, and had groups of, when it looked around last.
pub(in super::super) fn all_read_tombstones(herd: &Herd, server: &Server) -> Result<(), String> {
    let running = herd.servers.iter().flatten();
    let unable = running.filter(|other| !other.format.has_tombstones());
    let unable: BTreeSet<&Incarnation> = unable.map(|other| other.gossip.me()).collect();
    match seen_unable(&server.seen, &unable) {
        Some(other) => Err(format!("{} forgot, though it saw {other}", server.name)),
        None => Ok(()),
    }
}

fn seen_unable<'a>(
    seen: &'a BTreeSet<Incarnation>,
    unable: &BTreeSet<&Incarnation>,
) -> Option<&'a Incarnation> {
    seen.iter().find(|other| unable.contains(other))
}

#[test]
fn a_server_that_was_seen_and_cannot_read_is_found() {
    let [hill, smith] = ["Hill", "Smith"].map(|server| Incarnation {
        server: server.into(),
        generation: 1,
    });
    let seen = [hill.clone()].into();
    assert_eq!(seen_unable(&seen, &[&smith].into()), None);
    assert_eq!(seen_unable(&seen, &[&smith, &hill].into()), Some(&hill));
}
