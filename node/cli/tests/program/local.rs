//! A herd of processes on this machine.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::{self, Start, free_ports, get, healthz, herd, wait_until_gone};

const NAMES: [&str; 5] = ["Hill", "Jaquez", "Smith", "Campbell", "Singleton"];
pub(crate) const WELCOME: &str = "Ctrl-C stops all servers.";

/// `herd local` on twenty free ports: the first of them, for clients, then HTTP and peers.
pub(crate) fn local(arguments: &[&str]) -> (u16, Start) {
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
    let (base, start) = local(&["--show-logs"]);
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
        herd.wait_for(&format!("\n{name} stopped\n")).await;
        let log = std::fs::read_to_string(folder.join(format!("{name}.log"))).unwrap();
        assert!(log.contains("listening"), "{log}");
    }
    let (code, output) = herd.end().await;
    assert_eq!(code, 0, "{output}");
    for name in NAMES {
        let prefix = format!("{name:9} | ");
        let mut lines = output.lines().filter(|line| line.starts_with(&prefix));
        assert!(lines.any(|line| line.contains("listening")), "{output}");
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
             taken by another process; other ports are --client-port-base {}\n",
            base + 12,
            base + 100
        )
    );
    assert!(!kept.join("herd-data").exists() && !folder.exists());
    drop(holder);
}

#[tokio::test]
async fn a_server_that_dies_is_reported_and_the_others_go_on() {
    let (base, start) = local(&["--ephemeral", "--log-format=json", "--show-logs"]);
    let mut herd = start.start();
    herd.wait_for(WELCOME).await;
    let servers = herd.children();
    // In the order of the topology.
    kill(Pid::from_raw(servers[1]), Signal::SIGKILL).unwrap();
    herd.wait_for("Jaquez was killed; it cannot be started again, since this herd is ephemeral")
        .await;
    assert_eq!(herd.children().len(), 4);
    assert!(healthz(base + 9).await.ends_with("ok\n"));

    for &server in servers.iter().filter(|&&server| server != servers[1]) {
        kill(Pid::from_raw(server), Signal::SIGTERM).unwrap();
    }
    let (code, output) = herd.end().await;
    assert_eq!(code, 70, "{output}");
    assert!(output.contains("every server has died"), "{output}");
    let logged = lines_of_json(&output);
    assert!(
        logged.iter().any(|line| line["server"] == "Campbell"),
        "{output}"
    );
}

/// The lines of standard error of a herd that logs JSON: all of them are JSON, no name stands in one twice, and each name
/// has one type in all of them. The welcome, for a person, is passed over.
fn lines_of_json(output: &str) -> Vec<serde_json::Value> {
    let (before, rest) = output.split_once("\nThe herd is up: ").unwrap();
    let (_, after) = rest.split_once(&format!("{WELCOME}\n\n")).unwrap();
    let lines = before
        .lines()
        .chain(after.lines())
        .filter(|line| !line.is_empty());
    let mut types = std::collections::BTreeMap::new();
    let mut logged = Vec::new();
    for line in lines {
        let value: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line} is no JSON: {error}"));
        for (name, member) in value.as_object().unwrap() {
            assert_eq!(
                line.matches(&format!("\"{name}\":")).count(),
                1,
                "twice: {line}"
            );
            let kind = std::mem::discriminant(member);
            assert_eq!(
                *types.entry(name.clone()).or_insert(kind),
                kind,
                "{name}: {line}"
            );
        }
        logged.push(value);
    }
    logged
}

/// What `herd stop` or `herd start` says in the folder of a herd, with its exit status.
async fn order(herd: &process::Herd, arguments: &[&str]) -> (i32, String) {
    process::herd(arguments)
        .in_folder(herd.folder())
        .run()
        .await
}

#[tokio::test]
async fn one_server_is_stopped_killed_and_started() {
    let (base, start) = local(&[]);
    let mut herd = start.start();
    herd.wait_for("The herd is up: 5 servers, 6 links.").await;
    herd.wait_for(WELCOME).await;
    let answered = |(code, said): (i32, String), expected: &str| {
        assert_eq!((code, said.as_str()), (0, expected));
    };
    answered(order(&herd, &["stop", "Smith"]).await, "Smith stopped\n");
    herd.wait_for("Smith stopped; start it again with: ").await;
    assert_eq!(herd.children().len(), 4);
    let (code, said) = order(&herd, &["stop", "Smith"]).await;
    assert_eq!(
        (code, said.as_str()),
        (1, "herd stop: Smith does not run\n")
    );
    answered(order(&herd, &["start", "Smith"]).await, "Smith runs\n");
    for neighbour in ["Hill", "Singleton", "Campbell"] {
        let linked = [
            format!("Smith and {neighbour} are linked"),
            format!("{neighbour} and Smith are linked"),
        ];
        let waiting = async {
            while !linked.iter().any(|linked| herd.output().contains(linked)) {
                tokio::time::sleep(process::POLL).await;
            }
        };
        let told = tokio::time::timeout(process::PATIENCE, waiting).await;
        assert!(told.is_ok(), "{}", herd.output());
    }
    let (code, said) = order(&herd, &["start", "Smith"]).await;
    assert_eq!(
        (code, said.as_str()),
        (1, "herd start: Smith runs already\n")
    );
    answered(
        order(&herd, &["stop", "--kill", "Jaquez"]).await,
        "Jaquez was killed\n",
    );
    let (code, said) = order(&herd, &["stop", "Nobody"]).await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("there is no server Nobody; there are Hill, Jaquez"),
        "{said}"
    );
    // That the links of servers that ended are down needs no words.
    assert!(
        !herd.output().contains("not linked any more"),
        "{}",
        herd.output()
    );
    // All that a person has read so far is sentences.
    assert!(!herd.output().contains(" INFO "), "{}", herd.output());
    assert!(healthz(base + 5).await.ends_with("ok\n"));
    herd.signal(Signal::SIGTERM);
    let (code, output) = herd.end().await;
    assert_eq!(code, 0, "{output}");
    let (code, said) = process::herd(&["stop", "Hill"]).run().await;
    assert_eq!(code, 69, "{said}");
    assert!(said.contains("no `herd local` runs in herd-data"), "{said}");
}

#[tokio::test]
async fn a_herd_that_was_stopped_whole_waits_to_be_started() {
    let (_, start) = local(&[]);
    let mut herd = start.start();
    herd.wait_for(WELCOME).await;
    for name in NAMES {
        assert_eq!(order(&herd, &["stop", name]).await.0, 0);
    }
    assert_eq!(
        order(&herd, &["start", "Hill"]).await,
        (0, "Hill runs\n".to_owned())
    );
    assert_eq!(order(&herd, &["stop", "Hill"]).await.0, 0);
    herd.signal(Signal::SIGTERM);
    let (code, output) = herd.end().await;
    assert_eq!(code, 0, "{output}");
}

#[tokio::test]
async fn a_second_start_tells_what_it_found_and_can_begin_anew() {
    let shared = tempfile::tempdir().unwrap();
    let folder = format!("--data-dir={}", shared.path().display());
    let mut found = Vec::new();
    for more in [None, None, Some("--fresh")] {
        let arguments: Vec<&str> = [folder.as_str()].into_iter().chain(more).collect();
        let (base, start) = local(&arguments);
        let mut herd = start.start();
        herd.wait_for(WELCOME).await;
        let said = herd.output();
        let up = said
            .lines()
            .find(|line| line.starts_with("The herd is up: "));
        found.push(up.unwrap_or_default().to_owned());
        // At most a screen, the help at its end.
        let (_, shown) = said.split_once("The herd is up: ").unwrap();
        assert!(shown.lines().count() <= 24, "{said}");
        assert!(said.ends_with("Ctrl-C stops all servers.\n\n"), "{said}");
        let to = format!("127.0.0.1:{base}");
        let (code, said) = process::herd(&["send", "--to", &to, "IAMAT", "kiwi", "+34-118", "now"])
            .run()
            .await;
        assert_eq!(code, 0, "{said}");
        herd.signal(Signal::SIGTERM);
        let (code, output) = herd.end().await;
        assert_eq!(code, 0, "{output}");
    }
    assert_eq!(
        found,
        [
            "The herd is up: 5 servers, 6 links.",
            "The herd is up: 5 servers, 6 links, 1 client from before (--fresh begins anew).",
            "The herd is up: 5 servers, 6 links.",
        ]
    );
}

#[tokio::test]
async fn a_herd_in_the_way_is_named() {
    let (base, start) = local(&["--ephemeral"]);
    let mut first = start.start();
    first.wait_for(WELCOME).await;
    let ports =
        ["client", "http", "peer", "resp"]
            .iter()
            .zip([base, base + 5, base + 10, base + 15]);
    let ports: Vec<String> = ports
        .map(|(kind, port)| format!("--{kind}-port-base={port}"))
        .collect();
    let arguments: Vec<&str> = ["local"]
        .into_iter()
        .chain(ports.iter().map(String::as_str))
        .collect();
    let (code, output) = herd(&arguments).run().await;
    assert_eq!(code, 69, "{output}");
    assert_eq!(
        output,
        format!(
            "herd: the herd `herd` runs at these ports already: see http://127.0.0.1:{}/. Stop it (Ctrl-C in its \
             terminal), or start this one beside it: --client-port-base {} --data-dir herd-data-2\n",
            base + 5,
            base + 100
        )
    );
    first.signal(Signal::SIGTERM);
    let (code, output) = first.end().await;
    assert_eq!(code, 0, "{output}");
}

#[tokio::test]
async fn one_base_moves_all_ports() {
    // No other test takes ports above those of `free_ports`, and the system gives none out below 32,768.
    let base = 31_700 + rand::random_range(0..150) * 5;
    let flag = format!("--client-port-base={base}");
    let start = herd(&["check-config", "--name=Hill", &flag]);
    let (code, output) = start.run().await;
    assert_eq!(code, 0, "{output}");
    for (setting, port) in [("http_listen", base + 1_000), ("peer_listen", base + 2_000)] {
        let line = output
            .lines()
            .find(|line| line.trim_start().starts_with(setting));
        assert!(
            line.is_some_and(|line| line.contains(&format!(":{port} "))),
            "{output}"
        );
    }
}

#[tokio::test]
async fn the_command_for_a_dead_server_starts_it_again() {
    let (_, start) = local(&["--data-dir=it's data"]);
    let mut herd = start.start();
    herd.wait_for(WELCOME).await;
    let smith = herd.children()[2];
    kill(Pid::from_raw(smith), Signal::SIGKILL).unwrap();
    herd.wait_for("Smith was killed; start it again with: ")
        .await;
    let output = herd.output();
    let command = output
        .lines()
        .find_map(|line| line.split_once("again with: "))
        .unwrap()
        .1;
    let again = process::command("sh")
        .args(["-c", command])
        .current_dir(herd.folder())
        .output()
        .await
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&again.stdout),
        "Smith runs\n",
        "{command}: {again:?}"
    );
    assert_eq!(herd.children().len(), 5);
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
        herd.wait_for(&format!("\n{name} stopped\n")).await;
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
        herd.wait_for(&format!("\n{name} stopped\n")).await;
    }
    herd.signal(Signal::SIGINT);
    let (code, output) = herd.end().await;
    assert_eq!(code, 130, "{output}");
    let killed = format!("Hill (process {}) did not stop and was killed", servers[0]);
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
        output.contains("herd: another `herd local` runs in the folder "),
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
