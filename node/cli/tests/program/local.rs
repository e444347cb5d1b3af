//! A herd of processes on this machine.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::{self, Start, free_ports, get, healthz, herd, wait_until_gone};

const NAMES: [&str; 5] = ["Hill", "Jaquez", "Smith", "Campbell", "Singleton"];
const WELCOME: &str = "Ctrl-C stops all servers.";

/// `herd local` on twenty free ports: the first of them, for clients, then HTTP and peers.
fn local(arguments: &[&str]) -> (u16, Start) {
    let base = free_ports(20);
    let mut all = vec!["local".to_owned()];
    for (flag, port) in [
        ("client", base),
        ("http", base + 5),
        ("peer", base + 10),
        ("resp", base + 15),
    ] {
        all.push(format!("--{flag}-port-base={port}"));
    }
    all.extend(arguments.iter().map(|&argument| argument.to_owned()));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    (base, herd(&all))
}

/// The answer to a Redis client.
fn ping(port: u16) -> [u8; 7] {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"*1\r\n$4\r\nPING\r\n").unwrap();
    let mut reply = [0; 7];
    stream.read_exact(&mut reply).unwrap();
    reply
}

#[tokio::test]
async fn runs_five_servers_until_told_to_stop() {
    let (base, start) = local(&[]);
    // Would win over the settings of the servers, if they saw it.
    let mut herd = start.env("HERD_NAME", "Nobody").start();
    herd.wait_for(WELCOME).await;
    for place in 0..5 {
        assert!(healthz(base + 5 + place).await.ends_with("ok\n"));
        assert_eq!(ping(base + 15 + place), *b"+PONG\r\n");
        // Loopback only, so the inside of the herd is shown.
        let status = get(base + 5 + place, "/status").await;
        assert!(status.starts_with("HTTP/1.0 200 OK\r\n"), "{status}");
    }
    let servers = herd.children();
    assert_eq!(servers.len(), 5);
    let folder = herd.folder().join("herd-data");
    assert_eq!(
        folder.metadata().unwrap().permissions().mode() & 0o777,
        0o700
    );
    let output = herd.output();
    let named = folder.canonicalize().unwrap().display().to_string();
    assert!(output.contains(&named), "{output}");
    assert!(
        output.contains(&format!("nc 127.0.0.1 {}", base + 4)),
        "{output}"
    );

    herd.signal(Signal::SIGTERM);
    // Before the folder goes with the herd.
    herd.wait_for("SIGTERM: stopping all servers").await;
    for name in NAMES {
        herd.wait_for(&format!("herd: {name} stopped")).await;
        let log = std::fs::read_to_string(folder.join(format!("{name}.log"))).unwrap();
        assert!(log.contains("listening"), "{log}");
    }
    let (code, output) = herd.end().await;
    assert_eq!(code, 0, "{output}");
    for name in NAMES {
        let prefix = format!("{name:9} | ");
        let line = output.lines().find(|line| line.starts_with(&prefix));
        assert!(
            line.is_some_and(|line| line.contains("listening")),
            "{output}"
        );
    }
    wait_until_gone(&servers).await;
}

#[tokio::test]
async fn a_taken_port_is_named_and_nothing_is_left() {
    let (base, start) = local(&[]);
    let folder = start.folder().join("herd-data");
    let holder = TcpListener::bind(("127.0.0.1", base + 12)).unwrap();
    let herd = start.start();
    let kept = herd.folder().to_owned();
    let (code, output) = herd.end().await;
    assert_eq!(code, 69, "{output}");
    assert_eq!(
        output,
        format!(
            "herd: Smith: cannot listen on 127.0.0.1:{} for links between servers: the port is \
             taken by another process\n",
            base + 12
        )
    );
    assert!(!kept.join("herd-data").exists() && !folder.exists());
    drop(holder);
}

#[tokio::test]
async fn a_server_that_dies_is_reported_and_the_others_go_on() {
    let (base, start) = local(&["--ephemeral", "--log-format=json"]);
    let mut herd = start.start();
    herd.wait_for(WELCOME).await;
    let servers = herd.children();
    // In the order of the topology.
    kill(Pid::from_raw(servers[1]), Signal::SIGKILL).unwrap();
    let jaquez = format!("herd: Jaquez (process {})", servers[1]);
    herd.wait_for(&format!("{jaquez} was killed by signal 9 (SIGKILL)"))
        .await;
    herd.wait_for("herd: Jaquez cannot be started again: its certificate was in memory only")
        .await;
    assert_eq!(herd.children().len(), 4);
    assert!(healthz(base + 9).await.ends_with("ok\n"));

    for &server in servers.iter().filter(|&&server| server != servers[1]) {
        kill(Pid::from_raw(server), Signal::SIGTERM).unwrap();
    }
    let (code, output) = herd.end().await;
    assert_eq!(code, 70, "{output}");
    assert!(output.contains("herd: every server has died\n"), "{output}");
    let json = output.lines().filter(|line| line.starts_with('{'));
    let named = json.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    assert!(
        named.filter(|line| line["server"] == "Campbell").count() > 0,
        "{output}"
    );
}

#[tokio::test]
async fn the_command_for_a_dead_server_starts_it_again() {
    let (_, start) = local(&["--data-dir=it's data"]);
    let mut herd = start.start();
    herd.wait_for(WELCOME).await;
    let smith = herd.children()[2];
    kill(Pid::from_raw(smith), Signal::SIGKILL).unwrap();
    herd.wait_for("herd: Smith can be started again by: ").await;
    let output = herd.output();
    let command = output
        .lines()
        .find_map(|line| line.split_once("again by: "))
        .unwrap()
        .1;
    // `exec`, so that the signal reaches the server and not the shell.
    let mut again = process::command("sh")
        .args(["-c", &format!("exec {command}")])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = again.stderr.take().unwrap();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(stderr));
    let first = lines.next_line().await.unwrap().unwrap();
    assert!(first.contains("listening server=Smith"), "{first}");
    let again_pid = i32::try_from(again.id().unwrap()).unwrap();
    kill(Pid::from_raw(again_pid), Signal::SIGTERM).unwrap();
    assert_eq!(again.wait().await.unwrap().code(), Some(0));
    herd.signal(Signal::SIGINT);
    let (code, output) = herd.end().await;
    assert_eq!(code, 0, "{output}");
}

#[tokio::test]
async fn no_server_outlives_a_supervisor_that_was_killed() {
    let (_, start) = local(&["--ephemeral"]);
    let mut herd = start.start();
    herd.wait_for(WELCOME).await;
    let servers = herd.children();
    assert_eq!(servers.len(), 5);
    herd.signal(Signal::SIGKILL);
    wait_until_gone(&servers).await;
}

#[tokio::test]
async fn an_ephemeral_herd_writes_nothing() {
    let (_, start) = local(&["--ephemeral"]);
    let mut herd = start.start();
    herd.wait_for(WELCOME).await;
    assert_eq!(herd.folder().read_dir().unwrap().count(), 0);
    herd.signal(Signal::SIGINT);
    for name in NAMES {
        herd.wait_for(&format!("herd: {name} stopped")).await;
    }
    assert_eq!(herd.folder().read_dir().unwrap().count(), 0);
    let (code, output) = herd.end().await;
    assert_eq!(code, 0, "{output}");
}

#[tokio::test]
async fn a_second_signal_kills_a_server_that_does_not_stop() {
    let (_, start) = local(&["--ephemeral"]);
    let mut herd = start.start();
    herd.wait_for(WELCOME).await;
    let servers = herd.children();
    kill(Pid::from_raw(servers[0]), Signal::SIGSTOP).unwrap();
    herd.signal(Signal::SIGINT);
    for name in &NAMES[1..] {
        herd.wait_for(&format!("herd: {name} stopped")).await;
    }
    herd.signal(Signal::SIGINT);
    let (code, output) = herd.end().await;
    assert_eq!(code, 130, "{output}");
    let killed = format!(
        "herd: Hill (process {}) did not stop and was killed",
        servers[0]
    );
    assert!(output.contains(&killed), "{output}");
    wait_until_gone(&servers).await;
}

#[tokio::test]
async fn a_data_folder_belongs_to_one_herd() {
    let shared = tempfile::tempdir().unwrap();
    let folder = format!("--data-dir={}", shared.path().display());
    let (_, start) = local(&[&folder]);
    let mut first = start.start();
    first.wait_for(WELCOME).await;
    let (_, start) = local(&[&folder]);
    let (code, output) = start.run().await;
    assert_eq!(code, 69, "{output}");
    assert!(
        output.contains("herd: another herd uses the folder "),
        "{output}"
    );
    first.signal(Signal::SIGTERM);
    let (code, output) = first.end().await;
    assert_eq!(code, 0, "{output}");
}

#[tokio::test]
async fn a_topology_file_says_servers_and_ports() {
    let base = free_ports(6);
    let start = herd(&["local", "--topology", "two"]);
    let mut text = "cluster c\nlink a b\n".to_owned();
    for (name, port) in [("a", base), ("b", base + 3)] {
        let (peer, http) = (port + 1, port + 2);
        text.push_str(&format!(
            "server {name} client localhost:{port} peer 127.0.0.1:{peer} http localhost:{http}\n"
        ));
    }
    std::fs::write(start.folder().join("two"), text).unwrap();
    let mut herd = start.start();
    herd.wait_for(WELCOME).await;
    assert_eq!(herd.children().len(), 2);
    assert!(healthz(base + 2).await.ends_with("ok\n"));
    herd.signal(Signal::SIGTERM);
    let (code, output) = herd.end().await;
    assert_eq!(code, 0, "{output}");
}
