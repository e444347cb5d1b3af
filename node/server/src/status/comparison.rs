//! Compares the reports of several servers about themselves and each other: troubles and disagreements. Pure.

use serde::Serialize;

use super::document::Status;
use super::links::{self, LinkRow};
use super::troubles;

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
    /// Whether a server answered, if only that it does not tell.
    pub reached: bool,
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
    /// `ready`, `not ready`, `no answer`, `does not tell`, or `not asked`.
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
    /// For how long its certificate for links is valid yet; 0 if it is over.
    pub certificate_left_s: Option<u64>,
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
    /// One line for each link.
    pub links: Vec<LinkRow>,
    /// The troubles, in words, the cause first.
    pub troubles: Vec<String>,
}

/// Puts the answers side by side.
#[must_use]
pub fn compare(answers: &[StatusAnswer]) -> Comparison {
    let said: Vec<&Status> = answers.iter().filter_map(|a| a.status.as_ref()).collect();
    let mut clusters: Vec<String> = said.iter().map(|status| status.cluster.clone()).collect();
    clusters.sort();
    clusters.dedup();
    let mut rows: Vec<ServerRow> = answers.iter().map(|answer| row(answer, &said)).collect();
    for name in said.iter().flat_map(|status| &status.topology.servers) {
        if !rows.iter().any(|row| row.server == *name) {
            rows.push(not_asked(name, &said));
        }
    }
    let (parts, links) = (links::parts(&said), links::links(&said));
    Comparison {
        troubles: troubles::troubles(answers, &said, &parts, &links),
        clusters,
        rows,
        links,
    }
}

fn alive_to(name: &str, said: &[&Status]) -> (usize, usize) {
    let others = || {
        said.iter().filter_map(|status| {
            let other = status.servers.iter().find(|other| other.name == *name)?;
            Some(other.alive)
        })
    };
    (others().filter(|alive| *alive).count(), others().count())
}

/// Groups of all others that a server has not merged.
pub(super) fn lag_groups(status: &Status) -> u64 {
    status.servers.iter().filter_map(|s| s.lag_groups).sum()
}

fn row(answer: &StatusAnswer, said: &[&Status]) -> ServerRow {
    let server = answer.label().to_owned();
    let alive_to = alive_to(&server, said);
    let Some(status) = &answer.status else {
        return ServerRow {
            server,
            state: if answer.reached {
                "does not tell"
            } else {
                "no answer"
            },
            alive_to,
            ..not_asked("", &[])
        };
    };
    let up = status.links.iter().filter(|link| link.up).count();
    let certificate_end = status.certificates.links_end.as_deref();
    let left_s = certificate_end.and_then(|end| troubles::left(end, &status.time));
    ServerRow {
        server,
        state: if status.ready { "ready" } else { "not ready" },
        uptime_s: Some(status.uptime_s),
        clients: Some(status.map.clients),
        links: Some((up, status.links.len())),
        lag_groups: Some(lag_groups(status)),
        store: Some(status.storage.state.clone()),
        certificate_left_s: left_s.map(|left_s| u64::try_from(left_s).unwrap_or(0)),
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
        certificate_left_s: None,
        alive_to: alive_to(name, said),
    }
}

#[cfg(test)]
#[path = "comparison_tests.rs"]
mod tests;
