//! The compose file runs the herd of the manifests.

use herd_integration_tests::containers::Manifests;
use serde_json::{Value, json};

use crate::file;

#[test]
fn compose_has_the_servers_and_settings_of_the_manifests() {
    let compose: Value = serde_saphyr::from_str(&file("compose.yaml")).unwrap();
    let manifests = Manifests::read().unwrap();
    let topology = compose["configs"]["topology"]["content"].as_str().unwrap();
    assert_eq!(topology.trim(), manifests.topology().trim());
    let services = compose["services"].as_object().unwrap();
    assert_eq!(services.len(), manifests.replicas);
    let mut seen = Vec::new();
    for (name, service) in services {
        seen.push(is_a_server(name, service, &manifests));
        is_set_up_as_in_the_manifests(name, service, &manifests);
        assert!(compose["volumes"].as_object().unwrap().contains_key(name));
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..manifests.replicas));
}

/// The service is a server of the topology, under its pod's name, host name and ports. Returns the number of its pod.
fn is_a_server(name: &str, service: &Value, manifests: &Manifests) -> usize {
    let pod = service["environment"]["HERD_POD_NAME"].as_str().unwrap();
    let index = (0..manifests.replicas)
        .find(|&index| manifests.pod_name(index) == pod)
        .unwrap();
    let mut servers = manifests
        .topology()
        .lines()
        .filter(|line| line.starts_with("server "));
    let server = servers.nth(index).unwrap();
    let server = server.split_whitespace().nth(1).unwrap();
    assert_eq!(*name, server.to_lowercase());
    assert_eq!(
        service["networks"]["default"]["aliases"],
        json!([manifests.host_name(index)])
    );
    let ports = json!([
        format!("127.0.0.1:{}:{}", 12_000 + index, manifests.port("client")),
        format!("127.0.0.1:{}:{}", 13_000 + index, manifests.port("http")),
    ]);
    assert_eq!(service["ports"], ports);
    index
}

/// All services have the command, the user, the rights and the files of the manifests' container.
fn is_set_up_as_in_the_manifests(name: &str, service: &Value, manifests: &Manifests) {
    let container = manifests.container();
    let arguments: Vec<&str> = container
        .args
        .iter()
        .flatten()
        .filter(|argument| !argument.starts_with("--log-format"))
        // Its links never leave the machine.
        .map(|argument| match argument.starts_with("--links-certs=") {
            true => "--insecure-links",
            false => argument,
        })
        .collect();
    assert_eq!(service["command"], json!(arguments));
    for variable in container.env.iter().flatten() {
        if let Some(value) = &variable.value {
            assert_eq!(service["environment"][&variable.name], json!(value));
        }
    }
    let security = manifests.pod().security_context.as_ref().unwrap();
    let (user, group) = (security.run_as_user, security.run_as_group);
    let user = format!("{}:{}", user.unwrap(), group.unwrap());
    assert_eq!(service["user"], json!(user));
    assert_eq!(service["read_only"], json!(true));
    assert_eq!(service["cap_drop"], json!(["ALL"]));
    let grace = format!("{}s", manifests.grace_s());
    assert_eq!(service["stop_grace_period"], json!(grace));
    let mounts = container.volume_mounts.as_ref().unwrap();
    let mounted = |volume: &str| {
        let mount = mounts.iter().find(|mount| mount.name == volume);
        &mount.unwrap().mount_path
    };
    assert_eq!(
        service["configs"],
        json!([{"source": "topology", "target": format!("{}/topology", mounted("topology"))}])
    );
    let volumes = json!([format!("{name}:{}", mounted("data"))]);
    assert_eq!(service["volumes"], volumes);
}
