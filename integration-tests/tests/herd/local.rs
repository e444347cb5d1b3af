//! `herd local` as a user starts it, with its wire logs.

use herd_integration_tests::{Client, Log, Process, Reply, Topology, eventually, free_addresses};

use nix::sys::signal::{Signal, kill};

use crate::{TIME, UCLA};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn herd_local_serves_and_keeps_wire_logs() {
    let folder = tempfile::tempdir().unwrap();
    let topology = Topology::five();
    let addresses = free_addresses(5);
    let topology_file = folder.path().join("five");
    std::fs::write(&topology_file, topology.text(&addresses)).unwrap();
    let data = folder.path().join("data");
    let arguments = [
        "local".to_owned(),
        format!("--topology={}", topology_file.display()),
        format!("--data-dir={}", data.display()),
    ];
    let said = Log::new(folder.path().join("said"));
    let mut local = Process::start(&arguments, &said);
    said.wait_for(0, &["Ctrl-C stops all servers."]).await;

    let [hill, .., singleton] = &addresses[..] else {
        unreachable!("there are five");
    };
    let mut client = Client::connect(hill.client).await;
    let line = client.report("kiwi", UCLA, TIME).await;
    let mut other = Client::connect(singleton.client).await;
    let mut reply = Reply::Invalid(String::new());
    eventually("Singleton knows", async || {
        reply = other.whatsat("kiwi", "10", "5").await;
        matches!(reply, Reply::Places(..))
    })
    .await;
    assert!(
        matches!(&reply, Reply::Places(at, _) if *at == line),
        "{reply:?}"
    );

    let wire = |name: &str| Log::new(data.join(format!("{name}.wire.log")));
    let iamat = format!(" < IAMAT kiwi {UCLA} {TIME}");
    wire("Hill").wait_for(0, &[&iamat]).await;
    wire("Hill").wait_for(0, &[&format!(" > {line}")]).await;
    wire("Singleton")
        .wait_for(0, &[" < WHATSAT kiwi 10 5"])
        .await;
    wire("Singleton")
        .wait_for(0, &[&format!(" > {line}")])
        .await;
    wire("Singleton").wait_for(0, &[" > ", "\"status\""]).await;
    for name in topology.servers() {
        for neighbour in topology.neighbours(name) {
            wire(name)
                .wait_for(0, &[&format!(" connect {neighbour}")])
                .await;
        }
    }

    // One that ends is noted by its neighbours.
    let children = local.children();
    assert_eq!(children.len(), 5);
    kill(children[2], Signal::SIGKILL).unwrap();
    said.wait_for(0, &["Smith was killed; start it again"])
        .await;
    for neighbour in topology.neighbours("Smith") {
        wire(neighbour).wait_for(0, &[" disconnect Smith: "]).await;
    }
    local.terminate();
    let status = local.ended().await;
    assert_eq!(status.code(), Some(0), "{}", said.text());
}
