//! Which server of the topology this one is: by its name, or by the number of its pod.

use crate::settings::{Given, Mistake, Origin, Resolver, Setting};
use herd_topology::{Host, Server, Topology};

/// The settings that choose this server.
#[derive(Clone, Debug)]
pub(super) enum OwnServer {
    /// Its name.
    Name(Given),
    /// The name of a pod and the number at its end.
    Pod(Given, usize),
}

impl OwnServer {
    pub(super) fn origin(&self) -> &Origin {
        match self {
            OwnServer::Name(given) | OwnServer::Pod(given, _) => &given.origin,
        }
    }
}

/// The given one of name and pod's name.
pub(super) fn given(resolver: &mut Resolver<'_>) -> Option<OwnServer> {
    let pod = resolver.given(Setting::PodName);
    match (resolver.given(Setting::Name), pod) {
        (Some(name), None) => Some(OwnServer::Name(name)),
        (None, Some(pod)) => {
            let number = pod_number(&pod.text);
            if number.is_none() {
                resolver.mistake(Mistake::Value {
                    origin: pod.origin.clone(),
                    text: pod.text.clone(),
                    reason: "is not the name of a StatefulSet's pod, such as `herd-0`".to_owned(),
                });
            }
            Some(OwnServer::Pod(pod, number?))
        }
        (Some(name), Some(pod)) => {
            resolver.mistake(Mistake::Contradiction {
                first: Setting::PodName,
                first_origin: pod.origin,
                second: Setting::Name,
                second_origin: name.origin,
                reason: "each says which server this is",
            });
            None
        }
        (None, None) => {
            resolver.mistake(Mistake::Missing(Setting::Name));
            None
        }
    }
}

/// The server that is meant.
pub(super) fn find<'t>(
    resolver: &mut Resolver<'_>,
    given: &OwnServer,
    topology: &'t Topology,
) -> Option<&'t Server> {
    let (own, mistake) = match given {
        OwnServer::Name(name) => (
            topology.server(&name.text),
            Mistake::UnknownServer {
                origin: name.origin.clone(),
                name: name.text.clone(),
                known: names(topology),
            },
        ),
        OwnServer::Pod(pod, index) => (
            topology.servers().get(*index),
            Mistake::PodBeyondTopology {
                origin: pod.origin.clone(),
                pod: pod.text.clone(),
                number: index.saturating_add(1),
                servers: topology.servers().len(),
            },
        ),
    };
    let Some(own) = own else {
        resolver.mistake(mistake);
        return None;
    };
    if let OwnServer::Pod(pod, index) = given
        && let Host::Name(host) = &own.peer.host
        && is_another_pod(host, &pod.text, *index)
    {
        resolver.mistake(Mistake::Value {
            origin: pod.origin.clone(),
            text: pod.text.clone(),
            reason: format!(
                "is not the pod at whose address {} is, {host}, so the others would not find it: a namePrefix, a \
                 nameSuffix or the name of the release has changed the names of pods, but not those in the topology; \
                 change them there too, or leave the names and give each herd a namespace of its own",
                own.name
            ),
        });
        return None;
    }
    Some(own)
}

/// Whether `host`, a server's in the topology, is that of a pod of another StatefulSet with the number of `pod`.
fn is_another_pod(host: &str, pod: &str, index: usize) -> bool {
    let Some((of_topology, _service)) = host.split_once('.') else {
        return false;
    };
    of_topology != pod && pod_number(of_topology) == Some(index)
}

/// The number at the end of a pod's name, from 0: `herd-4` is 4.
fn pod_number(pod: &str) -> Option<usize> {
    let (set, number) = pod.rsplit_once('-')?;
    let number: usize = number.parse().ok().filter(|_| !set.is_empty())?;
    // Else `herd-+1` and `herd-01` would be numbers too.
    (pod == format!("{set}-{number}")).then_some(number)
}

/// The names that a user may have meant.
fn names(topology: &Topology) -> String {
    const LISTED_MAX: usize = 10;
    let servers = topology.servers();
    let listed: Vec<&str> = servers.iter().take(LISTED_MAX).map(|s| &*s.name).collect();
    match servers.len().saturating_sub(LISTED_MAX) {
        0 => listed.join(", "),
        more => format!("{} and {more} more", listed.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_of_another_set_are_told_from_those_of_the_topology() {
        assert!(is_another_pod("herd-0.herd-peers", "my-herd-0", 0));
        assert!(!is_another_pod("herd-0.herd-peers", "herd-0", 0));
        // Hosts that are no pods say nothing.
        for host in ["hill.example.org", "herd-0", "node-7.example.org"] {
            assert!(!is_another_pod(host, "my-herd-0", 0), "{host}");
        }
    }

    #[test]
    fn pods_are_numbered_as_a_stateful_set_does() {
        for (pod, number) in [("herd-0", 0), ("my-herd-12", 12), ("a-999999", 999_999)] {
            assert_eq!(pod_number(pod), Some(number), "{pod}");
        }
        for pod in [
            "",
            "herd",
            "herd-",
            "-1",
            "herd-01",
            "herd-+1",
            "herd-x",
            "herd-1 ",
            "herd-99999999999999999999999",
        ] {
            assert_eq!(pod_number(pod), None, "{pod}");
        }
    }
}
