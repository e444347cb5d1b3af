//! Disks that fail.

use std::path::Path;
use std::process::Command;

use herd_integration_tests::{Herd, Topology, eventually, find_series, left_out_without_root};
use tempfile::TempDir;

use crate::{TIME, UCLA, ids};

/// A small file system in memory, gone with the test.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// `None` where this user may not mount.
    fn mount(size: &str) -> Option<SmallDisk> {
        let folder = TempDir::with_prefix("herd-disk-").unwrap();
        let options = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(folder.path())
            .output();
        let reason = match mounted {
            Ok(output) if output.status.success() => return Some(SmallDisk { folder }),
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        left_out_without_root("a small disk in memory", &reason);
        None
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn remount(&self, option: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{option}")])
            .arg(self.path())
            .status()
            .unwrap();
        assert!(status.success(), "{option}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server may be about to end.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

async fn pair(ack: &str) -> Herd {
    Herd::builder(Topology::new(&["Hill", "Smith"], &[("Hill", "Smith")]))
        .on_disk()
        .argument(&format!("--ack={ack}"))
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_a_full_disk_refuses_and_goes_on() {
    let Some(disk) = SmallDisk::mount("48m") else {
        return;
    };
    let mut herd = pair("disk").await;
    herd.server_mut("Hill").terminate().await;
    let folder = disk.path().join("Hill").display().to_string();
    herd.server_mut("Hill")
        .set_argument(&format!("--data-dir={folder}"));
    herd.server_mut("Hill").restart().await;
    herd.linked().await;
    let early = herd.client("Hill").await.report("early", UCLA, TIME).await;
    // Other files take the rest of the disk.
    let filler = disk.path().join("filler");
    let filled = std::fs::write(&filler, vec![7; 64 << 20]);
    assert!(filled.is_err(), "the disk is full");
    let mut client = herd.client("Hill").await;
    let mut number = 0;
    let log = herd.log("Hill");
    eventually("the store fails", async || {
        // Space that was reserved before may still take some.
        number += 1;
        let lines: String = (0..500)
            .map(|i| format!("IAMAT c{number}-{i} {UCLA} {TIME}\n"))
            .collect();
        client.send(lines.as_bytes()).await;
        for _ in 0..500 {
            client.line().await;
        }
        log.text().contains("the store has failed")
    })
    .await;
    let said = log.text();
    assert!(said.contains("Make room on the disk"), "{said}");
    // No false AT line; the report is there all the same, here and at the neighbour.
    client
        .send(format!("IAMAT late {UCLA} {TIME}\n").as_bytes())
        .await;
    assert!(client.line().await.starts_with(b"? IAMAT late "));
    let late = client.find("late").await.unwrap();
    herd.knows("Smith", "late", &late).await;
    assert!(herd.has("Smith", "early", &early).await);
    // With room again, it comes back by itself; everything is on its disk then.
    std::fs::remove_file(&filler).unwrap();
    eventually("a report is on disk", async || {
        client
            .send(format!("IAMAT last {UCLA} {TIME}\n").as_bytes())
            .await;
        client.line().await.starts_with(b"AT Hill ")
    })
    .await;
    let last = client.find("last").await.unwrap();
    // Lines of the log come after replies.
    eventually("that is told", async || {
        log.text().contains("the store is open again")
    })
    .await;
    herd.server_mut("Smith").kill();
    herd.server_mut("Hill").kill();
    herd.server_mut("Hill").restart().await;
    assert!(herd.has("Hill", "early", &early).await);
    assert!(herd.has("Hill", "late", &late).await);
    assert!(herd.has("Hill", "last", &last).await);
    herd.client("Hill").await.report("again", UCLA, TIME).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_turns_read_only_is_reported() {
    let Some(disk) = SmallDisk::mount("64m") else {
        return;
    };
    let mut herd = pair("memory").await;
    herd.server_mut("Hill").terminate().await;
    let folder = disk.path().join("Hill").display().to_string();
    herd.server_mut("Hill")
        .set_argument(&format!("--data-dir={folder}"));
    herd.server_mut("Hill").restart().await;
    herd.linked().await;
    herd.server_mut("Hill").kill();
    disk.remount("ro");
    let status = herd.server_mut("Hill").run_with(&[]).await;
    assert_eq!(status.code(), Some(74));
    let said = herd.server("Hill").log_since_start();
    assert!(said.contains("cannot use the data folder"), "{said}");
    disk.remount("rw");
    herd.server_mut("Hill").restart().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_store_is_set_aside_and_filled_again() {
    let mut herd = pair("disk").await;
    let clients = ids("client", 2_000);
    let lines = herd
        .client("Hill")
        .await
        .report_all(&clients, UCLA, TIME)
        .await;
    herd.agree(&["Hill", "Smith"], &clients).await;
    herd.server_mut("Hill").terminate().await;
    let folder = herd.server("Hill").data_folder().to_owned();
    damage(&folder.join("store"));
    herd.server_mut("Hill").restart().await;
    let log = herd.log("Hill");
    eventually("the damage is told", async || {
        log.text().contains("is damaged")
    })
    .await;
    let said = log.text();
    let remedy = format!("herd store set-aside --data-dir {}", folder.display());
    assert!(said.contains(&remedy), "{said}");
    // It serves all the same, from its neighbour, and promises nothing.
    assert_eq!(herd.agree(&["Hill"], &clients).await, lines);
    let mut client = herd.client("Hill").await;
    client
        .send(format!("IAMAT emu {UCLA} {TIME}\n").as_bytes())
        .await;
    assert!(client.line().await.starts_with(b"? IAMAT emu "));
    herd.server_mut("Hill").terminate().await;
    let output = Command::new(herd_integration_tests::binary::herd())
        .args(["store", "set-aside", "--data-dir"])
        .arg(&folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    herd.server_mut("Hill").restart().await;
    assert_eq!(herd.agree(&["Hill"], &clients).await, lines);
    // The dead incarnation of Hill published them. Hill takes them up, or Smith adopts them while Hill's store is
    // damaged; either way a live server publishes all of them again, and Hill stores the records that it receives.
    let live = async |name: &str| {
        let http = herd.server(name).addresses().http;
        find_series(http, "herd_slot_live_records")
            .await
            .unwrap_or(0.0)
    };
    eventually("all are published by the living", async || {
        live("Hill").await + live("Smith").await >= clients.len() as f64
    })
    .await;
    let hill = herd.server("Hill").addresses().http;
    eventually("Hill has merged all that Smith publishes", async || {
        find_series(hill, "herd_origin_lag_groups{origin=\"Smith\"}").await == Some(0.0)
    })
    .await;
    herd.server_mut("Hill").terminate().await;
    herd.server_mut("Smith").kill();
    herd.server_mut("Hill").restart().await;
    let found = herd.client("Hill").await.find_all(&clients).await;
    assert!(found.into_iter().flatten().eq(lines));
}

/// Flips a byte in the middle of the largest file.
pub(crate) fn damage(store: &Path) {
    let mut files = Vec::new();
    let mut folders = vec![store.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                files.push((entry.metadata().unwrap().len(), entry.path()));
            }
        }
    }
    let (_, largest) = files.into_iter().max().unwrap();
    let mut bytes = std::fs::read(&largest).unwrap();
    // A journal is longer than its content.
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    bytes[end / 2] ^= 0x55;
    std::fs::write(&largest, bytes).unwrap();
}
