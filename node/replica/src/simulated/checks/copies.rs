//! Gossip forgets incarnations that cannot come back, once they have been needless for long.

use super::super::server::Server;
use crate::incarnation::Incarnation;

/// To be asked of a herd that was whole and quiet for 5 minutes.
///
/// # Errors
/// An incarnation that is known though a later one of its server is.
pub(in super::super) fn the_superseded_are_forgotten(server: &Server) -> Result<(), String> {
    let known = server.gossip.known();
    match superseded(&known) {
        Some(one) => Err(format!("gossip of {} still knows {one}", server.name)),
        None => Ok(()),
    }
}

/// # Errors
/// Gossip knows more incarnations of a server than may be.
pub(in super::super) fn a_server_has_few(server: &Server) -> Result<(), String> {
    let known = server.gossip.known();
    match crowded(&known) {
        Some(crowd) => Err(format!(
            "gossip of {} knows too many of {crowd}",
            server.name
        )),
        None => Ok(()),
    }
}

/// The most incarnations of one server, as `docs/replication.md` says it.
const OF_A_SERVER_MAX: usize = 64;

fn crowded<'a>(known: &[&'a Incarnation]) -> Option<&'a str> {
    if known.len() <= OF_A_SERVER_MAX {
        return None;
    }
    let count = |server: &str| known.iter().filter(|one| *one.server == *server).count();
    let mut servers = known.iter().map(|one| &*one.server);
    servers.find(|server| count(server) > OF_A_SERVER_MAX)
}

fn superseded<'a>(known: &[&'a Incarnation]) -> Option<&'a Incarnation> {
    let is_later = |one: &Incarnation, other: &Incarnation| {
        other.server == one.server && other.generation > one.generation
    };
    let mut known_in_turn = known.iter();
    let found = known_in_turn.find(|one| known.iter().any(|other| is_later(one, other)));
    found.copied()
}

#[test]
fn an_incarnation_with_a_successor_is_found() {
    let [hill, smith, next] =
        [("Hill", 1), ("Smith", 1), ("Smith", 2)].map(|(server, generation)| {
            let server = server.into();
            Incarnation { server, generation }
        });
    assert_eq!(superseded(&[&hill, &smith]), None);
    assert_eq!(superseded(&[&hill, &smith, &next]), Some(&smith));
}

#[test]
fn a_crowd_of_incarnations_is_found() {
    let hill = |generation| Incarnation {
        server: "Hill".into(),
        generation,
    };
    let many: Vec<Incarnation> = (0..65).map(hill).collect();
    let many: Vec<&Incarnation> = many.iter().collect();
    assert_eq!(crowded(&many[..64]), None);
    assert_eq!(crowded(&many), Some("Hill"));
}
