//! Clients that are forgotten: as a client of the protocol asks for it, in every data folder, and through dumps.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use herd_integration_tests::{Herd, eventually};
use memchr::memmem;

use crate::{NAMES, TIME, UCLA, ids};

/// The least time within which locations are erased.
const ERASE_WITHIN: Duration = Duration::from_secs(8);

/// Longer, since machines of tests are slow.
const ERASED_AFTER: Duration = Duration::from_secs(60);

/// A server forgets when all others have said what they read; much longer, since machines of tests are slow.
const FORGETS_AFTER: Duration = Duration::from_secs(60);

/// Locations that nothing else in a folder looks like, of which compression leaves the digits as they are.
const SECRETS: [&str; 4] = [
    "+12.739184620573-098.462819305746",
    "+31.906275183942-045.817362940518",
    "-27.384910562738+101.629384750162",
    "+08.517293846105+077.340918265394",
];

/// The secrets in the files of a folder, each with a file that holds it.
fn secrets_in(folder: &Path) -> BTreeMap<&'static str, PathBuf> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(secrets_in(&path));
        } else if let Ok(bytes) = written(&path) {
            let held = SECRETS.into_iter();
            let held = held.filter(|text| memmem::find(&bytes, text.as_bytes()).is_some());
            found.extend(held.map(|text| (text, path.clone())));
        }
    }
    found
}

/// The bytes of a file up to the room that it was given and did not use: a journal is made with 64 MB of that.
fn written(path: &Path) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    let allocated = file.metadata()?.blocks() * 512;
    let mut bytes = Vec::new();
    file.take(allocated).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Tells a server to forget a client, until it does: one that has just started waits for a word of the others.
pub(crate) async fn forget(herd: &Herd, server: &str, client: &str) -> String {
    let began = tokio::time::Instant::now();
    loop {
        let mut connection = herd.client(server).await;
        connection
            .send(format!("FORGET {client}\n").as_bytes())
            .await;
        let said = String::from_utf8(connection.line().await).unwrap();
        if said.starts_with("GONE ") {
            return said;
        }
        assert!(began.elapsed() < FORGETS_AFTER, "{said}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
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
        eventually(format!("{name} has all on its disk"), async || {
            secrets_in(herd.server(name).data_folder()).len() == SECRETS.len()
        })
        .await;
    }
    let said = forget(&herd, "Campbell", "kiwi").await;
    assert!(said.starts_with("GONE Campbell kiwi "), "{said}");
    is_unknown_everywhere(&herd, "kiwi").await;
    let began = tokio::time::Instant::now();
    for name in NAMES {
        let folder = herd.server(name).data_folder();
        while let Some((secret, file)) = secrets_in(folder).pop_first() {
            let file = file.display();
            assert!(
                began.elapsed() < ERASED_AFTER,
                "{secret} is still in {file}"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    let took = began.elapsed();
    println!("erased {took:?} after the last server had forgotten");
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

/// Copies a folder and all in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_copy_of_a_data_folder_revives_nobody() {
    let mut herd = Herd::builder(herd_integration_tests::Topology::five())
        .on_disk()
        .start()
        .await;
    herd.linked().await;
    let line = herd.client("Hill").await.report("kiwi", UCLA, TIME).await;
    for name in NAMES {
        herd.knows(name, "kiwi", &line).await;
    }
    // Hill heard it, and Smith, whose place in the herd is another, has it from there.
    let copies = tempfile::tempdir().unwrap();
    for name in ["Hill", "Smith"] {
        herd.server_mut(name).terminate().await;
        copy(herd.server(name).data_folder(), &copies.path().join(name));
        herd.server_mut(name).restart().await;
    }
    herd.linked().await;
    let said = forget(&herd, "Campbell", "kiwi").await;
    assert!(said.starts_with("GONE Campbell kiwi "), "{said}");
    is_unknown_everywhere(&herd, "kiwi").await;
    for name in ["Hill", "Smith"] {
        herd.server_mut(name).terminate().await;
        let folder = herd.server(name).data_folder().to_owned();
        fs::remove_dir_all(&folder).unwrap();
        copy(&copies.path().join(name), &folder);
    }
    for name in ["Hill", "Smith"] {
        herd.server_mut(name).restart().await;
    }
    herd.linked().await;
    is_unknown_everywhere(&herd, "kiwi").await;
    // Nor when only they are left, and start again with what they learnt.
    for name in ["Jaquez", "Campbell", "Singleton"] {
        herd.server_mut(name).kill();
    }
    for name in ["Hill", "Smith"] {
        herd.server_mut(name).terminate().await;
        herd.server_mut(name).restart().await;
    }
    for name in ["Hill", "Smith"] {
        assert!(
            herd.client(name).await.find("kiwi").await.is_none(),
            "{name}"
        );
    }
}
