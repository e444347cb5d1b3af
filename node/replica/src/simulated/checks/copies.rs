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
