//! `herd watch` on two servers, one of which stops.

use nix::sys::signal::Signal;

use crate::process::{Herd, free_ports, herd};
use crate::status::topology_of;

/// A server of the topology, ready for clients.
async fn serve(name: &str, of_topology: &str) -> Herd {
    let name = format!("--name={name}");
    let mut server = herd(&[
        "serve",
        &name,
        of_topology,
        "--ephemeral",
        "--drain-delay=0",
    ])
    .start();
    server.wait_for("gossip started").await;
    server
}

async fn report(to: &str, line: &str) {
    let (code, output) = herd(&["send", to, line]).run().await;
    assert_eq!(code, 0, "{output}");
}

#[tokio::test]
async fn a_watch_moves_on_and_tells_what_is_new() {
    let base = free_ports(6);
    let (_folder, topology) = topology_of(base);
    let of_topology = format!("--topology={topology}");
    let (a, mut b) = (
        serve("A", &of_topology).await,
        serve("B", &of_topology).await,
    );
    b.wait_for("link made").await;
    let [to_a, to_b] = [base, base + 3].map(|port| format!("--to=127.0.0.1:{port}"));
    let mut watch = herd(&["watch", "kiwi", &to_a, &to_b]).start();
    watch
        .wait_for(&format!("0 clients now; watching 127.0.0.1:{base}\n"))
        .await;
    let mut json = herd(&["watch", "--near=+1+1", "--radius=5", "--json", &to_b]).start();
    json.wait_for("{\"event\":\"live\",\"clients\":0,").await;
    report(&to_b, "IAMAT kiwi +1+1 1").await;
    let told = "kiwi is at +1+1, reported 1970-01-01T00:00:01.000Z, heard by B\n";
    watch.wait_for(told).await;
    json.wait_for("{\"event\":\"enter\",\"client\":\"kiwi\",\"latitude\":1.0,")
        .await;
    a.signal(Signal::SIGINT);
    let (code, output) = a.end().await;
    assert_eq!(code, 0, "{output}");
    watch.wait_for("the server ended the watch: stopping").await;
    watch.wait_for("trying again in ").await;
    watch
        .wait_for(&format!("1 client now; watching 127.0.0.1:{}\n", base + 3))
        .await;
    assert_eq!(
        watch.output().matches(told).count(),
        1,
        "{}",
        watch.output()
    );
    report(&to_b, "IAMAT kiwi +2+2 2").await;
    watch.wait_for("kiwi is at +2+2, ").await;
    json.wait_for("{\"event\":\"leave\",\"client\":\"kiwi\",")
        .await;
    for watch in [watch, json] {
        watch.signal(Signal::SIGINT);
        let (code, output) = watch.end().await;
        assert_eq!(code, 0, "{output}");
    }
}

#[tokio::test]
async fn a_watch_that_cannot_begin_says_why() {
    let nobody = format!("--to=127.0.0.1:{}", free_ports(1));
    let (code, output) = herd(&["watch", "kiwi", &nobody]).run().await;
    assert_eq!(code, 69, "{output}");
    assert!(output.contains("is a server running there?"), "{output}");
    for arguments in [&["watch"][..], &["watch", "--near=+1+1"], &["watch", "a b"]] {
        let (code, output) = herd(arguments).run().await;
        assert_eq!(code, 64, "{arguments:?}: {output}");
    }
}
