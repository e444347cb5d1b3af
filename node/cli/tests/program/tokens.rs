//! Tokens from their making to their end, with a server and clients as processes.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tokio::time::{sleep, timeout};

use crate::process::{PATIENCE, POLL, free_ports, get, healthz, herd};

/// Makes a token in `folder`; returns its line and the token itself.
async fn made(folder: &Path, name: &str, scopes: &[&str]) -> (String, String) {
    let file = format!("{name}.token");
    let arguments = [&["token", "new", name, "--out", &file], scopes].concat();
    let (code, line) = herd(&arguments).in_folder(folder).run().await;
    assert_eq!(code, 0, "{line}");
    let path = folder.join(&file);
    let mode = path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = std::fs::read_to_string(path).unwrap().trim().to_owned();
    assert!(!line.contains(&token));
    (line, token)
}

/// A line is refused, and the reason for people says this.
async fn is_refused(send: crate::process::Start, line: &str, reason: &str) {
    let (code, said) = send.run().await;
    assert!(code == 1 && said.contains(&format!("? {line}\n")), "{said}");
    assert!(said.contains(reason), "{said}");
}

#[tokio::test]
async fn a_token_is_made_shown_and_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let scopes = ["--report", "van-*", "--ask", "van-7"];
    let (line, token) = made(folder.path(), "van", &scopes).await;
    let (other_line, other) = made(folder.path(), "other", &["--report", "*"]).await;
    let tokens = folder.path().join("tokens");
    std::fs::write(&tokens, &line).unwrap();
    let base = free_ports(3);
    let listen = |purpose: &str, port: u16| format!("--{purpose}-listen=127.0.0.1:{port}");
    let mut server = herd(&[
        "serve",
        "--name=Hill",
        &listen("client", base),
        &listen("peer", base + 1),
        &listen("http", base + 2),
        "--tokens=tokens",
        "--log=debug",
        "--wire-log=wire.log",
        "--ephemeral",
    ])
    .in_folder(folder.path())
    .start();
    server.wait_for("listening").await;
    let to = format!("127.0.0.1:{base}");
    let send = |line: &str| herd(&["send", "--to", &to, line]).in_folder(folder.path());
    let report = "IAMAT van-7 +1+1 1";

    is_refused(send(report), report, "it may want a token").await;
    let (code, said) = send(report).env("HERD_TOKEN", &token).run().await;
    assert!(code == 0 && said.ends_with(" van-7 +1+1 1\n"), "{said}");
    let with_file = [
        "send",
        "--to",
        &to,
        "--token-file",
        "van.token",
        "WHATSAT van-8 1 1",
    ];
    let refused = herd(&with_file).in_folder(folder.path());
    is_refused(refused, "WHATSAT van-8 1 1", "or your token does not").await;
    let unknown = "herd send: the server does not know the token, or asks for none\n";
    let refused = send(report).env("HERD_TOKEN", &other).run().await;
    assert_eq!(refused, (1, unknown.to_owned()));

    assert!(healthz(base + 2).await.starts_with("HTTP/1.0 200 "));
    assert!(get(base + 2, "/").await.starts_with("HTTP/1.0 401 "));

    // A file that is wrong changes nothing; one that is right counts at once, and the first token is gone.
    std::fs::write(&tokens, "nonsense\n").unwrap();
    server.wait_for("the tokens file cannot be used").await;
    assert_eq!(send(report).env("HERD_TOKEN", &token).run().await.0, 0);
    std::fs::write(&tokens, &other_line).unwrap();
    let taken = async {
        while send(report).env("HERD_TOKEN", &other).run().await.0 != 0 {
            sleep(POLL).await;
        }
    };
    timeout(PATIENCE, taken).await.expect("the new file counts");
    assert_eq!(send(report).env("HERD_TOKEN", &token).run().await.0, 1);

    let wire_log = std::fs::read_to_string(folder.path().join("wire.log")).unwrap();
    for said in [server.output(), wire_log] {
        assert!(!said.contains(&token) && !said.contains(&other), "{said}");
    }
}

#[tokio::test]
async fn a_tokens_file_that_becomes_a_fifo_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (line, token) = made(folder.path(), "van", &["--report", "*"]).await;
    let (other_line, other) = made(folder.path(), "other", &["--report", "*"]).await;
    let tokens = folder.path().join("tokens");
    std::fs::write(&tokens, &line).unwrap();
    let base = free_ports(3);
    let listen = |purpose: &str, port: u16| format!("--{purpose}-listen=127.0.0.1:{port}");
    let mut server = herd(&[
        "serve",
        "--name=Hill",
        &listen("client", base),
        &listen("peer", base + 1),
        &listen("http", base + 2),
        "--tokens=tokens",
        "--ephemeral",
    ])
    .in_folder(folder.path())
    .start();
    server.wait_for("listening").await;
    let to = format!("127.0.0.1:{base}");
    let send = |token: &str| {
        let send = herd(&["send", "--to", &to, "IAMAT van-7 +1+1 1"]);
        send.env("HERD_TOKEN", token).run()
    };
    std::fs::remove_file(&tokens).unwrap();
    nix::unistd::mkfifo(&tokens, nix::sys::stat::Mode::S_IRWXU).unwrap();
    server.wait_for("it is not a regular file").await;
    assert_eq!(send(&token).await.0, 0);
    std::fs::remove_file(&tokens).unwrap();
    std::fs::write(&tokens, &other_line).unwrap();
    server.wait_for("the tokens file has changed").await;
    assert_eq!(send(&other).await.0, 0);
    // A start with such a file reports it at once, too.
    std::fs::remove_file(&tokens).unwrap();
    nix::unistd::mkfifo(&tokens, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let again = herd(&["check-config", "--name=Hill", "--tokens=tokens"]);
    let (code, said) = again.in_folder(folder.path()).run().await;
    assert!(code == 64 && said.contains("not a regular file"), "{said}");
}

#[tokio::test]
async fn a_token_file_is_not_overwritten_and_wrong_scopes_make_none() {
    let folder = tempfile::tempdir().unwrap();
    let (_, token) = made(folder.path(), "van", &[]).await;
    let again = ["token", "new", "van", "--out", "van.token"];
    let (code, said) = herd(&again).in_folder(folder.path()).run().await;
    assert_eq!(code, 74, "{said}");
    let kept = std::fs::read_to_string(folder.path().join("van.token")).unwrap();
    assert_eq!(kept.trim(), token);
    for wrong in [
        &["token", "new", "a b", "--out", "x"][..],
        &["token", "new", "a", "--out", "x", "--ask", "a*b"],
        &["token", "new", "a"],
    ] {
        let (code, said) = herd(wrong).in_folder(folder.path()).run().await;
        assert_eq!(code, 64, "{said}");
    }
    assert!(!folder.path().join("x").exists());
}
