//! The allowed connections.

use herd_integration_tests::containers::{Manifests, OnlinePlaces};
use k8s_openapi::api::networking::v1::{
    NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

fn ports(ports: Option<&Vec<NetworkPolicyPort>>) -> Vec<(String, String)> {
    let port = |port: &NetworkPolicyPort| {
        let number = match port.port.as_ref().unwrap() {
            IntOrString::Int(number) => number.to_string(),
            IntOrString::String(name) => name.clone(),
        };
        (port.protocol.clone().unwrap(), number)
    };
    ports.unwrap().iter().map(port).collect()
}

fn tcp(port: &str) -> (String, String) {
    ("TCP".to_owned(), port.to_owned())
}

/// The one label that a rule lets in, and whether in any namespace.
fn allowed(peers: Option<&Vec<NetworkPolicyPeer>>) -> (String, bool) {
    let [peer] = &peers.unwrap()[..] else {
        panic!("not one peer: {peers:?}");
    };
    assert_eq!(peer.ip_block, None);
    let selector = peer.pod_selector.as_ref().unwrap();
    assert_eq!(selector.match_expressions, None);
    let labels: Vec<String> = selector
        .match_labels
        .iter()
        .flatten()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    assert_eq!(labels.len(), 1, "an empty selector lets everyone in");
    (labels[0].clone(), peer.namespace_selector.is_some())
}

fn spec(policy: &k8s_openapi::api::networking::v1::NetworkPolicy) -> &NetworkPolicySpec {
    policy.spec.as_ref().unwrap()
}

#[test]
fn the_policies_open_each_port_to_its_users_only() {
    let manifests = Manifests::read().unwrap();
    let policy = spec(&manifests.network_policy);
    let own = "app.kubernetes.io/name=herd".to_owned();
    let set = manifests.stateful_set.spec.as_ref().unwrap();
    assert_eq!(
        policy.pod_selector.as_ref().unwrap().match_labels,
        set.selector.match_labels
    );
    let types: Vec<&str> = policy.policy_types.iter().flatten().map(|t| &**t).collect();
    assert_eq!(types, ["Ingress", "Egress"]);
    let rule =
        |rule: &NetworkPolicyIngressRule| (allowed(rule.from.as_ref()), ports(rule.ports.as_ref()));
    let ingress: Vec<_> = policy.ingress.iter().flatten().map(rule).collect();
    assert_eq!(
        ingress,
        [
            (("herd-client=true".to_owned(), true), vec![tcp("client")]),
            ((own.clone(), false), vec![tcp("peer")]),
            (("herd-scraper=true".to_owned(), true), vec![tcp("http")]),
        ]
    );
    for (_, ports) in &ingress {
        // They are names of ports that there are.
        manifests.port(&ports[0].1);
    }
    let [peers, names] = &policy.egress.as_ref().unwrap()[..] else {
        panic!("{:?}", policy.egress);
    };
    assert_eq!(allowed(peers.to.as_ref()), (own, false));
    assert_eq!(ports(peers.ports.as_ref()), [tcp("peer")]);
    assert_eq!(names.to, None);
    assert_eq!(
        ports(names.ports.as_ref()),
        [("UDP".to_owned(), "53".to_owned()), tcp("53")]
    );
}

#[test]
fn https_goes_out_only_with_an_online_provider() {
    let manifests = Manifests::read().unwrap();
    let online = OnlinePlaces::read().unwrap();
    let policy = spec(&online.network_policy);
    assert_eq!(
        policy.pod_selector,
        spec(&manifests.network_policy).pod_selector
    );
    let types: Vec<&str> = policy.policy_types.iter().flatten().map(|t| &**t).collect();
    assert_eq!((types, &policy.ingress), (vec!["Egress"], &None));
    let [rule] = &policy.egress.as_ref().unwrap()[..] else {
        panic!("{policy:?}");
    };
    assert_eq!(
        (ports(rule.ports.as_ref()), &rule.to),
        (vec![tcp("443")], &None)
    );
    assert_eq!(
        online.patch.metadata.name,
        manifests.stateful_set.metadata.name
    );
    let patched = online.patch.spec.unwrap().template.spec.unwrap().containers;
    assert_eq!(patched[0].name, manifests.container().name);
    let set = |name: &str| {
        let mut variables = patched[0].env.iter().flatten();
        variables
            .find(|variable| variable.name == name)
            .unwrap()
            .clone()
    };
    assert_eq!(set("HERD_PLACES").value.as_deref(), Some("google"));
    let key = set("HERD_PLACES_KEY");
    assert!(key.value.is_none() && key.value_from.unwrap().secret_key_ref.is_some());
    let of_the_base = manifests.container().env.iter().flatten();
    assert!(
        of_the_base
            .into_iter()
            .all(|variable| !variable.name.starts_with("HERD_PLACES"))
    );
}
