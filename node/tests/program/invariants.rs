//! What docs/architecture.md says of the tree as a whole, and that its documents lead somewhere.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All files below `folder` whose names end in `suffix`, as paths from the root.
fn files(folder: &str, suffix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&name, suffix));
        } else if name.ends_with(suffix) {
            found.push(name);
        }
    }
    found
}

/// The sources below `folder` that mention `text` in anything but a comment.
fn mentioning(folder: &str, text: &str) -> BTreeSet<String> {
    let mentions = |name: &String| {
        let source = std::fs::read_to_string(root().join(name)).unwrap();
        source
            .lines()
            .any(|line| !line.trim_start().starts_with("//") && line.contains(text))
    };
    files(folder, ".rs").into_iter().filter(mentions).collect()
}

#[test]
fn each_library_is_known_where_it_should_be_and_nowhere_else() {
    let known = |folder: &str, text: &str, expected: &[&str]| {
        let expected = expected.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(mentioning(folder, text), expected, "{text}");
    };
    known("crdt/src", "bincode::", &["crdt/src/codec.rs"]);
    known("node/src", "bincode::", &[]);
    known("node/src", "SystemTime::now", &["node/src/clock.rs"]);
    known(
        "node/src",
        "chitchat::",
        &[
            "node/src/replication/admission.rs",
            "node/src/replication/digests.rs",
            "node/src/replication/engine.rs",
            "node/src/replication/engine/rebuild.rs",
            "node/src/replication/engine/rebuild_tests.rs",
            "node/src/replication/inbound.rs",
            "node/src/replication/link/frame.rs",
            "node/src/replication/link/session.rs",
            "node/src/replication/links.rs",
            "node/src/replication/neighbour.rs",
            "node/src/replication/push/tests.rs",
            "node/src/replication/socket.rs",
            "node/src/replication/syn_ack.rs",
        ],
    );
}

#[test]
fn the_crdt_is_pure() {
    for text in [
        "tokio",
        "tracing",
        "std::fs",
        "std::io",
        "std::net",
        "std::thread",
        "std::time",
        "std::env",
        "rand::",
        "println!",
    ] {
        assert_eq!(mentioning("crdt/src", text), BTreeSet::new(), "{text}");
    }
    // Otherwise nothing would have been looked at.
    assert!(mentioning("crdt/src", "std::").len() > 3);
}

#[test]
fn links_of_documents_lead_to_files() {
    let mut documents = files("docs", ".md");
    documents.extend(
        [
            "README.md",
            "CONTRIBUTING.md",
            "CHANGELOG.md",
            "k8s/README.md",
        ]
        .map(str::to_owned),
    );
    let mut links = 0;
    for document in documents {
        let text = std::fs::read_to_string(root().join(&document)).unwrap();
        for (target, _) in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')'))
        {
            if target.contains("://") {
                continue;
            }
            let file = target.split('#').next().unwrap();
            let path = root().join(&document).parent().unwrap().join(file);
            assert!(path.exists(), "{document} leads to {target}");
            links += 1;
        }
    }
    assert!(links > 20, "only {links} links were found");
}
