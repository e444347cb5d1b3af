//! The herd as this server sees it: its servers, its links, and how far each is behind.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tokio::time::Instant;

use super::link_ends::{LinkState, combine};
use herd_crdt::NANOSECONDS_PER_SECOND;
use herd_gossip::links::Links;
use herd_replica::link_words::LinkWord;
use herd_replica::status::MemberStatus;
use herd_replication::figures::Figures;
use herd_topology::Topology;

/// The herd, for a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct HerdPicture {
    cluster: String,
    /// Whether this server has neighbours and a link to none of them: it hears nothing of the others.
    cut_off: bool,
    servers: Vec<ServerPicture>,
    links: Vec<LinkPicture>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct ServerPicture {
    name: String,
    state: ServerState,
    /// When it was last heard of, in s since the epoch, if it is not heard of now and was since this server started.
    heard_s: Option<i64>,
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
    /// It was heard of, and is gone; or it is cut off from here.
    Down,
    /// It was not heard of since this server started.
    Unheard,
    /// This server is cut off from all others, and cannot tell.
    Unknown,
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
    /// The herd as it is at this time of the server's clock.
    #[must_use]
    pub(super) fn picture(&self, now_ns: i64) -> HerdPicture {
        let me = self.topology.index_of(&self.links.view.me);
        let members = self.replication.status().members;
        let cut_off = self.is_cut_off();
        let servers = self.servers(&members, cut_off, now_ns);
        let words = newest_words(&members);
        let end = |of: usize, neighbour: usize| {
            let (of, neighbour) = (servers.get(of)?, servers.get(neighbour)?);
            // Of one that is not heard of, the last words are old.
            let said = words
                .get(&*of.name)
                .filter(|_| of.state == ServerState::Up)?;
            said.get(&*neighbour.name).copied()
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
            cut_off,
            links: links.collect(),
            servers,
        }
    }

    fn is_cut_off(&self) -> bool {
        let mut neighbours = self.topology.neighbours(&self.links.view.me).peekable();
        neighbours.peek().is_some()
            && neighbours.all(|place| {
                let link = self.links.neighbour(&place.name);
                link.is_none_or(|link| !link.is_up())
            })
    }

    fn servers(&self, members: &[MemberStatus], cut_off: bool, now_ns: i64) -> Vec<ServerPicture> {
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
            } else if cut_off {
                ServerState::Unknown
            } else if incarnations.peek().is_none() {
                ServerState::Unheard
            } else if incarnations.any(|member| member.sighting.live && !member.gone) {
                ServerState::Up
            } else {
                ServerState::Down
            }
        };
        let servers = self.topology.servers().iter().map(|server| {
            let state = state(&server.name);
            let is_heard = matches!(state, ServerState::Here | ServerState::Up);
            ServerPicture {
                name: server.name.to_string(),
                heard_s: heard_s(members, &server.name, now_ns).filter(|_| !is_heard),
                http: server.http.to_string(),
                state,
            }
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

/// When gossip last heard of any incarnation of a server, in s since the epoch.
fn heard_s(members: &[MemberStatus], name: &str, now_ns: i64) -> Option<i64> {
    let of_it = members
        .iter()
        .filter(|member| *member.sighting.incarnation.server == *name);
    let last = of_it.map(|member| member.last_live).max()?;
    let ago = Instant::now().into_std().saturating_duration_since(last);
    let ago_ns = i64::try_from(ago.as_nanos()).ok()?;
    Some(
        now_ns
            .saturating_sub(ago_ns)
            .div_euclid(NANOSECONDS_PER_SECOND),
    )
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
