//! `herd forget`: ids of the command line and of files, the question, and tokens.

use std::path::Path;

use crate::process::{Herd, free_ports, herd};

/// Hill in memory, the only server of its herd, with these arguments besides; and where its clients connect. In a larger
/// herd it would wait until it has heard of the others.
async fn hill(folder: &Path, more: &[&str]) -> (Herd, String) {
    let base = free_ports(3);
    let topology = format!(
        "cluster one\nserver Hill client 127.0.0.1:{base} peer 127.0.0.1:{} http 127.0.0.1:{}\n",
        base + 1,
        base + 2
    );
    std::fs::write(folder.join("topology"), topology).unwrap();
    let arguments = ["serve", "--name=Hill", "--topology=topology", "--ephemeral"];
    let arguments = [&arguments[..], more].concat();
    let mut server = herd(&arguments).in_folder(folder).start();
    server.wait_for("listening").await;
    (server, format!("--to=127.0.0.1:{base}"))
}

async fn is_known(to: &str, client: &str) -> bool {
    let question = format!("WHATSAT {client} 0 0");
    herd(&["send", to, &question]).run().await.0 == 0
}

async fn report(to: &str, clients: &[&str]) {
    for client in clients {
        let line = format!("IAMAT {client} +1+1 1");
        let (code, said) = herd(&["send", to, &line]).run().await;
        assert_eq!(code, 0, "{said}");
    }
}

#[tokio::test]
async fn clients_of_the_line_and_of_a_file_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let (_hill, to) = hill(folder.path(), &[]).await;
    report(&to, &["kiwi", "emu", "moa", "rhea"]).await;
    std::fs::write(folder.path().join("ids"), "emu\r\n\n moa \nunseen\n").unwrap();
    let forget = ["forget", &to, "--yes", "--ids=ids", "kiwi"];
    let (code, said) = herd(&forget).in_folder(folder.path()).run().await;
    assert_eq!(code, 0, "{said}");
    let gone: Vec<&str> = said
        .lines()
        .map(|line| line.split(' ').nth(2).unwrap())
        .collect();
    assert!(
        said.lines().all(|line| line.starts_with("GONE Hill ")),
        "{said}"
    );
    assert_eq!(gone, ["kiwi", "emu", "moa", "unseen"]);
    for client in gone {
        assert!(!is_known(&to, client).await, "{client}");
    }
    assert!(is_known(&to, "rhea").await);
    // A file that is wrong forgets nobody.
    std::fs::write(folder.path().join("ids"), "rhea\na b\n").unwrap();
    let forget = ["forget", &to, "--yes", "--ids=ids"];
    let (code, said) = herd(&forget).in_folder(folder.path()).run().await;
    assert!(code == 64 && said.contains("line 2 of the ids"), "{said}");
    assert!(is_known(&to, "rhea").await);
}

#[tokio::test]
async fn nobody_is_forgotten_without_a_yes() {
    let folder = tempfile::tempdir().unwrap();
    let (_hill, to) = hill(folder.path(), &[]).await;
    report(&to, &["kiwi"]).await;
    let (code, said) = herd(&["forget", &to, "kiwi"]).run().await;
    assert!(code == 64 && said.contains("give --yes"), "{said}");
    assert!(is_known(&to, "kiwi").await);
    // At a terminal it asks.
    for (answer, expected) in [("n", 1), ("y", 0)] {
        let program = env!("CARGO_BIN_EXE_herd");
        let shell = format!("{program} forget {to} kiwi");
        let Some(mut script) = crate::terminals::at_a_terminal(&shell, folder.path()) else {
            return;
        };
        let typed = folder.path().join("typed");
        std::fs::write(&typed, format!("{answer}\n")).unwrap();
        let output = script
            .stdin(std::fs::File::open(typed).unwrap())
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            said.contains("Forget kiwi on all servers, for good? [y/N]"),
            "{said}"
        );
        assert_eq!(output.status.code(), Some(expected), "{said}");
        assert_eq!(is_known(&to, "kiwi").await, answer == "n");
    }
}

#[tokio::test]
async fn a_token_forgets_only_what_its_scope_covers() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = String::new();
    for (name, scope) in [("fleet", "--forget=van-*"), ("driver", "--report=*")] {
        let out = format!("--out={name}.token");
        let made = herd(&["token", "new", name, scope, "--ask=*", &out]);
        let (code, line) = made.in_folder(folder.path()).run().await;
        assert_eq!(code, 0, "{line}");
        lines += &line;
    }
    std::fs::write(folder.path().join("tokens"), lines).unwrap();
    let (_hill, to) = hill(folder.path(), &["--tokens=tokens"]).await;
    let with = |name: &str, arguments: &[&str]| {
        let token = format!("--token-file={name}.token");
        let arguments = [arguments, &[to.as_str(), token.as_str()]].concat();
        herd(&arguments).in_folder(folder.path())
    };
    for client in ["van-1", "bus-1"] {
        let line = format!("IAMAT {client} +1+1 1");
        assert_eq!(with("driver", &["send", &line]).run().await.0, 0);
    }
    let clients = ["forget", "--yes", "van-1", "bus-1"];
    let (code, said) = with("driver", &clients).run().await;
    assert!(
        code == 1 && said.contains("refused 2 of the clients"),
        "{said}"
    );
    let (code, said) = with("fleet", &clients).run().await;
    assert!(code == 1 && said.contains("GONE Hill van-1 "), "{said}");
    assert!(said.contains("refused: bus-1"), "{said}");
    for (client, code) in [("van-1", 1), ("bus-1", 0)] {
        let question = format!("WHATSAT {client} 0 0");
        assert_eq!(with("driver", &["send", &question]).run().await.0, code);
    }
}
