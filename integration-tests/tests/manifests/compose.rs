//! The compose file runs the herd of the manifests.

use herd_integration_tests::containers::Manifests;
use serde_json::{Value, json};

use crate::file;

#[test]
fn compose_has_the_servers_and_settings_of_the_manifests() {
    let compose: Value = serde_saphyr::from_str(&file("compose.yaml")).unwrap();
    let manifests = Manifests::read().unwrap();
    let container = manifests.container();
    let topology = compose["configs"]["topology"]["content"].as_str().unwrap();
    assert_eq!(topology.trim(), manifests.topology().trim());
    let services = compose["services"].as_object().unwrap();
    assert_eq!(services.len(), manifests.replicas);
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
    let security = manifests.pod().security_context.as_ref().unwrap();
    let user = format!(
        "{}:{}",
        security.run_as_user.unwrap(),
        security.run_as_group.unwrap()
    );
    let mut seen = Vec::new();
    for (name, service) in services {
        let pod = service["environment"]["HERD_POD_NAME"].as_str().unwrap();
        let index = (0..manifests.replicas)
            .find(|&index| manifests.pod_name(index) == pod)
            .unwrap();
        let server = manifests
            .topology()
            .lines()
            .filter(|line| line.starts_with("server "))
            .nth(index)
            .unwrap();
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
        // What all have in common.
        assert_eq!(service["command"], json!(arguments));
        assert_eq!(service["user"], json!(user));
        assert_eq!(service["read_only"], json!(true));
        assert_eq!(service["cap_drop"], json!(["ALL"]));
        assert_eq!(
            service["stop_grace_period"],
            json!(format!("{}s", manifests.grace_s()))
        );
        let mounts = container.volume_mounts.as_ref().unwrap();
        let folder = mounts
            .iter()
            .find(|mount| mount.name == "topology")
            .unwrap();
        assert_eq!(
            service["configs"],
            json!([{"source": "topology", "target": format!("{}/topology", folder.mount_path)}])
        );
        let data = mounts.iter().find(|mount| mount.name == "data").unwrap();
        assert_eq!(
            service["volumes"],
            json!([format!("{name}:{}", data.mount_path)])
        );
        assert!(compose["volumes"].as_object().unwrap().contains_key(name));
        seen.push(index);
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..manifests.replicas));
}
