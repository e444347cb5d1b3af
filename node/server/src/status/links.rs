//! The links of a herd by the reports of both ends, and the parts into which the herd falls. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{LinkStatus, Status};

/// A link of a herd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRow {
    /// The servers at its ends.
    pub ends: [String; 2],
    /// Whether it is up, as far as an end says so.
    pub up: Option<bool>,
    /// For how long, at least.
    pub since_s: Option<u64>,
    /// The most groups of one end that the other has not merged.
    pub lag_groups: Option<u64>,
    /// The clock of the second end less that of the first.
    pub clock_offset_ms: Option<i64>,
    /// Why it was lost last, or could not be made since.
    pub last_reason: Option<String>,
}

/// The links of the topology of the first server that answered.
pub(super) fn links(said: &[&Status]) -> Vec<LinkRow> {
    let pairs = said.first().map(|first| &first.topology.links);
    pairs
        .into_iter()
        .flatten()
        .map(|ends| link(ends, said))
        .collect()
}

fn link(ends: &[String; 2], said: &[&Status]) -> LinkRow {
    let [a, b] = ends;
    let (of_a, of_b) = (told(a, b, said), told(b, a, said));
    let both = || of_a.into_iter().chain(of_b);
    let up = both().map(|link| link.up).reduce(|one, other| one && other);
    // The one that holds it for down knows more of it.
    let reason = both().filter(|link| link.up == up.unwrap_or_default());
    LinkRow {
        ends: ends.clone(),
        up,
        since_s: both().map(|link| link.since_s).min(),
        lag_groups: both().filter_map(|link| link.lag_groups).max(),
        clock_offset_ms: of_a
            .and_then(|link| link.clock_offset_ms)
            .or_else(|| Some(-of_b?.clock_offset_ms?)),
        last_reason: best_reason(reason.filter_map(|link| link.last_reason.as_deref())),
    }
}

/// What a server says of its link to a neighbour.
fn told<'a>(server: &str, neighbour: &str, said: &'a [&Status]) -> Option<&'a LinkStatus> {
    let status = said.iter().find(|status| status.server == *server)?;
    status
        .links
        .iter()
        .find(|link| link.neighbour == *neighbour)
}

/// The reason that says more: an end that did not begin the end of a link only knows that it was closed.
fn best_reason<'a>(reasons: impl Iterator<Item = &'a str>) -> Option<String> {
    let says_little = |reason: &&str| reason.starts_with("closed by the other side");
    reasons.min_by_key(says_little).map(str::to_owned)
}

/// Whether a server runs, as far as is known: it answered, or another one holds it for alive.
pub(super) fn runs(server: &str, said: &[&Status]) -> bool {
    let is_alive = |status: &&Status| {
        status
            .servers
            .iter()
            .any(|other| other.name == *server && other.alive)
    };
    said.iter().any(|status| status.server == *server) || said.iter().any(is_alive)
}

/// The servers that run, in groups that links join, in the order of the topology.
pub(super) fn parts(said: &[&Status]) -> Vec<Vec<String>> {
    let Some(first) = said.first() else {
        return Vec::new();
    };
    let running = first
        .topology
        .servers
        .iter()
        .filter(|name| runs(name, said));
    let running: Vec<&str> = running.map(String::as_str).collect();
    let mut joined: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (a, b) in up_links(said) {
        joined.entry(a).or_default().insert(b);
        joined.entry(b).or_default().insert(a);
    }
    let mut seen = BTreeSet::new();
    let mut parts = Vec::new();
    for name in &running {
        let mut reached = BTreeSet::new();
        let mut open = vec![*name];
        while let Some(name) = open.pop() {
            if seen.insert(name) {
                reached.insert(name);
                open.extend(joined.get(name).into_iter().flatten());
            }
        }
        let part = running.iter().filter(|name| reached.contains(**name));
        let part: Vec<String> = part.map(|name| (*name).to_owned()).collect();
        if !part.is_empty() {
            parts.push(part);
        }
    }
    parts
}

/// The links that both ends hold for up, or the one that says something.
fn up_links<'a>(said: &'a [&'a Status]) -> Vec<(&'a str, &'a str)> {
    let mut told: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    let mut note = |server: &'a str, neighbour: &'a str, up: bool| {
        let ends = (server.min(neighbour), server.max(neighbour));
        *told.entry(ends).or_insert(true) &= up;
    };
    for status in said {
        for link in &status.links {
            note(&status.server, &link.neighbour, link.up);
        }
        // Only of servers that do not speak for themselves: others repeat what they heard some time ago.
        let silent = status
            .servers
            .iter()
            .filter(|other| other.alive && !said.iter().any(|status| status.server == other.name));
        for other in silent {
            for link in &other.links {
                note(&other.name, &link.neighbour, link.up);
            }
        }
    }
    told.into_iter()
        .filter(|(_, up)| *up)
        .map(|(ends, _)| ends)
        .collect()
}
