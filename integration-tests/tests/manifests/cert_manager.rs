//! The example of cert-manager makes the certificates that the servers of the manifests ask for.

use herd_integration_tests::containers::{Manifests, folder, typed};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::ProjectedVolumeSource;
use serde_json::{Value, json};

/// The documents of a file of the example.
fn documents(name: &str) -> Vec<Value> {
    let path = folder().join("cert-manager").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let documents = text.split("\n---\n");
    documents
        .map(|document| serde_saphyr::from_str(document).unwrap())
        .collect()
}

#[test]
fn each_server_has_a_certificate_of_its_name_in_its_place() {
    let manifests = Manifests::read().unwrap();
    let (cluster, servers) = cluster_and_servers(manifests.topology());
    let certificates = documents("certificates.yaml");
    assert_eq!(certificates.len(), servers.len());
    let projected = patched_volume(&manifests);
    let sources = projected.sources.as_ref().unwrap();
    assert_eq!(sources.len(), servers.len());

    let mut trusted = 0;
    for ((certificate, source), server) in certificates.iter().zip(sources).zip(&servers) {
        let spec = &certificate["spec"];
        assert_eq!(spec["uris"], json!([format!("herd://{cluster}/{server}")]));
        assert_eq!(
            spec["usages"],
            json!(["digital signature", "server auth", "client auth"])
        );
        let secret = source.secret.as_ref().unwrap();
        assert_eq!(spec["secretName"], json!(secret.name));
        let mut paths = Vec::new();
        for item in secret.items.iter().flatten() {
            paths.push((item.key.clone(), item.path.clone()));
        }
        trusted += paths
            .iter()
            .filter(|(_, path)| path == "trusted.pem")
            .count();
        for (key, end) in [("tls.crt", "cert"), ("tls.key", "key")] {
            let path = format!("{server}.{end}.pem");
            assert!(paths.contains(&(key.to_owned(), path)), "{paths:?}");
        }
    }
    assert_eq!(trusted, 1);
}

#[test]
fn the_authority_of_the_example_signs_every_certificate() {
    let certificates = documents("certificates.yaml");
    let authority = documents("authority.yaml");
    let made = &authority[1];
    assert_eq!(made["spec"]["isCA"], json!(true));
    assert_eq!(
        authority[2]["spec"]["ca"]["secretName"],
        made["spec"]["secretName"]
    );
    let issuer = &authority[2]["metadata"]["name"];
    assert!(
        certificates
            .iter()
            .all(|c| c["spec"]["issuerRef"]["name"] == *issuer)
    );
}

/// The name of the cluster, and the names of its servers.
fn cluster_and_servers(topology: &str) -> (&str, Vec<&str>) {
    let mut servers = Vec::new();
    let mut cluster = "";
    for line in topology.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["cluster", name] => cluster = name,
            ["server", name, ..] => servers.push(name),
            _ => {}
        }
    }
    (cluster, servers)
}

/// The volume that the example's patch makes of the manifests' volume of certificates.
fn patched_volume(manifests: &Manifests) -> ProjectedVolumeSource {
    let path = folder().join("cert-manager/statefulset.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    // `null` takes the secret away, and is no value that the type has.
    let without = text.replace("          secret: null\n", "");
    assert_ne!(text, without);
    let patch: StatefulSet = typed(&without).unwrap();
    assert_eq!(patch.metadata.name, manifests.stateful_set.metadata.name);
    let pod = patch.spec.unwrap().template.spec.unwrap();
    let [volume] = &pod.volumes.unwrap()[..] else {
        panic!("not one volume");
    };
    let mut volumes = manifests.pod().volumes.iter().flatten();
    let replaced = volumes.find(|other| other.name == volume.name);
    let mode = replaced.unwrap().secret.as_ref().unwrap().default_mode;
    let projected = volume.projected.clone().unwrap();
    assert_eq!(projected.default_mode, mode);
    projected
}
