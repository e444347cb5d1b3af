//! Invariants of docs/architecture.md about the whole tree, and links of documents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
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

/// Other crates cannot name chitchat, since their manifests do not.
#[test]
fn chitchat_is_known_to_gossip_only() {
    let mut manifests = files("node", "/Cargo.toml");
    manifests.push("crdt/Cargo.toml".to_owned());
    let names_chitchat = |manifest: &String| {
        let text = std::fs::read_to_string(root().join(manifest)).unwrap();
        // The simulation reads messages of chitchat.
        text.split("[dev-dependencies]")
            .next()
            .unwrap()
            .contains("\nchitchat.")
    };
    manifests.retain(names_chitchat);
    manifests.sort();
    assert_eq!(manifests, ["node/gossip/Cargo.toml"]);
}

/// The replica, and every crate of this workspace that it stands on, can name neither a runtime nor a lock: their
/// manifests do not. Nor does one of its sources read a clock.
#[test]
fn the_replica_knows_no_runtime_no_lock_and_no_clock() {
    let crates = crates();
    let mut below: Vec<&str> = vec!["herd-replica"];
    let mut at = 0;
    while let Some(&name) = below.get(at) {
        let used = crates[name].iter().map(|used| format!("herd-{used}"));
        let used: Vec<String> = used.collect();
        for (name, _) in crates.iter().filter(|(name, _)| used.contains(name)) {
            if !below.contains(&name.as_str()) {
                below.push(name);
            }
        }
        at += 1;
    }
    assert!(below.len() > 2, "{below:?}");
    for name in below {
        let folder = match name.trim_start_matches("herd-") {
            "crdt" => "crdt".to_owned(),
            name => format!("node/{name}"),
        };
        let manifest = std::fs::read_to_string(root().join(&folder).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
        let dependencies = dependencies.split("\n[").next().unwrap();
        for banned in ["tokio", "parking_lot", "futures", "async", "chitchat"] {
            assert!(!dependencies.contains(banned), "{folder} names {banned}");
        }
    }
    for banned in ["Mutex", "RwLock", "std::thread", "SystemTime", "async fn"] {
        let mentions = mentioning("node/replica/src", banned);
        assert_eq!(mentions, BTreeSet::new(), "{banned}");
    }
    // Clippy refuses clocks; tests have to begin at some moment.
    let clocks = mentioning("node/replica/src", "Instant::now");
    let expected = BTreeSet::from(["node/replica/src/testing/mod.rs".to_owned()]);
    assert_eq!(clocks, expected);
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

/// The crates of this workspace, each with those that its manifest lets it use.
fn crates() -> BTreeMap<String, BTreeSet<String>> {
    let mut manifests = files("node", "/Cargo.toml");
    manifests.push("crdt/Cargo.toml".to_owned());
    let read = |manifest: String| {
        let text = std::fs::read_to_string(root().join(&manifest)).unwrap();
        let (_, text) = text.split_once("name = \"").unwrap();
        let (name, text) = text.split_once('"').unwrap();
        let text = text.split_once("\n[dependencies]\n");
        let dependencies = text.map_or("", |(_, text)| text.split("\n[").next().unwrap());
        let dependencies = dependencies.lines();
        let used = dependencies.filter_map(|line| line.strip_prefix("herd-")?.split_once('.'));
        let used = used.map(|(name, _)| name.to_owned()).collect();
        (name.to_owned(), used)
    };
    manifests.into_iter().map(read).collect()
}

#[test]
fn the_table_of_crates_agrees_with_the_manifests() {
    let crates = crates();
    let others = |than: &str| -> BTreeSet<String> {
        let names = crates.keys().filter_map(|name| name.strip_prefix("herd-"));
        let names = names.filter(|&name| name != than).map(str::to_owned);
        names.collect()
    };
    let text = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let mut told = BTreeMap::new();
    for row in text.lines().filter(|line| line.starts_with("| `herd")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let name = cells[1].trim_matches('`');
        let named = cells[3].split('`').skip(1).step_by(2).map(str::to_owned);
        let named: BTreeSet<String> = named.collect();
        let used = match cells[3].starts_with("all but") {
            true => &others(name.trim_start_matches("herd-")) - &named,
            false => named,
        };
        told.insert(name.to_owned(), used);
    }
    assert_eq!(told, crates);
}

#[test]
fn paths_in_documents_lead_to_files() {
    let mut documents = files("docs", ".md");
    documents.extend(["README.md", "CONTRIBUTING.md"].map(str::to_owned));
    let mut paths = 0;
    for document in documents {
        let text = std::fs::read_to_string(root().join(&document)).unwrap();
        for path in text.split('`').skip(1).step_by(2) {
            if !path.starts_with("node/") && !path.starts_with("crdt/") {
                continue;
            }
            assert!(root().join(path).exists(), "{document} names {path}");
            paths += 1;
        }
    }
    assert!(paths > 40, "only {paths} paths were found");
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
