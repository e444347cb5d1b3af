//! Compares the reports of several servers about themselves and each other: troubles and disagreements. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::document::Status;

/// A server that lags by more groups than this is in trouble; a smaller lag comes with load.
pub const LAG_TROUBLE_GROUPS: u64 = 100;

/// A server that was asked, and its answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatusAnswer {
    /// Where: `host:port` of its HTTP port.
    pub at: String,
    /// Its name, if it is known from a topology.
    pub name: Option<String>,
    /// Its status; nothing if there was no answer.
    pub status: Option<Status>,
    /// Why there was none.
    pub error: Option<String>,
}

impl StatusAnswer {
    /// The name for messages.
    #[must_use]
    pub fn label(&self) -> &str {
        let said = self.status.as_ref().map(|status| &status.server);
        said.or(self.name.as_ref()).unwrap_or(&self.at)
    }
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerRow {
    /// The server.
    pub server: String,
    /// `ready`, `not ready`, `no answer`, or `not asked`.
    pub state: &'static str,
    /// For how long it has run.
    pub uptime_s: Option<u64>,
    /// Clients that it knows.
    pub clients: Option<u64>,
    /// Links that are up, and all.
    pub links: Option<(usize, usize)>,
    /// Groups of all others that it has not merged, together.
    pub lag_groups: Option<u64>,
    /// The state of its store.
    pub store: Option<String>,
    /// How many of the others that answered hold it for alive, and how many answered.
    pub alive_to: (usize, usize),
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The herd, by those that answered; several if they are not of one.
    pub clusters: Vec<String>,
    /// One line for each server that was asked or that another one names.
    pub rows: Vec<ServerRow>,
    /// The troubles, in words.
    pub troubles: Vec<String>,
}

/// Puts the answers side by side.
#[must_use]
pub fn compare(answers: &[StatusAnswer]) -> Comparison {
    let said: Vec<&Status> = answers.iter().filter_map(|a| a.status.as_ref()).collect();
    let mut troubles = Vec::new();
    let mut clusters: Vec<String> = said.iter().map(|status| status.cluster.clone()).collect();
    clusters.sort();
    clusters.dedup();
    if clusters.len() > 1 {
        troubles.push(format!("servers of several herds: {}", clusters.join(", ")));
    }
    let mut rows: Vec<ServerRow> = answers.iter().map(|answer| row(answer, &said)).collect();
    for name in said.iter().flat_map(|status| &status.topology.servers) {
        if !rows.iter().any(|row| row.server == *name) {
            rows.push(not_asked(name, &said));
        }
    }
    for answer in answers {
        troubles.extend(own_troubles(answer));
    }
    for row in &rows {
        let deniers: Vec<&str> = others(&row.server, &said)
            .filter(|(_, alive)| !alive)
            .map(|(status, _)| status.server.as_str())
            .collect();
        if !deniers.is_empty() {
            let who = deniers.join(", ");
            troubles.push(format!("{} is dead to {who}", row.server));
        }
    }
    troubles.extend(differing_topologies(&said));
    troubles.extend(differing_incarnations(&said));
    troubles.extend(differing_counts(&said));
    Comparison {
        clusters,
        rows,
        troubles,
    }
}

/// The status of every other server that answered, and whether it considers `name` alive.
fn others<'a>(
    name: &'a str,
    said: &'a [&'a Status],
) -> impl Iterator<Item = (&'a Status, bool)> + 'a {
    said.iter().filter_map(move |status| {
        let other = status.servers.iter().find(|other| other.name == *name)?;
        Some((*status, other.alive))
    })
}

fn alive_to(name: &str, said: &[&Status]) -> (usize, usize) {
    let alive = others(name, said).filter(|(_, alive)| *alive).count();
    (alive, others(name, said).count())
}

fn lag_groups(status: &Status) -> u64 {
    status.servers.iter().filter_map(|s| s.lag_groups).sum()
}

fn row(answer: &StatusAnswer, said: &[&Status]) -> ServerRow {
    let server = answer.label().to_owned();
    let alive_to = alive_to(&server, said);
    let Some(status) = &answer.status else {
        return ServerRow {
            server,
            state: "no answer",
            alive_to,
            ..not_asked("", &[])
        };
    };
    let up = status.links.iter().filter(|link| link.up).count();
    ServerRow {
        server,
        state: if status.ready { "ready" } else { "not ready" },
        uptime_s: Some(status.uptime_s),
        clients: Some(status.map.clients),
        links: Some((up, status.links.len())),
        lag_groups: Some(lag_groups(status)),
        store: Some(status.storage.state.clone()),
        alive_to,
    }
}

fn not_asked(name: &str, said: &[&Status]) -> ServerRow {
    ServerRow {
        server: name.to_owned(),
        state: "not asked",
        uptime_s: None,
        clients: None,
        links: None,
        lag_groups: None,
        store: None,
        alive_to: alive_to(name, said),
    }
}

/// Troubles that a server reports of itself.
fn own_troubles(answer: &StatusAnswer) -> Vec<String> {
    let label = answer.label();
    let Some(status) = &answer.status else {
        let reason = answer.error.as_deref().unwrap_or("no answer");
        return vec![format!("{label} at {}: {reason}", answer.at)];
    };
    let mut troubles = Vec::new();
    if let Some(asked) = answer.name.as_ref().filter(|name| **name != status.server) {
        let at = &answer.at;
        troubles.push(format!("at {at} answers {label}, where {asked} should be"));
    }
    if !status.ready {
        let reason = status.not_ready_because.as_deref().unwrap_or("no reason");
        troubles.push(format!("{label} is not ready: {reason}"));
    }
    if let Some(error) = &status.storage.error {
        troubles.push(format!("{label} has lost its store: {error}"));
    }
    if status.map.slowed {
        troubles.push(format!(
            "{label} slows its clients down, since its neighbours do not keep up"
        ));
    }
    for link in status.links.iter().filter(|link| !link.up) {
        let (neighbour, since_s) = (&link.neighbour, link.since_s);
        let address = &link.address;
        troubles.push(format!(
            "{label} has had no link to {neighbour} ({address}) for {since_s} s"
        ));
    }
    for other in &status.servers {
        if let Some(lag) = other.lag_groups.filter(|lag| *lag > LAG_TROUBLE_GROUPS) {
            troubles.push(format!("{label} lags {lag} groups behind {}", other.name));
        }
    }
    troubles
}

fn differing_topologies(said: &[&Status]) -> Option<String> {
    let first = said.first()?;
    let other = said.iter().find(|status| {
        let names = |status: &Status| {
            let mut names = status.topology.servers.clone();
            names.sort();
            names
        };
        status.cluster == first.cluster && names(status) != names(first)
    })?;
    Some(format!(
        "{} and {} have different topologies: give all servers the same file",
        first.server, other.server
    ))
}

/// A server that others know by an incarnation which is not the one that answers.
fn differing_incarnations(said: &[&Status]) -> Vec<String> {
    let mut troubles = Vec::new();
    for status in said {
        for other in &status.servers {
            let Some(own) = said.iter().find(|own| own.server == other.name) else {
                continue;
            };
            let known = other.incarnation.as_ref();
            if other.alive && known.is_some_and(|known| *known != own.incarnation) {
                troubles.push(format!(
                    "{} knows another incarnation of {} than the one that answers",
                    status.server, other.name
                ));
            }
        }
    }
    troubles
}

/// Servers that know different numbers of clients. While one lags behind, that is why.
fn differing_counts(said: &[&Status]) -> Option<String> {
    if said.iter().any(|status| lag_groups(status) > 0) {
        return None;
    }
    let mut counts: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for status in said {
        let servers = counts.entry(status.map.clients).or_default();
        servers.push(&status.server);
    }
    if counts.len() < 2 {
        return None;
    }
    let counts = counts
        .iter()
        .map(|(clients, servers)| format!("{clients} at {}", servers.join(", ")));
    let counts: Vec<String> = counts.collect();
    Some(format!(
        "servers know different numbers of clients: {}",
        counts.join("; ")
    ))
}

#[cfg(test)]
#[path = "comparison_tests.rs"]
mod tests;
