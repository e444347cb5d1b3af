//! The herd as this server sees it: its servers, its links, and how far each is behind.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::link_ends::{LinkEnd, LinkState, combine};
use herd_gossip::links::Links;
use herd_replica::link_words::LinkWord;
use herd_replica::status::MemberStatus;
use herd_replication::figures::Figures;
use herd_topology::Topology;

/// The herd, for a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct HerdPicture {
    cluster: String,
    servers: Vec<ServerPicture>,
    links: Vec<LinkPicture>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct ServerPicture {
    name: String,
    state: ServerState,
    /// Where its own page is, as the topology has it.
    http: String,
}

/// The knowledge of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum ServerState {
    /// It is the one that tells.
    Here,
    /// Gossip holds it for live.
    Up,
    /// It was heard of, and is gone.
    Down,
    /// It was not heard of since this server started.
    Unheard,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct LinkPicture {
    /// Places in `servers`.
    a: usize,
    b: usize,
    state: LinkState,
    /// Groups that one end has published and the other has not merged yet.
    lag: Option<u64>,
}

/// Where the picture comes from.
pub struct HerdSource {
    /// The herd as it should be.
    pub topology: Arc<Topology>,
    /// How it is, as far as this server can tell.
    pub links: Arc<Links>,
    /// Its view of servers to which it has no link.
    pub replication: Arc<Figures>,
}

impl HerdSource {
    /// The herd as it is now.
    #[must_use]
    pub(super) fn picture(&self) -> HerdPicture {
        let me = self.topology.index_of(&self.links.view.me);
        let members = self.replication.status().members;
        let servers = self.servers(&members);
        let words = newest_words(&members);
        let end = |of: usize, neighbour: usize| {
            let (Some(of), Some(neighbour)) = (servers.get(of), servers.get(neighbour)) else {
                return LinkEnd::Gone;
            };
            let said = words.get(&*of.name);
            match said.and_then(|said| said.get(&*neighbour.name)) {
                Some(word) => LinkEnd::Says(word),
                None if matches!(of.state, ServerState::Down | ServerState::Unheard) => {
                    LinkEnd::Gone
                }
                None => LinkEnd::Silent,
            }
        };
        let links = self.topology.links().iter().map(|link| {
            let other = match me {
                Some(me) if link.a == me => Some(link.b),
                Some(me) if link.b == me => Some(link.a),
                _ => None,
            };
            let (state, lag) = match other.and_then(|place| servers.get(place)) {
                Some(server) => self.own_link(&server.name),
                None => combine([end(link.a, link.b), end(link.b, link.a)]),
            };
            LinkPicture {
                a: link.a,
                b: link.b,
                state,
                lag,
            }
        });
        HerdPicture {
            cluster: self.topology.cluster().to_string(),
            links: links.collect(),
            servers,
        }
    }

    fn servers(&self, members: &[MemberStatus]) -> Vec<ServerPicture> {
        let state = |name: &str| {
            if *name == *self.links.view.me {
                return ServerState::Here;
            }
            let linked = self.links.neighbour(name).is_some_and(|n| n.is_up());
            let mut incarnations = members
                .iter()
                .filter(|member| *member.sighting.incarnation.server == *name)
                .peekable();
            if linked {
                ServerState::Up
            } else if incarnations.peek().is_none() {
                ServerState::Unheard
            } else if incarnations.any(|member| member.sighting.live && !member.gone) {
                ServerState::Up
            } else {
                ServerState::Down
            }
        };
        let servers = self.topology.servers().iter().map(|server| ServerPicture {
            name: server.name.to_string(),
            state: state(&server.name),
            http: server.http.to_string(),
        });
        servers.collect()
    }

    fn own_link(&self, neighbour: &str) -> (LinkState, Option<u64>) {
        let Some(neighbour) = self.links.neighbour(neighbour).filter(|n| n.is_up()) else {
            return (LinkState::Down, None);
        };
        (LinkState::Up, self.links.lag_of(neighbour))
    }
}

/// By server and neighbour: the report of the newest live incarnation of each server about its links.
fn newest_words(members: &[MemberStatus]) -> BTreeMap<&str, BTreeMap<&str, &LinkWord>> {
    let mut newest: BTreeMap<&str, &MemberStatus> = BTreeMap::new();
    for member in members {
        let incarnation = &member.sighting.incarnation;
        let known = newest.entry(&incarnation.server).or_insert(member);
        if known.sighting.incarnation.generation < incarnation.generation {
            *known = member;
        }
    }
    let words = newest
        .into_iter()
        .map(|(name, member)| (name, member.words()));
    words.collect()
}
