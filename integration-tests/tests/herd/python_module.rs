//! The module `examples/herd.py`, by `python_module.py` beside this file.

use std::process::Command;

use herd_integration_tests::{Herd, Topology, binary};

use crate::forgetting::forget;
use crate::running::Running;

/// Lets a part of the checks run.
fn checks(way: &str, arguments: &[&str]) -> Running {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/herd/python_module.py");
    Running::start(file, &[&[folder, way], arguments].concat())
}

async fn passes(way: &str, arguments: &[&str]) {
    assert_eq!(checks(way, arguments).line().await, "done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_module_has_each_command_and_watch() {
    let herd = Herd::five().await;
    let hill = herd.server("Hill").client_address().to_string();
    // The module tells at once what a server refuses, and one that has just started may refuse to forget.
    forget(&herd, "Hill", "nobody").await;
    passes("watches", &[&hill]).await;
    passes("commands", &[&hill]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_module_goes_on_at_the_next_server() {
    let mut herd = Herd::five().await;
    let address = |name: &str| herd.server(name).client_address().to_string();
    let [dead, hill, smith] = ["Campbell", "Hill", "Smith"].map(address);
    herd.server_mut("Campbell").kill();
    let mut running = checks("failover", &[&dead, &hill, &smith]);
    assert_eq!(running.line().await, "reported");
    herd.server_mut("Hill").kill();
    running.say("killed\n").await;
    assert_eq!(running.line().await, "done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_of_the_python_module_goes_on() {
    let mut herd = Herd::five().await;
    let address = |name: &str| herd.server(name).client_address().to_string();
    let [hill, smith] = ["Hill", "Smith"].map(address);
    let mut singleton = herd.client("Singleton").await;
    for van in ["van-stays", "van-moves", "van-goes"] {
        singleton.report(van, "+1+1", "1").await;
        let line = singleton.find(van).await.unwrap();
        herd.knows("Hill", van, &line).await;
    }
    let mut running = checks("watching", &[&hill, &smith]);
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(running.line().await);
    }
    told.sort_unstable();
    let first = ["van-goes", "van-moves", "van-stays"].map(|van| format!("record {van} 1"));
    assert_eq!(told, first);
    assert_eq!(running.line().await, "live None None");
    singleton.report("van-moves", "+1+2", "2").await;
    assert_eq!(running.line().await, "record van-moves 2");
    // While it moves to the next server, one is forgotten and one comes.
    herd.server_mut("Hill").kill();
    forget(&herd, "Singleton", "van-goes").await;
    singleton.report("van-comes", "+1+1", "3").await;
    let mut told = Vec::new();
    while told.len() < 3 {
        told.push(running.line().await);
    }
    told.retain(|event| event != "live None None");
    told.sort_unstable();
    assert_eq!(told, ["gone van-goes None", "record van-comes 3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_module_shows_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let [token, tokens] = ["token", "tokens"].map(|name| folder.path().join(name));
    let mut new = Command::new(binary::herd());
    new.args(["token", "new", "van7", "--report", "van*", "--ask", "van*"]);
    let line = new.arg("--out").arg(&token).output().unwrap();
    assert!(line.status.success(), "{line:?}");
    std::fs::write(&tokens, line.stdout).unwrap();
    let builder = Herd::builder(Topology::new(&["Hill"], &[]));
    let tokens = format!("--tokens={}", tokens.display());
    let herd = builder.argument(&tokens).start().await;
    let hill = herd.server("Hill").client_address().to_string();
    passes("rights", &[&hill, token.to_str().unwrap()]).await;
}
