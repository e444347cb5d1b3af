//! Two processes of one name.

use std::net::SocketAddr;
use std::time::Duration;

use herd_integration_tests::{Client, Herd, Log, Process, eventually};
use tokio::time::sleep;

use crate::{NAMES, TIME, UCLA};

/// A process that has run for less than 10 s does not give way: more likely a clock went back.
const SETTLED: Duration = Duration::from_secs(11);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_older_of_two_processes_of_one_name_gives_way() {
    let mut herd = Herd::five().await;
    sleep(SETTLED).await;
    let line = herd.client("Hill").await.report("old", UCLA, TIME).await;
    herd.knows("Campbell", "old", &line).await;

    let (mut newer, log) = second_hill(&herd);
    let status = herd.server_mut("Hill").ended().await;
    assert_eq!(status.code(), Some(76));
    let said = herd.log("Hill").text();
    let why = "a newer process of this server's name is alive, so this one ends";
    let last = said.lines().last().unwrap_or_default();
    assert!(last.contains(why), "{said}");

    // The newer one is a member like any other.
    let mut client = Client::connect(address_of(&log).await).await;
    eventually("the newer knows", async || {
        client.find("old").await.as_ref() == Some(&line)
    })
    .await;
    let line = client.report("new", UCLA, TIME).await;
    for name in &NAMES[1..] {
        herd.knows(name, "new", &line).await;
    }
    assert_eq!(newer.status(), None, "{}", log.text());
}

/// Neither has run long enough to give way at once: they must not outbid each other for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_that_start_together_one_stays() {
    let mut herd = Herd::five().await;
    let (mut second, log) = second_hill(&herd);
    let second_address = address_of(&log).await;
    let mut ended = (false, false);
    eventually("one of the two gives way", async || {
        ended = (
            !herd.server_mut("Hill").is_running(),
            second.status().is_some(),
        );
        ended.0 || ended.1
    })
    .await;
    let (status, address) = if ended.0 {
        (herd.server_mut("Hill").ended().await, second_address)
    } else {
        (second.ended().await, herd.server("Hill").client_address())
    };
    assert_eq!(status.code(), Some(76));
    let mut client = Client::connect(address).await;
    let line = client.report("kiwi", UCLA, TIME).await;
    for name in &NAMES[1..] {
        herd.knows(name, "kiwi", &line).await;
    }
    assert_ne!(ended, (true, true), "both have given way");
}

/// Starts one more process of Hill's name, on ports of its own.
fn second_hill(herd: &Herd) -> (Process, Log) {
    let hill = herd.server("Hill");
    let ip = hill.client_address().ip();
    let mut arguments = hill.arguments().to_vec();
    arguments.retain(|argument| !argument.starts_with("--wire-log"));
    for port in ["client", "peer", "http"] {
        arguments.push(format!("--{port}-listen={ip}:0"));
    }
    let log = Log::new(herd.folder().join("second.log"));
    (Process::start(&arguments, &log), log)
}

/// Where a process that was told to choose its ports takes clients.
async fn address_of(log: &Log) -> SocketAddr {
    let listening = log.wait_for(0, &[" listening "]).await;
    let (_, address) = listening.split_once("clients=\"").unwrap();
    let (address, _) = address.split_once('"').unwrap();
    address.parse().unwrap()
}
