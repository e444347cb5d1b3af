//! A data folder belongs to one server of one herd.

use herd_integration_tests::{Herd, Topology};

use crate::{TIME, UCLA};

async fn pair() -> Herd {
    Herd::builder(Topology::new(&["Hill", "Smith"], &[("Hill", "Smith")]))
        .on_disk()
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_servers_folder_is_refused_and_left_alone() {
    let mut herd = pair().await;
    let line = herd.client("Smith").await.report("kiwi", UCLA, TIME).await;
    for name in ["Hill", "Smith"] {
        herd.server_mut(name).terminate().await;
    }
    let folder = herd.server("Smith").data_folder().display().to_string();
    let status = herd
        .server_mut("Hill")
        .run_with(&[format!("--data-dir={folder}")])
        .await;
    assert_eq!(status.code(), Some(78));
    let said = herd.server("Hill").log_since_start();
    let expected =
        format!("the data folder {folder} belongs to server \"Smith\", and this is \"Hill\"");
    assert!(said.contains(&expected), "{said}");
    herd.server_mut("Smith").restart().await;
    assert!(herd.has("Smith", "kiwi", &line).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_a_folder_is_refused() {
    let mut herd = pair().await;
    let folder = herd.server("Smith").data_folder().display().to_string();
    herd.server_mut("Hill").kill();
    let status = herd
        .server_mut("Hill")
        .run_with(&[format!("--data-dir={folder}")])
        .await;
    assert_eq!(status.code(), Some(69));
    let said = herd.server("Hill").log_since_start();
    assert!(said.contains("is in use by another process"), "{said}");
    herd.client("Smith").await.report("emu", UCLA, TIME).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disk_without_a_disk_is_refused_at_the_start() {
    let mut herd = pair().await;
    herd.server_mut("Hill").kill();
    let status = herd
        .server_mut("Hill")
        .run_with(&["--ephemeral".to_owned(), "--ack=disk".to_owned()])
        .await;
    assert_eq!(status.code(), Some(64));
    let said = herd.server("Hill").log_since_start();
    assert!(
        said.contains("nothing is on disk that a reply could wait for"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_come_and_go_by_a_rolling_restart() {
    let two = Topology::new(&["Hill", "Smith"], &[("Hill", "Smith")]);
    let three = Topology::new(
        &["Hill", "Smith", "Jaquez"],
        &[("Hill", "Smith"), ("Smith", "Jaquez")],
    );
    // Jaquez runs from the start in this harness, but no server links to it yet.
    let mut herd = Herd::builder(three.clone()).on_disk().start().await;
    herd.server_mut("Jaquez").terminate().await;
    for name in ["Hill", "Smith"] {
        herd.use_topology(name, &two);
        herd.server_mut(name).terminate().await;
        herd.server_mut(name).restart().await;
    }
    let line = herd.client("Hill").await.report("kiwi", UCLA, TIME).await;
    // It joins.
    for name in ["Hill", "Smith"] {
        herd.use_topology(name, &three);
        herd.server_mut(name).terminate().await;
        herd.server_mut(name).restart().await;
    }
    herd.server_mut("Jaquez").restart().await;
    herd.knows("Jaquez", "kiwi", &line).await;
    let emu = herd.client("Jaquez").await.report("emu", UCLA, TIME).await;
    herd.knows("Hill", "emu", &emu).await;
    // It leaves for good; its publications stay.
    herd.server_mut("Jaquez").terminate().await;
    for name in ["Hill", "Smith"] {
        herd.use_topology(name, &two);
        herd.server_mut(name).terminate().await;
        herd.server_mut(name).restart().await;
    }
    for name in ["Hill", "Smith"] {
        herd.knows(name, "emu", &emu).await;
        herd.knows(name, "kiwi", &line).await;
    }
}
