//! A server whose standard error is full, closed or not read, and signals about logs.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::process::{
    Herd, PATIENCE, POLL, Start, free_ports, get, herd, metrics, wait_until_gone,
};

/// Waits until something is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let so = async {
        while !is_so().await {
            sleep(POLL).await;
        }
    };
    assert!(timeout(PATIENCE, so).await.is_ok(), "never: {what}");
}

/// A server on three free ports: the first of them, and how to start it.
fn server(arguments: &[&str]) -> (u16, Start) {
    let base = free_ports(3);
    let mut all = vec!["serve".to_owned(), "--name=Hill".to_owned()];
    for (place, purpose) in (0..).zip(["client", "peer", "http"]) {
        all.push(format!("--{purpose}-listen=127.0.0.1:{}", base + place));
    }
    all.extend(["--ephemeral".to_owned(), "--drain-delay=0".to_owned()]);
    all.extend(arguments.iter().map(|&argument| argument.to_owned()));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    (base, herd(&all))
}

async fn listens(port: u16) {
    until("it listens", async || {
        TcpStream::connect(("127.0.0.1", port)).await.is_ok()
    })
    .await;
}

/// Reports a client, and returns the reply.
async fn report(port: u16, id: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let line = format!("IAMAT {id} +1+1 1\n");
    stream.write_all(line.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut reply = String::new();
    let read = timeout(PATIENCE, stream.read_to_string(&mut reply)).await;
    read.expect("a reply").unwrap();
    reply
}

/// Serves, and ends in good order.
async fn serves_and_stops(server: Herd, base: u16) {
    let reply = report(base, "kiwi").await;
    assert!(reply.starts_with("AT Hill "), "{reply}");
    let healthz = get(base + 2, "/healthz").await;
    assert!(healthz.ends_with("ok\n"), "{healthz}");
    server.signal(Signal::SIGTERM);
    let (code, output) = server.end().await;
    assert_eq!(code, 0, "{output}");
}

/// How many log lines the server says are missing for this reason.
async fn missing(base: u16, reason: &str) -> u64 {
    let metrics = metrics(base + 2).await;
    let start = format!("herd_log_lines_dropped_total{{reason=\"{reason}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&start));
    line.unwrap_or_else(|| panic!("no {start}"))
        .parse::<f64>()
        .unwrap() as u64
}

#[tokio::test]
async fn a_full_standard_error_costs_lines_and_nothing_else() {
    let (base, start) = server(&[]);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let server = start.with_stderr(full).start();
    listens(base + 2).await;
    until("lines are counted", async || {
        missing(base, "not_written").await > 0
    })
    .await;
    serves_and_stops(server, base).await;
}

#[tokio::test]
async fn a_closed_standard_error_costs_lines_and_nothing_else() {
    let (base, start) = server(&[]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let server = start.with_stderr(writer).start();
    listens(base + 2).await;
    until("lines are counted", async || {
        missing(base, "not_written").await > 0
    })
    .await;
    serves_and_stops(server, base).await;
}

/// Makes a server with `--log=debug` say about this many lines.
async fn make_it_talk(port: u16, lines: usize) {
    for _ in 0..lines {
        // It is told that a client is lost.
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(b"x").await.unwrap();
    }
}

#[tokio::test]
async fn an_unread_standard_error_delays_nothing() {
    let (base, start) = server(&["--log=trace"]);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let server = start.with_stderr(writer).start();
    listens(base + 2).await;
    until("the queue is full", async || {
        make_it_talk(base, 500).await;
        missing(base, "no_room").await > 0
    })
    .await;
    let missed = missing(base, "no_room").await;
    // Once it is read, the log says how many lines are missing.
    let reading = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
        text
    });
    until("the queue is empty again", async || {
        make_it_talk(base, 1).await;
        let now = missing(base, "no_room").await;
        sleep(POLL).await;
        now == missing(base, "no_room").await
    })
    .await;
    serves_and_stops(server, base).await;
    let text = reading.await.unwrap();
    let told: u64 = text
        .lines()
        .filter_map(|line| line.split_once(" log lines are missing here"))
        .map(|(before, _)| before.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert!(told >= missed, "{told} of {missed} are told");
    assert!(
        text.lines().any(|line| line.ends_with(" stopped")),
        "no last line"
    );
}

#[tokio::test]
async fn a_server_with_an_unread_log_ends_in_time() {
    let (base, start) = server(&["--log=trace"]);
    let (reader, writer) = std::io::pipe().unwrap();
    let server = start.with_stderr(writer).start();
    listens(base + 2).await;
    until("the queue is full", async || {
        make_it_talk(base, 500).await;
        missing(base, "no_room").await > 0
    })
    .await;
    serves_and_stops(server, base).await;
    drop(reader);
}

/// A disk of 16 KiB, gone with the test.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None`, and a word about it, where this user may not mount.
    fn mount(folder: &Path) -> Option<Self> {
        let mut mount = std::process::Command::new("mount");
        let kind = ["-t", "tmpfs", "-o", "size=16k", "herd-test"];
        let mounted = mount.args(kind).arg(folder).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(SmallDisk(folder.to_owned()));
        }
        eprintln!("SKIPPED: only root can mount a small disk");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server may be about to end.
        let mut unmount = std::process::Command::new("umount");
        let _ = unmount.arg("-l").arg(&self.0).output();
    }
}

#[tokio::test]
async fn a_log_on_a_full_disk_goes_on_when_there_is_room() {
    let disk = tempfile::tempdir().unwrap();
    let Some(_mounted) = SmallDisk::mount(disk.path()) else {
        return;
    };
    let filler = disk.path().join("filler");
    let path = disk.path().join("log");
    let log = File::options()
        .append(true)
        .create(true)
        .open(&path)
        .unwrap();
    std::fs::write(&filler, [0; 8 * 1024]).unwrap();
    let (base, start) = server(&["--log=trace"]);
    let server = start.with_stderr(log).start();
    listens(base + 2).await;
    until("the disk is full", async || {
        make_it_talk(base, 100).await;
        missing(base, "not_written").await > 0
    })
    .await;
    std::fs::remove_file(&filler).unwrap();
    until("the log goes on", async || {
        make_it_talk(base, 1).await;
        let text = std::fs::read_to_string(&path).unwrap();
        // Lines that waited may have filled the disk again before that one came.
        File::options()
            .write(true)
            .truncate(true)
            .open(&path)
            .unwrap();
        text.contains(" log lines are missing here: standard error did not take them")
    })
    .await;
    serves_and_stops(server, base).await;
}

#[test]
fn the_targets_of_the_documents_are_modules() {
    let text = include_str!("../../../../docs/operations.md");
    let (_, text) = text.split_once("\n| target | says |\n").unwrap();
    let (text, _) = text.split_once("\n\n").unwrap();
    let targets: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `herd_")?.split_once('`'))
        .map(|(target, _)| target.split_once("::").unwrap_or((target, "lib")))
        .collect();
    assert!(targets.len() > 5, "{targets:?}");
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (name, module) in targets {
        let source = crates.join(name).join("src");
        let folder = source.join(module.replace("::", "/"));
        assert!(
            folder.is_dir() || folder.with_extension("rs").is_file(),
            "{name}::{module}"
        );
    }
}

/// Whether a file holds a text.
fn holds(path: &Path, text: &str) -> bool {
    std::fs::read_to_string(path).is_ok_and(|held| held.contains(text))
}

#[tokio::test]
async fn a_hangup_opens_the_wire_log_anew_and_ends_nothing() {
    let (base, start) = server(&["--wire-log=wire.log"]);
    let mut server = start.start();
    server.wait_for("listening").await;
    let path = server.folder().join("wire.log");
    let moved = server.folder().join("wire.log.1");
    report(base, "early").await;
    until("the log has it", async || holds(&path, "early")).await;
    std::fs::rename(&path, &moved).unwrap();
    server.signal(Signal::SIGHUP);
    server.wait_for("the wire log was opened anew").await;
    report(base, "late").await;
    until("the new log has it", async || holds(&path, "late")).await;
    assert!(!holds(&moved, "late") && !holds(&path, "early"));
    serves_and_stops(server, base).await;
    let (base, start) = self::server(&[]);
    let mut server = start.start();
    server.wait_for("listening").await;
    server.signal(Signal::SIGHUP);
    server.wait_for("there is no wire log to open anew").await;
    serves_and_stops(server, base).await;
}

/// `herd local` on twenty free ports, the first of them for clients.
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

#[tokio::test]
async fn a_hangup_opens_the_files_of_a_local_herd_anew() {
    let (base, start) = local(&[]);
    let mut herd = start.start();
    herd.wait_for("Ctrl-C stops all servers.").await;
    let servers = herd.children();
    let folder = herd.folder().join("herd-data");
    for name in ["Hill.log", "Hill.wire.log"] {
        std::fs::rename(folder.join(name), folder.join(format!("{name}.1"))).unwrap();
    }
    herd.signal(Signal::SIGHUP);
    // The servers say so, and that is in the new log already.
    until("both are there again", async || {
        let log = folder.join("Hill.log");
        holds(&log, "the wire log was opened anew") && folder.join("Hill.wire.log").exists()
    })
    .await;
    let reply = report(base, "kiwi").await;
    assert!(reply.starts_with("AT Hill "), "{reply}");
    assert_eq!(herd.children(), servers);
    herd.signal(Signal::SIGTERM);
    herd.wait_for("Singleton stopped").await;
    let (code, output) = herd.end().await;
    assert_eq!(code, 0, "{output}");
    wait_until_gone(&servers).await;
}

#[tokio::test]
async fn a_local_herd_with_unread_output_runs_and_ends() {
    let (base, start) = local(&["--ephemeral", "--log=debug", "--show-logs"]);
    let (reader, writer) = std::io::pipe().unwrap();
    // It holds less than the servers say at their start.
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4_096)).unwrap();
    let herd = start.with_stderr(writer).start();
    for place in 0..15 {
        listens(base + place).await;
    }
    make_it_talk(base, 500).await;
    let servers = herd.children();
    assert_eq!(servers.len(), 5);
    let reply = report(base, "kiwi").await;
    assert!(reply.starts_with("AT Hill "), "{reply}");
    herd.signal(Signal::SIGTERM);
    let (code, output) = herd.end().await;
    assert_eq!(code, 0, "{output}");
    wait_until_gone(&servers).await;
    drop(reader);
}

#[tokio::test]
async fn a_local_herd_goes_on_without_a_terminal() {
    let (base, start) = local(&["--ephemeral"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let herd = start.with_stderr(Stdio::from(writer)).start();
    for place in 0..15 {
        listens(base + place).await;
    }
    let reply = report(base, "kiwi").await;
    assert!(reply.starts_with("AT Hill "), "{reply}");
    herd.signal(Signal::SIGINT);
    let (code, output) = herd.end().await;
    assert_eq!(code, 0, "{output}");
}
