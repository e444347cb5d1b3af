//! Every order of events between two servers that dial each other at once.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// The states of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Connection {
    /// Connected; nothing is said yet.
    Fresh,
    /// The hello of the end that dialled is on its way.
    Asked,
    /// The answer is on its way; the end that accepted holds the handshake for done.
    Answered,
    /// A refusal is on its way.
    Refused,
    /// Both ends hold the handshake for done.
    Agreed,
    /// Closed by both, or seen to be closed.
    Closed,
}

/// Two servers, 0 and 1, of which 0 is the first. Connection 0 is dialled by server 0, connection 1 by server 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    connections: [Connection; 2],
    /// The link, as each end has it.
    links: [Option<usize>; 2],
    /// What an end has closed, and the other one has not seen yet: by end and connection.
    closing: [[bool; 2]; 2],
    /// Connections that gave way at an end and that it leaves to the other one.
    lingering: [[bool; 2]; 2],
    /// How often an end that had a link had none.
    gaps: usize,
}

/// How a release behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Release {
    Present,
    /// The newest connection is the link.
    Former,
}

fn standing(end: usize, connection: usize, releases: [Release; 2]) -> Standing {
    Standing {
        dialled: end == connection,
        generation: 5,
        own_generation: 5,
        dialling: match (releases[end], releases[1 - end]) {
            (Release::Former, _) => Dialling::OwnIsFormer,
            (_, Release::Former) => Dialling::OtherIsFormer,
            _ => Dialling::Both,
        },
    }
}

impl Pair {
    fn start() -> Pair {
        Pair {
            connections: [Connection::Fresh; 2],
            links: [None; 2],
            closing: [[false; 2]; 2],
            lingering: [[false; 2]; 2],
            gaps: 0,
        }
    }

    fn gives_way(&self, end: usize, new: usize, releases: [Release; 2]) -> bool {
        self.links[end].is_some_and(|present| {
            let present = standing(end, present, releases);
            standing(end, new, releases).gives_way_to(present, end == 0, true)
        })
    }

    /// The handshake of a connection is done at an end.
    fn done(&mut self, end: usize, new: usize, releases: [Release; 2]) {
        let (lost, kept) = if self.gives_way(end, new, releases) {
            (Some(new), self.links[end])
        } else {
            (self.links[end].replace(new), Some(new))
        };
        if let (Some(lost), Some(kept)) = (lost, kept)
            && lost != kept
        {
            let kept = standing(end, kept, releases);
            if standing(end, lost, releases).is_closed_by_other(kept) {
                self.lingering[end][lost] = true;
            } else {
                self.close(end, lost);
            }
        }
    }

    fn close(&mut self, end: usize, connection: usize) {
        self.closing[end][connection] = true;
        self.lingering[end][connection] = false;
    }

    /// All that may happen next.
    fn next(&self, releases: [Release; 2]) -> Vec<Pair> {
        let mut next = Vec::new();
        for connection in 0..2 {
            let (dialler, other) = (connection, 1 - connection);
            let mut after = self.clone();
            match self.connections[connection] {
                Connection::Fresh => {
                    // Whoever has a link by now does not ask.
                    let asks =
                        releases[dialler] == Release::Former || self.links[dialler].is_none();
                    after.connections[connection] = match asks {
                        true => Connection::Asked,
                        false => Connection::Closed,
                    };
                    next.push(after);
                }
                Connection::Asked => {
                    if self.gives_way(other, connection, releases) {
                        after.connections[connection] = Connection::Refused;
                    } else {
                        after.connections[connection] = Connection::Answered;
                        after.done(other, connection, releases);
                    }
                    next.push(after);
                }
                Connection::Answered => {
                    after.connections[connection] = Connection::Agreed;
                    after.done(dialler, connection, releases);
                    next.push(after);
                }
                Connection::Refused => {
                    after.connections[connection] = Connection::Closed;
                    next.push(after);
                }
                Connection::Agreed | Connection::Closed => {}
            }
            // An end sees that the other has closed, behind all that it said before.
            for end in 0..2 {
                let is_behind = self.connections[connection] == Connection::Agreed
                    || (self.connections[connection] == Connection::Answered && end != dialler);
                if self.closing[1 - end][connection] && is_behind {
                    let mut after = self.clone();
                    after.closing[1 - end][connection] = false;
                    after.closing[end][connection] = false;
                    after.lingering[end][connection] = false;
                    after.connections[connection] = Connection::Closed;
                    if after.links[end] == Some(connection) {
                        after.links[end] = None;
                        after.gaps += 1;
                    }
                    next.push(after);
                }
            }
        }
        next
    }
}

/// The states in which nothing more happens, from every order of events.
fn ends(releases: [Release; 2]) -> BTreeSet<Pair> {
    let mut seen = BTreeSet::new();
    let mut open = vec![Pair::start()];
    let mut ends = BTreeSet::new();
    while let Some(pair) = open.pop() {
        if !seen.insert(pair.clone()) {
            continue;
        }
        let next = pair.next(releases);
        if next.is_empty() {
            ends.insert(pair);
        }
        open.extend(next);
    }
    assert!(seen.len() > 20, "{} states are not all", seen.len());
    ends
}

#[test]
fn crossing_dials_end_in_one_link_without_a_gap_in_every_order() {
    let mut winners = BTreeMap::new();
    for end in ends([Release::Present; 2]) {
        let [first, second] = end.links;
        assert_eq!(first, second, "{end:?}");
        let Some(kept) = first else {
            panic!("no link is left: {end:?}");
        };
        assert_eq!(end.gaps, 0, "{end:?}");
        assert_eq!(end.lingering, [[false; 2]; 2], "left open: {end:?}");
        assert_eq!(end.connections[1 - kept], Connection::Closed, "{end:?}");
        *winners.entry(kept).or_insert(0) += 1;
    }
    assert_eq!(winners.len(), 2, "each may be the only one: {winners:?}");
}

/// A former server dials if it comes first in the topology, whichever name that is. Where the two do not end with one
/// link, none of them holds on to a connection that the other has not: the next dial makes it.
#[test]
fn a_former_server_at_the_other_end_is_followed() {
    for former in 0..2 {
        let mut releases = [Release::Present; 2];
        releases[former] = Release::Former;
        let mut linked = 0;
        for end in ends(releases) {
            let [first, second] = end.links;
            if let (Some(first), Some(second)) = (first, second) {
                assert_eq!(first, second, "{end:?}");
                linked += 1;
            }
            for (at, link) in end.links.iter().enumerate() {
                if let Some(link) = link {
                    let other = 1 - at;
                    let is_known = end.links[other] == Some(*link) || end.lingering[other][*link];
                    assert!(is_known, "half a link: {end:?}");
                }
            }
        }
        assert!(linked > 0);
    }
}

#[test]
fn a_new_process_and_a_dead_connection_never_keep_the_new_one_away() {
    let present = Standing {
        dialled: true,
        generation: 5,
        own_generation: 7,
        dialling: Dialling::Both,
    };
    let crossing = Standing {
        dialled: false,
        ..present
    };
    assert!(crossing.gives_way_to(present, true, true));
    assert!(!crossing.gives_way_to(present, true, false), "silent");
    assert!(
        !crossing.gives_way_to(present, false, true),
        "the first has dialled it"
    );
    for new in [
        Standing {
            generation: 6,
            ..crossing
        },
        Standing {
            own_generation: 8,
            ..crossing
        },
        Standing {
            dialled: true,
            ..crossing
        },
        Standing {
            dialling: Dialling::OtherIsFormer,
            ..crossing
        },
    ] {
        assert!(!new.gives_way_to(present, true, true), "{new:?}");
    }
}
