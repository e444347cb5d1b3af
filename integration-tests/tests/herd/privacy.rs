//! Locations are private: not in logs, not readable for other users of the machine.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use herd_integration_tests::{Herd, Topology, eventually};

use crate::NAMES;

/// Nothing else is called so, or is there.
const ID: &str = "zebra-finch-47";
const LOCATION: &str = "+12.3456789-98.7654321";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_id_and_no_position_gets_into_a_log() {
    let mut herd = Herd::builder(Topology::five())
        .on_disk()
        .argument("--log=info")
        .argument("--max-clients=50")
        .start()
        .await;
    let mut client = herd.client("Hill").await;
    for number in 0..60 {
        // Good ones, and those that find a full map.
        let line = format!("IAMAT {ID}-{number} {LOCATION} 1520023934.9\n");
        client.send(line.as_bytes()).await;
        client.line().await;
    }
    for line in [
        format!("WHATSAT {ID}-1 10 5"),
        format!("WHATSAT {ID}-unknown 10 5"),
        format!("IAMAT {ID} {LOCATION} 99999999999"),
        format!("IAMAT {ID} {LOCATION}"),
        format!("{ID} {LOCATION}"),
        format!("AUTH {ID}{LOCATION}"),
        format!("AT Hill +0.0 {ID} {LOCATION} 1"),
        format!("{ID} {LOCATION}").repeat(4_000),
    ] {
        let mut client = herd.client("Hill").await;
        client.send(format!("{line}\n").as_bytes()).await;
        client.half_close().await;
        assert!(!client.rest().await.is_empty());
    }
    let known = herd.client("Hill").await.find(&format!("{ID}-1")).await;
    herd.knows("Campbell", &format!("{ID}-1"), &known.unwrap())
        .await;
    // A server's end and return, with all that it reads from its disk and hears from the others.
    herd.server_mut("Smith").terminate().await;
    herd.server_mut("Smith").restart().await;
    herd.linked().await;
    for name in NAMES {
        let said = herd.log(name).text();
        for secret in [ID, LOCATION, "12.345", "98.765"] {
            assert!(!said.contains(secret), "{name} says {secret}:\n{said}");
        }
        assert!(said.contains("listening"), "{name} says nothing");
    }
    // The wire log, which this herd has, does hold them; its file is the owner's.
    eventually("Hill's wire log has them", async || {
        herd.server("Hill").wire_log().text().contains(ID)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_the_users_alone_and_there_are_no_core_dumps() {
    let mut herd = Herd::builder(Topology::five()).on_disk().start().await;
    let line = herd
        .client("Hill")
        .await
        .report("kiwi", crate::UCLA, crate::TIME)
        .await;
    herd.knows("Campbell", "kiwi", &line).await;
    let mut files = 0;
    for name in NAMES {
        let server = herd.server(name);
        files += check_modes(server.data_folder());
        files += check_modes(server.wire_log().path());
        let pid = herd.server_mut(name).process().id();
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let cores = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        let cores: Vec<&str> = cores.unwrap().split_whitespace().collect();
        assert_eq!(cores[4..6], ["0", "0"], "{limits}");
    }
    assert!(files > 3 * NAMES.len(), "only {files} files");
}

/// Fails if others may do anything with a file below `path`; returns how many files there are.
fn check_modes(path: &Path) -> usize {
    let metadata = std::fs::symlink_metadata(path).unwrap();
    let mode = metadata.permissions().mode();
    assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    if !metadata.is_dir() {
        return 1;
    }
    let entries = std::fs::read_dir(path).unwrap();
    // A store may replace a file while it is looked at.
    entries
        .flatten()
        .filter(|entry| entry.path().symlink_metadata().is_ok())
        .map(|entry| check_modes(&entry.path()))
        .sum()
}
