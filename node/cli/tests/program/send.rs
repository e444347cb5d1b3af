//! `herd send` for people: reasons, words, the present, and conversations.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::process::{Herd, PATIENCE, free_ports, herd};
use crate::terminals::at_a_terminal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_herd");

/// A server, and its client port.
async fn server() -> (Herd, String) {
    let base = free_ports(3);
    let mut server = herd(&[
        "serve",
        "--name=Hill",
        "--ephemeral",
        &format!("--client-listen=127.0.0.1:{base}"),
        &format!("--peer-listen=127.0.0.1:{}", base + 1),
        &format!("--http-listen=127.0.0.1:{}", base + 2),
    ])
    .start();
    server.wait_for("listening").await;
    (server, format!("127.0.0.1:{base}"))
}

async fn end(server: Herd) {
    server.signal(Signal::SIGKILL);
    server.end().await;
}

#[tokio::test]
async fn a_refused_line_is_explained_and_words_need_no_quotes() {
    let (server, to) = server().await;
    for (words, status, reason) in [
        (
            &["IAMAT", "kiwi", "34.06-118.4", "now"][..],
            1,
            "herd send: the location needs a sign: +34.06-118.4\n",
        ),
        (
            &["IAMAT", "kiwi", "+34.06-118.4", "1520023934918"],
            1,
            "herd send: that time is in milliseconds?",
        ),
        (
            &["WHATSAT", "kiwi", "10", "5"],
            1,
            "herd send: nobody has reported kiwi",
        ),
        (&["IAMAT", "kiwi", "-34.06+118.4", "now"], 0, "AT Hill +0.0"),
        (
            &["WHATSAT kiwi 0 0", "NEARBY POINT -34+118 50 5"],
            0,
            "NEAR 1 complete",
        ),
    ] {
        let arguments = [&["send", "--to", &to], words].concat();
        let (code, said) = herd(&arguments).run().await;
        assert_eq!(code, status, "{words:?}: {said}");
        assert!(said.contains(reason), "{words:?}: {said}");
    }
    end(server).await;
}

#[tokio::test]
async fn a_stream_of_refused_lines_is_explained_in_part() {
    let (server, to) = server().await;
    let mut send = herd(&["send", "--to", &to]).with_pipe().start();
    let lines = "WHATSAT kiwi 1 1\n".repeat(40) + "IAMAT kiwi +1+1 now";
    send.write(&lines).await;
    send.close_stdin();
    let (code, said) = send.end().await;
    assert_eq!(code, 1, "{said}");
    assert_eq!(
        said.matches("nobody has reported kiwi").count(),
        10,
        "{said}"
    );
    assert!(
        said.contains("further lines that are refused are not explained"),
        "{said}"
    );
    assert!(said.contains("AT Hill +0.0"), "{said}");
    end(server).await;
}

#[tokio::test]
async fn a_port_alone_is_no_server_and_no_command() {
    for (arguments, remedy) in [
        (
            &["send", "--to", "12003", "x"][..],
            "is a port alone; write 127.0.0.1:12003",
        ),
        (&["send", ":12003"], "write --to 127.0.0.1:12003"),
        (&["send", "12003"], "write --to 127.0.0.1:12003"),
    ] {
        let (code, said) = herd(arguments).run().await;
        assert_eq!(code, 64, "{arguments:?}: {said}");
        assert!(said.contains(remedy), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn a_conversation_has_help_the_present_and_a_history() {
    let (server, to) = server().await;
    let folder = tempfile::tempdir().unwrap();
    let shell = format!("exec {PROGRAM} send --to {to}");
    let Some(mut script) = at_a_terminal(&shell, folder.path()) else {
        return end(server).await;
    };
    script
        .env("XDG_STATE_HOME", folder.path())
        .env("TERM", "xterm")
        .stdin(Stdio::piped());
    let mut script = script.spawn().unwrap();
    let mut stdin = script.stdin.take().unwrap();
    let mut stdout = script.stdout.take().unwrap();
    let mut said = String::new();
    let mut heard = [0; 4096];
    for (typed, shown) in [
        ("", "> "),
        ("help\n", "IAMAT CLIENT LOCATION TIME"),
        ("IAMAT kiwi +1+1 now\n", "AT Hill +0.0"),
        ("WHATSAT nobody 1 1\n", "nobody has reported nobody"),
    ] {
        stdin.write_all(typed.as_bytes()).await.unwrap();
        while !said.contains(shown) {
            let read = timeout(PATIENCE, stdout.read(&mut heard)).await;
            let read = read
                .unwrap_or_else(|_| panic!("no {shown}: {said}"))
                .unwrap();
            assert!(read > 0, "ended without {shown}: {said}");
            said.push_str(&String::from_utf8_lossy(&heard[..read]));
        }
        said.clear();
    }
    stdin.write_all(b"quit\n").await.unwrap();
    let rest = timeout(PATIENCE, stdout.read_to_string(&mut said)).await;
    rest.expect("the conversation goes on").unwrap();
    let history = folder.path().join("herd/history");
    let lines = std::fs::read_to_string(&history).unwrap();
    assert!(
        lines.contains("IAMAT kiwi +1+1 now") && !lines.contains("help"),
        "{lines}"
    );
    let mode = history.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
    end(server).await;
}
