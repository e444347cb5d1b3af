//! Clients that are forgotten: as a client of the protocol asks for it, in every data folder, and through dumps.

use std::fs;
use std::path::Path;
use std::time::Duration;

use herd_integration_tests::{Herd, eventually};
use memchr::memmem;

use crate::{NAMES, TIME, UCLA, ids};

/// The least time within which locations are erased.
const ERASE_WITHIN: Duration = Duration::from_secs(8);

/// Longer, since machines of tests are slow.
const ERASED_AFTER: Duration = Duration::from_secs(60);

/// Locations that nothing else in a folder looks like, of which compression leaves the digits as they are.
const SECRETS: [&str; 4] = [
    "+12.739184620573-098.462819305746",
    "+31.906275183942-045.817362940518",
    "-27.384910562738+101.629384750162",
    "+08.517293846105+077.340918265394",
];

/// The files in a folder that hold this text.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if let Ok(bytes) = fs::read(&path)
            && memmem::find(&bytes, text.as_bytes()).is_some()
        {
            found.push(path.display().to_string());
        }
    }
    found
}

async fn forget(herd: &Herd, server: &str, client: &str) -> String {
    let mut connection = herd.client(server).await;
    connection
        .send(format!("FORGET {client}\n").as_bytes())
        .await;
    String::from_utf8(connection.line().await).unwrap()
}

async fn is_unknown_everywhere(herd: &Herd, client: &str) {
    for name in NAMES {
        eventually(format!("{name} has forgotten {client}"), async || {
            herd.client(name).await.find(client).await.is_none()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locations_leave_every_data_folder() {
    let mut herd = Herd::builder(herd_integration_tests::Topology::five())
        .on_disk()
        .argument(&format!("--erase-within={}s", ERASE_WITHIN.as_secs()))
        .start()
        .await;
    herd.linked().await;
    // At several servers, beside others, in several groups each, as a client moves.
    for (number, secret) in SECRETS.iter().enumerate() {
        let server = NAMES[number % 3];
        let mut client = herd.client(server).await;
        let others = ids(&format!("other{number}-"), 30);
        client.report_all(&others, UCLA, TIME).await;
        let line = client
            .report("kiwi", secret, &format!("{}", 100 + number))
            .await;
        for name in NAMES {
            herd.knows(name, "kiwi", &line).await;
        }
    }
    for name in NAMES {
        for secret in SECRETS {
            eventually(format!("{name} has {secret} on its disk"), async || {
                !files_with(herd.server(name).data_folder(), secret).is_empty()
            })
            .await;
        }
    }
    let said = forget(&herd, "Campbell", "kiwi").await;
    assert!(said.starts_with("GONE Campbell kiwi "), "{said}");
    is_unknown_everywhere(&herd, "kiwi").await;
    let began = std::time::Instant::now();
    let mut left: Vec<(&str, &str, Vec<String>)> = Vec::new();
    while began.elapsed() < ERASED_AFTER {
        left = Vec::new();
        for name in NAMES {
            for secret in SECRETS {
                let files = files_with(herd.server(name).data_folder(), secret);
                if !files.is_empty() {
                    left.push((name, secret, files));
                }
            }
        }
        if left.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(left.is_empty(), "after {ERASED_AFTER:?}: {left:?}");
    println!(
        "erased {:?} after the last server had forgotten",
        began.elapsed()
    );
    // The others are there, and a start finds the store whole.
    herd.server_mut("Hill").kill();
    herd.server_mut("Hill").restart().await;
    assert!(herd.client("Hill").await.find("kiwi").await.is_none());
    let other = herd.client("Hill").await.find("other0-7").await;
    assert!(other.is_some_and(|line| line.contains(UCLA)));
    let said = herd.server("Hill").log_since_start();
    assert!(!said.contains("ERROR"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_dump_revives_nobody_and_a_newer_one_forgets() {
    let herd = Herd::builder(herd_integration_tests::Topology::five())
        .on_disk()
        .controlled()
        .start()
        .await;
    let line = herd.client("Hill").await.report("kiwi", UCLA, TIME).await;
    herd.knows("Smith", "kiwi", &line).await;
    let older = herd.server("Smith").dump().await.unwrap();
    forget(&herd, "Jaquez", "kiwi").await;
    is_unknown_everywhere(&herd, "kiwi").await;
    let newer = herd.server("Smith").dump().await.unwrap();
    let gone = newer
        .iter()
        .find(|line| line.starts_with(b"GONE Jaquez "))
        .unwrap();
    assert!(memmem::find(gone, b" kiwi ").is_some());
    assert!(!newer.iter().any(|line| line.starts_with(b"AT ")));
    load(&herd, "Smith", &older).await;
    is_unknown_everywhere(&herd, "kiwi").await;
    // Into an empty herd: the older one first, and the newer one forgets.
    let other = Herd::builder(herd_integration_tests::Topology::five())
        .controlled()
        .on_disk()
        .start()
        .await;
    load(&other, "Hill", &older).await;
    other.knows("Singleton", "kiwi", &line).await;
    load(&other, "Hill", &newer).await;
    is_unknown_everywhere(&other, "kiwi").await;
}

/// Loads the lines of a dump into a server.
async fn load(herd: &Herd, server: &str, lines: &[Vec<u8>]) {
    let mut dump = lines.join(&b'\n');
    dump.push(b'\n');
    let path = herd.folder().join("loaded");
    fs::write(&path, dump).unwrap();
    herd.server(server).load(&path).await.unwrap();
}
