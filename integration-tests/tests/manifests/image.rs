//! The two Dockerfiles make the same image.

use herd_integration_tests::containers::Manifests;

use crate::file;

/// The instructions of the last stage, a line each, without comments.
fn last_stage(dockerfile: &str) -> Vec<String> {
    let mut stage = Vec::new();
    let joined = dockerfile.replace("\\\n", " ");
    for line in joined.lines().map(str::trim) {
        let line: Vec<&str> = line.split_whitespace().collect();
        if line.is_empty() || line[0].starts_with('#') {
            continue;
        }
        if line[0] == "FROM" {
            stage.clear();
        }
        stage.push(line.join(" "));
    }
    stage
}

#[test]
fn the_last_stage_is_the_same_in_both_files() {
    let from_source = last_stage(&file("Dockerfile"));
    let alone = last_stage(&file("k8s/image/Dockerfile"));
    assert_eq!(alone[0], "FROM scratch");
    let from_context: Vec<String> = from_source
        .iter()
        .map(|line| line.replace("--from=build ", "").replace(" /out/", " "))
        .collect();
    assert_eq!(from_context, alone);
    assert!(
        alone.iter().all(|line| !line.starts_with("RUN")),
        "{alone:?}"
    );
    let copied: Vec<&str> = alone
        .iter()
        .filter_map(|line| line.strip_prefix("COPY "))
        .collect();
    assert_eq!(
        copied,
        [
            "ca-certificates.crt /etc/ssl/certs/ca-certificates.crt",
            "--chown=65532:65532 data /data",
            "herd /herd"
        ]
    );
}

#[test]
fn the_image_fits_the_manifests() {
    let stage = last_stage(&file("k8s/image/Dockerfile"));
    let manifests = Manifests::read().unwrap();
    let security = manifests.pod().security_context.as_ref().unwrap();
    let user = format!(
        "USER {}:{}",
        security.run_as_user.unwrap(),
        security.run_as_group.unwrap()
    );
    assert!(stage.contains(&user), "{stage:?}");
    let ports = ["client", "http", "peer"].map(|name| manifests.port(name).to_string());
    assert!(
        stage.contains(&format!("EXPOSE {}", ports.join(" "))),
        "{stage:?}"
    );
    assert!(stage.contains(&"ENTRYPOINT [\"/herd\"]".to_owned()));
    let command = &manifests.container().args.as_ref().unwrap()[0];
    assert!(stage.contains(&format!("CMD [\"{command}\"]")));
    // A named volume takes the owner of the folder in the image; one of a cluster gets its group.
    let mounts = manifests.container().volume_mounts.as_ref().unwrap();
    let data = mounts.iter().find(|mount| mount.name == "data").unwrap();
    assert!(stage.contains(&format!(
        "COPY --chown=65532:65532 data {}",
        data.mount_path
    )));
    assert_eq!(security.fs_group, security.run_as_group);
    let version = format!("ARG VERSION={}", env!("CARGO_PKG_VERSION"));
    assert!(stage.contains(&version), "{stage:?}");
}
