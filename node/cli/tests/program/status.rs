//! `herd status` and `herd top`, completions and manual pages.

use nix::sys::signal::Signal;

use crate::process::{free_ports, herd};

/// A topology file of two servers, neither of which runs yet.
fn topology() -> (tempfile::TempDir, String) {
    topology_of(free_ports(6))
}

/// The same with these ports: of clients, peers and HTTP of each server.
pub(crate) fn topology_of(base: u16) -> (tempfile::TempDir, String) {
    let port = |offset: u16| base + offset;
    let text = format!(
        "cluster pair\n\
         server A client 127.0.0.1:{} peer 127.0.0.1:{} http 127.0.0.1:{}\n\
         server B client 127.0.0.1:{} peer 127.0.0.1:{} http 127.0.0.1:{}\n\
         link A B\n",
        port(0),
        port(1),
        port(2),
        port(3),
        port(4),
        port(5)
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pair");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

async fn json_has_both(of_topology: &str) {
    let (code, output) = herd(&["status", of_topology, "--json"]).run().await;
    assert_eq!(code, 0, "{output}");
    let json: serde_json::Value = serde_json::from_str(&output).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["servers"][1]["status"]["server"], "B");
}

#[tokio::test]
async fn status_tells_trouble_by_words_and_exit_status() {
    let (_folder, topology) = topology();
    let of_topology = format!("--topology={topology}");
    let (code, output) = herd(&["status", &of_topology]).run().await;
    assert_eq!(code, 69, "{output}");
    assert!(
        output.contains("! A does not answer at 127.0.0.1:"),
        "{output}"
    );
    assert!(output.contains("cannot connect"), "{output}");

    let serve = |name: &str| {
        let name = format!("--name={name}");
        let arguments = [
            "serve",
            &name,
            &of_topology,
            "--ephemeral",
            "--http-locations",
        ];
        herd(&arguments).start()
    };
    let mut a = serve("A");
    a.wait_for("listening").await;
    let (code, output) = herd(&["status", &of_topology]).run().await;
    assert_eq!(code, 1, "{output}");
    // B does not run, so that it has no link needs no words.
    assert!(
        output.starts_with("! B does not answer at 127.0.0.1:"),
        "{output}"
    );
    assert!(output.contains("\nA - B  down "), "{output}");

    let mut b = serve("B");
    b.wait_for("link made").await;
    let well = async {
        loop {
            let (code, output) = herd(&["status"])
                .env("HERD_TOPOLOGY", &topology)
                .run()
                .await;
            if code == 0 {
                return output;
            }
        }
    };
    let output = tokio::time::timeout(crate::process::PATIENCE, well).await;
    let output = output.expect("two servers that run should be well");
    assert!(output.contains("No trouble."), "{output}");
    assert_eq!(
        output
            .lines()
            .filter(|line| line.contains("  ready "))
            .count(),
        2,
        "{output}"
    );

    json_has_both(&of_topology).await;

    for server in [a, b] {
        server.signal(Signal::SIGKILL);
        server.end().await;
    }
}

#[tokio::test]
async fn a_server_that_shows_nothing_says_how_to_change_that() {
    let (_folder, topology) = topology();
    let of_topology = format!("--topology={topology}");
    let arguments = ["serve", "--name=A", &of_topology, "--ephemeral"];
    let mut server = herd(&arguments).start();
    server.wait_for("listening").await;
    let (code, output) = herd(&["status", &of_topology]).run().await;
    assert_eq!(code, 69, "{output}");
    assert!(
        output.starts_with("! A does not tell at 127.0.0.1:"),
        "{output}"
    );
    assert!(output.contains("HTTP 403: "), "{output}");
    assert!(
        output.contains("start it with --http-locations"),
        "{output}"
    );
    server.signal(Signal::SIGKILL);
    server.end().await;
}

#[tokio::test]
async fn mistakes_in_the_arguments_are_reported() {
    let (code, output) = herd(&["status", "--to=13000"]).run().await;
    assert_eq!(code, 64, "{output}");
    assert!(
        output.contains("is a port alone; write 127.0.0.1:13000"),
        "{output}"
    );
    let (code, output) = herd(&["status", "--topology=/nonexistent"]).run().await;
    assert_eq!(code, 64, "{output}");
    assert!(
        output.contains("--topology: cannot read topology /nonexistent: "),
        "{output}"
    );
}

#[tokio::test]
async fn top_without_a_terminal_names_herd_status() {
    let (code, output) = herd(&["top"]).run().await;
    assert_eq!(code, 64, "{output}");
    assert!(output.contains("needs a terminal"), "{output}");
    assert!(output.contains("herd status"), "{output}");
}

#[tokio::test]
async fn completions_and_pages_know_all_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, output) = herd(&["completions", shell]).run().await;
        assert_eq!(code, 0, "{shell}: {output}");
        for word in ["check-config", "http-locations", "completions"] {
            assert!(output.contains(word), "{shell} has no {word}");
        }
    }
    let (code, output) = herd(&["completions", "tcsh"]).run().await;
    assert_eq!(code, 64, "{output}");

    let (code, page) = herd(&["man"]).run().await;
    assert_eq!(code, 0, "{page}");
    assert!(page.contains(".TH herd 1"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    let out = format!("--out={}", folder.path().display());
    let (code, output) = herd(&["man", &out]).run().await;
    assert_eq!(code, 0, "{output}");
    for page in ["herd.1", "herd-serve.1", "herd-status.1"] {
        assert!(folder.path().join(page).is_file(), "no {page}");
    }
    let (code, output) = herd(&["man", "--out=/nonexistent"]).run().await;
    assert_eq!(code, 74, "{output}");
    assert!(output.contains("cannot write the pages into"), "{output}");
}
