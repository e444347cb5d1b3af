//! The parts of a deployment fit together, and the program accepts its arguments.

use std::collections::BTreeMap;
use std::process::Command;

use herd_integration_tests::containers::{Manifests, documents, folder};
use herd_integration_tests::{binary, herd_certs};
use k8s_openapi::api::core::v1::{Probe, Service, VolumeMount};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// How long the program may take to stop after its drain delay, in seconds: docs/configuration.md.
const STOP_S: i64 = 8;

/// The secret with the certificates of links.
const LINKS_SECRET: &str = "herd-links";

#[test]
fn every_manifest_is_deployed_and_no_field_of_one_is_lost() {
    let manifests = Manifests::read().unwrap();
    let mut found: Vec<String> = documents()
        .unwrap()
        .into_iter()
        .map(|(path, _)| path.display().to_string())
        .filter(|path| !path.contains('/'))
        .collect();
    let mut deployed = manifests.resources;
    deployed.sort_unstable();
    found.sort_unstable();
    assert_eq!(deployed, found);
    // `Manifests::read` has read each document as its type: `typed` loses no field.
    assert_eq!(deployed.len(), 6);
}

/// The labels by which everything finds the pods. All pods have these, and more.
fn labels(manifests: &Manifests) -> BTreeMap<String, String> {
    let spec = manifests.stateful_set.spec.as_ref().unwrap();
    let of_pods = spec.template.metadata.as_ref().unwrap().labels.as_ref();
    // As all objects.
    assert_eq!(of_pods, Some(&manifests.labels));
    spec.selector.match_labels.clone().unwrap()
}

#[test]
fn selectors_find_the_pods() {
    let manifests = Manifests::read().unwrap();
    let labels = labels(&manifests);
    let budget = manifests.disruption_budget.spec.as_ref().unwrap();
    let selected = budget.selector.as_ref().unwrap().match_labels.as_ref();
    assert_eq!(selected, Some(&labels));
    assert_eq!(budget.max_unavailable, Some(IntOrString::Int(1)));
    // A pod that is not ready would hold a drain up for ever.
    let unhealthy = budget.unhealthy_pod_eviction_policy.as_deref();
    assert_eq!(unhealthy, Some("AlwaysAllow"));
    // Labels that may change are in no selector.
    let [(name, value)] = &labels.iter().collect::<Vec<_>>()[..] else {
        panic!("{labels:?}");
    };
    assert_eq!(manifests.labels.get(*name), Some(*value));
    for label in manifests.labels.keys() {
        assert!(label.starts_with("app.kubernetes.io/"), "{label}");
    }
    for service in [&manifests.service, &manifests.peer_service] {
        let selector = service.spec.as_ref().unwrap().selector.as_ref();
        assert_eq!(selector, Some(&labels));
    }
    for constraint in manifests.pod().topology_spread_constraints.iter().flatten() {
        let selector = constraint.label_selector.as_ref().unwrap();
        assert_eq!(selector.match_labels.as_ref(), Some(&labels));
    }
    let spread = manifests
        .pod()
        .topology_spread_constraints
        .as_ref()
        .unwrap();
    let over: Vec<&str> = spread.iter().map(|s| &*s.topology_key).collect();
    assert_eq!(
        over,
        ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    );
}

#[test]
fn services_lead_to_ports_that_there_are() {
    let manifests = Manifests::read().unwrap();
    let only_port = |service: &Service| {
        let ports = service.spec.as_ref().unwrap().ports.clone().unwrap();
        let [port] = &ports[..] else {
            panic!("{ports:?}");
        };
        let Some(IntOrString::String(target)) = &port.target_port else {
            panic!("{port:?} names no port");
        };
        assert_eq!(port.port, i32::from(manifests.port(target)));
        target.clone()
    };
    assert_eq!(only_port(&manifests.service), "client");
    assert_eq!(only_port(&manifests.peer_service), "peer");
    // Servers find each other before they are ready, by the names of their pods.
    let peers = manifests.peer_service.spec.as_ref().unwrap();
    assert_eq!(peers.cluster_ip.as_deref(), Some("None"));
    assert_eq!(peers.publish_not_ready_addresses, Some(true));
    let spec = manifests.stateful_set.spec.as_ref().unwrap();
    assert_eq!(spec.service_name, manifests.peer_service.metadata.name);
    assert_eq!(spec.pod_management_policy.as_deref(), Some("Parallel"));
    let strategy = spec.update_strategy.as_ref().unwrap();
    assert_eq!(strategy.type_.as_deref(), Some("RollingUpdate"));
    assert_eq!(spec.replicas, None, "the kustomization says how many");
}

#[test]
fn probes_and_grace_fit_the_program() {
    let manifests = Manifests::read().unwrap();
    let container = manifests.container();
    for (probe, path) in [
        (&container.startup_probe, "/healthz"),
        (&container.liveness_probe, "/healthz"),
        (&container.readiness_probe, "/readyz"),
    ] {
        let get = probe.as_ref().unwrap().http_get.as_ref().unwrap();
        assert_eq!(get.path.as_deref(), Some(path));
        assert_eq!(get.port, IntOrString::String("http".to_owned()));
    }
    // A server is killed long after it has stopped being ready.
    let waits_s = |probe: &Option<Probe>| {
        let probe = probe.as_ref().unwrap();
        probe.period_seconds.unwrap() * probe.failure_threshold.unwrap()
    };
    let (alive, ready) = (&container.liveness_probe, &container.readiness_probe);
    assert!(waits_s(alive) >= 10 * waits_s(ready));
    let policy = container.termination_message_policy.as_deref();
    assert_eq!(policy, Some("FallbackToLogsOnError"));
    let (_, report) = check_config(&manifests, 0);
    let row = report
        .lines()
        .find(|line| line.contains("drain_delay"))
        .unwrap();
    let drain: i64 = row
        .split_whitespace()
        .nth(1)
        .and_then(|text| text.strip_suffix('s'))
        .unwrap()
        .parse()
        .unwrap();
    assert!(drain + STOP_S < manifests.grace_s(), "{row}");
    assert_eq!(manifests.pod().enable_service_links, Some(false));
}

#[test]
fn a_pod_has_only_the_rights_it_needs() {
    let manifests = Manifests::read().unwrap();
    let (pod, container) = (manifests.pod(), manifests.container());
    assert_eq!(pod.automount_service_account_token, Some(false));
    let account = &manifests.service_account;
    assert_eq!(pod.service_account_name, account.metadata.name);
    assert_eq!(account.automount_service_account_token, Some(false));
    let security = pod.security_context.as_ref().unwrap();
    assert_eq!(security.run_as_non_root, Some(true));
    let seccomp = security.seccomp_profile.as_ref().unwrap();
    assert_eq!(seccomp.type_, "RuntimeDefault");
    let security = container.security_context.as_ref().unwrap();
    assert_eq!(security.allow_privilege_escalation, Some(false));
    assert_eq!(security.read_only_root_filesystem, Some(true));
    let capabilities = security.capabilities.as_ref().unwrap();
    assert_eq!(capabilities.drop.as_deref(), Some(&["ALL".to_owned()][..]));
    assert_eq!(capabilities.add, None);
    let resources = container.resources.as_ref().unwrap();
    for amounts in [&resources.requests, &resources.limits] {
        let names: Vec<&str> = amounts.iter().flatten().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["cpu", "memory"]);
    }
}

#[test]
fn everything_that_is_mounted_is_there() {
    let manifests = Manifests::read().unwrap();
    let pod = manifests.pod();
    let spec = manifests.stateful_set.spec.as_ref().unwrap();
    let claims = spec.volume_claim_templates.iter().flatten();
    let mut there: Vec<String> = claims
        .map(|claim| claim.metadata.name.clone().unwrap())
        .collect();
    for volume in pod.volumes.iter().flatten() {
        match (&volume.config_map, &volume.secret) {
            (Some(config_map), None) => assert_eq!(config_map.name, manifests.config_map.0),
            (None, Some(secret)) => {
                assert_eq!(secret.secret_name.as_deref(), Some(LINKS_SECRET));
                // The README says how to make it, and only the pod's group can read it.
                let readme = std::fs::read_to_string(folder().join("README.md")).unwrap();
                let made = format!("create secret generic {LINKS_SECRET} --from-file=");
                assert!(readme.contains(&made));
                assert_eq!(secret.default_mode, Some(0o440));
                let security = pod.security_context.as_ref().unwrap();
                assert_eq!(security.fs_group, security.run_as_group);
            }
            _ => panic!("{volume:?}"),
        }
        there.push(volume.name.clone());
    }
    let mounts = manifests.container().volume_mounts.as_ref().unwrap();
    let mut mounted: Vec<String> = mounts.iter().map(|mount| mount.name.clone()).collect();
    there.sort_unstable();
    mounted.sort_unstable();
    assert_eq!(mounted, there);
    // A mount by a path inside a volume never changes.
    let by_path = |mount: &VolumeMount| mount.sub_path.is_some() || mount.sub_path_expr.is_some();
    assert!(!mounts.iter().any(by_path));
}

#[test]
fn image_and_version_are_those_of_the_program() {
    let manifests = Manifests::read().unwrap();
    let image = manifests.container().image.clone().unwrap();
    assert_eq!(manifests.images[&image], env!("CARGO_PKG_VERSION"));
}

/// The output of the program for the settings of a pod, with its ConfigMap in a file: whether it accepts them, and
/// the report.
fn check_config(manifests: &Manifests, index: usize) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    for (key, text) in &manifests.config_map.1 {
        std::fs::write(folder.path().join(key), text).unwrap();
    }
    let container = manifests.container();
    let mounts = container.volume_mounts.as_ref().unwrap();
    let mounted = |name: &str| {
        let mount = mounts.iter().find(|mount| mount.name == name);
        mount.unwrap().mount_path.clone()
    };
    // The paths of the pod, and their replacements here.
    let certificates = folder.path().join("links");
    let topology = folder.path().join("topology");
    herd_certs("new", &topology, &certificates);
    let paths = [
        (mounted("links"), certificates.display().to_string()),
        (mounted("topology"), folder.path().display().to_string()),
    ];
    let in_folder = |argument: &str| {
        let paths = paths.iter();
        paths.fold(argument.to_owned(), |argument, (there, here)| {
            argument.replace(&format!("={there}"), &format!("={here}"))
        })
    };
    let arguments = container.args.iter().flatten().enumerate();
    let arguments = arguments.map(|(place, argument)| match place {
        0 => {
            assert_eq!(argument, "serve");
            "check-config".to_owned()
        }
        _ => in_folder(argument),
    });
    let mut command = Command::new(binary::herd());
    command.args(arguments).env_clear();
    for variable in container.env.iter().flatten() {
        let field = variable
            .value_from
            .as_ref()
            .and_then(|from| from.field_ref.as_ref());
        let value = match field {
            Some(field) => {
                assert_eq!(field.field_path, "metadata.name");
                manifests.pod_name(index)
            }
            None => in_folder(&format!("={}", variable.value.as_ref().unwrap()))
                .trim_start_matches('=')
                .to_owned(),
        };
        command.env(&variable.name, value);
    }
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn the_program_accepts_the_arguments_of_each_pod() {
    let manifests = Manifests::read().unwrap();
    let names = ["Hill", "Jaquez", "Smith", "Campbell", "Singleton"];
    assert_eq!(manifests.replicas, names.len());
    for (index, name) in names.into_iter().enumerate() {
        let (accepted, report) = check_config(&manifests, index);
        assert!(accepted, "{report}");
        assert!(!report.contains("warning"), "{report}");
        let first = format!("server {name} of cluster herd: 5 servers, 6 links\n");
        assert!(report.starts_with(&first), "{report}");
        for port in ["client", "peer", "http"] {
            let number = manifests.port(port);
            let row = format!("{port}_listen");
            let row = report.lines().find(|line| line.starts_with(&row)).unwrap();
            let everywhere = format!(" every interface, port {number}  (topology)");
            assert!(row.ends_with(&everywhere), "{row}");
        }
        // The address at which the others look for it.
        let line = manifests
            .topology()
            .lines()
            .find(|line| line.split_whitespace().nth(1) == Some(name));
        let (host, port) = (manifests.host_name(index), manifests.port("peer"));
        assert!(line.unwrap().ends_with(&format!(" peer {host}:{port}")));
    }
    let (accepted, report) = check_config(&manifests, names.len());
    assert!(!accepted);
    assert!(
        report.contains("pod `herd-5` would be server number 6 of the topology, which has 5"),
        "{report}"
    );
}

#[test]
fn the_readme_lists_every_manifest() {
    let readme = std::fs::read_to_string(folder().join("README.md")).unwrap();
    for path in documents().unwrap().into_iter().map(|(path, _)| path) {
        let inside = path.components().count() > 1;
        let name = path.display().to_string();
        assert!(
            inside || readme.contains(&name),
            "{name} is not in the README"
        );
    }
}
