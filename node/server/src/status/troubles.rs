//! What is wrong, by the reports of several servers about themselves and each other, the cause first. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::comparison::{LAG_TROUBLE_GROUPS, StatusAnswer};
use super::document::Status;
use super::duration::{short_duration, short_seconds};
use super::links::{LinkRow, runs};

/// Clocks that differ by more than this are a trouble, in ms: those of machines that keep time differ by less.
const CLOCK_TROUBLE_MS: i64 = 1_000;

/// A certificate that ends sooner is a trouble.
const CERTIFICATE_TROUBLE: Duration = Duration::from_secs(24 * 60 * 60);

/// All troubles, in words.
pub(super) fn troubles(
    answers: &[StatusAnswer],
    said: &[&Status],
    parts: &[Vec<String>],
    links: &[LinkRow],
) -> Vec<String> {
    let mut troubles = Vec::new();
    if parts.len() > 1 {
        let parts_text: Vec<String> = parts.iter().map(|part| part.join(", ")).collect();
        let count = parts.len();
        troubles.push(format!(
            "The herd is in {count} parts: {}",
            parts_text.join(" | ")
        ));
    }
    troubles.extend(several_herds(said));
    // Servers that do not answer are the cause of what others tell.
    let (told, silent): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status.is_some());
    for answer in silent.into_iter().chain(told) {
        troubles.extend(own_troubles(answer));
    }
    troubles.extend(links_down(links, said));
    troubles.extend(dead_to_some(said, parts));
    troubles.extend(clocks_apart(links));
    troubles.extend(differing_topologies(said));
    troubles.extend(differing_incarnations(said));
    // While the herd is in parts, or one lags behind, that is why.
    if parts.len() <= 1 {
        troubles.extend(differing_counts(said));
    }
    troubles
}

fn several_herds(said: &[&Status]) -> Option<String> {
    let mut clusters: Vec<&str> = said.iter().map(|status| &*status.cluster).collect();
    clusters.sort_unstable();
    clusters.dedup();
    (clusters.len() > 1).then(|| format!("servers of several herds: {}", clusters.join(", ")))
}

/// Troubles that a server reports of itself.
fn own_troubles(answer: &StatusAnswer) -> Vec<String> {
    let label = answer.label();
    let Some(status) = &answer.status else {
        let reason = answer.error.as_deref().unwrap_or("no answer");
        let verb = if answer.reached {
            "does not tell"
        } else {
            "does not answer"
        };
        return vec![format!("{label} {verb} at {}: {reason}", answer.at)];
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
    for other in &status.servers {
        if let Some(lag) = other.lag_groups.filter(|lag| *lag > LAG_TROUBLE_GROUPS) {
            troubles.push(format!("{label} lags {lag} groups behind {}", other.name));
        }
    }
    let certificates = &status.certificates;
    for (of, end) in [
        ("links", &certificates.links_end),
        ("the client port", &certificates.clients_end),
    ] {
        let left = end.as_deref().and_then(|end| left(end, &status.time));
        troubles.extend(left.and_then(|left| certificate_trouble(label, of, left)));
    }
    troubles
}

/// The time from `now` until `end`, in seconds; both are RFC 3339.
pub(super) fn left(end: &str, now: &str) -> Option<i64> {
    let (end, now): (Timestamp, Timestamp) = (end.parse().ok()?, now.parse().ok()?);
    Some(end.as_second() - now.as_second())
}

fn certificate_trouble(label: &str, of: &str, left_s: i64) -> Option<String> {
    let time = short_seconds(left_s.unsigned_abs());
    if left_s <= 0 {
        return Some(format!(
            "the certificate of {label} for {of} ended {time} ago"
        ));
    }
    (left_s.unsigned_abs() < CERTIFICATE_TROUBLE.as_secs())
        .then(|| format!("the certificate of {label} for {of} ends in {time}"))
}

/// Links that are down between servers that run.
fn links_down(links: &[LinkRow], said: &[&Status]) -> Vec<String> {
    let down = links.iter().filter(|link| link.up == Some(false));
    let down = down.filter(|link| link.ends.iter().all(|end| runs(end, said)));
    let told = down.map(|link| {
        let [a, b] = &link.ends;
        let since = link.since_s.map(short_seconds).unwrap_or_default();
        let reason = link.last_reason.as_ref();
        let reason = reason
            .map(|reason| format!(": {reason}"))
            .unwrap_or_default();
        format!("{a} and {b} have had no link for {since}{reason}")
    });
    told.collect()
}

/// Servers that some hold for dead and others for alive, though they are in one part of the herd.
fn dead_to_some(said: &[&Status], parts: &[Vec<String>]) -> Vec<String> {
    let mut deniers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for status in said {
        for other in status.servers.iter().filter(|other| !other.alive) {
            let is_together =
                |part: &&Vec<String>| part.contains(&other.name) && part.contains(&status.server);
            if parts.iter().any(|part| is_together(&part)) {
                deniers.entry(&other.name).or_default().push(&status.server);
            }
        }
    }
    let told = deniers
        .iter()
        .map(|(server, who)| format!("{server} is dead to {}", who.join(", ")));
    told.collect()
}

fn clocks_apart(links: &[LinkRow]) -> Vec<String> {
    let apart = links.iter().filter_map(|link| {
        let offset_ms = link.clock_offset_ms?;
        let [a, b] = &link.ends;
        let (ahead, behind) = if offset_ms > 0 { (b, a) } else { (a, b) };
        let by = short_duration(Duration::from_millis(offset_ms.unsigned_abs()));
        (offset_ms.abs() > CLOCK_TROUBLE_MS)
            .then(|| format!("the clock of {ahead} is {by} ahead of that of {behind}"))
    });
    apart.collect()
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
    if said
        .iter()
        .any(|status| super::comparison::lag_groups(status) > 0)
    {
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
