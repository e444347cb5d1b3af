//! A floor of expiry that a wrong clock has raised, at a server that runs: it says so, and an operator lowers it.

use std::path::{Path, PathBuf};

use herd_clock::clock::{SystemClock, WallClock as _};
use herd_storage::{DataFolder, FjallStore, Store as _, Write};
use nix::sys::signal::Signal;
use tokio::time::{Duration, Instant, sleep};

use crate::process::{Herd, POLL, Start, free_ports, get, herd, metrics};

const SECOND_NS: i64 = 1_000_000_000;
const YEAR_S: i64 = 365 * 24 * 3_600;

/// A server of its own herd, with a data folder.
fn serve(folder: &Path, base: u16, ack: &str) -> Start {
    let topology = format!(
        "cluster farm\nserver barn client 127.0.0.1:{base} peer 127.0.0.1:{} http 127.0.0.1:{}\n",
        base + 1,
        base + 2
    );
    std::fs::write(folder.join("t"), topology).unwrap();
    let ack = format!("--ack={ack}");
    let arguments = [
        "serve",
        "--name=barn",
        "--topology=t",
        "--data-dir=data",
        "--expire-after=1h",
        "--drain-delay=0",
        &ack,
    ];
    herd(&arguments).in_folder(folder)
}

fn now_s() -> i64 {
    SystemClock.now_ns() / SECOND_NS
}

/// A data folder whose floor is ahead, as a server with a wrong clock had left it.
fn poisoned(folder: &Path, ahead_s: i64) {
    let data = DataFolder::open(&folder.join("data"), "barn", "farm").unwrap();
    let mut store = FjallStore::open(data).unwrap();
    store.load(&mut |_| {}).unwrap();
    let time_ns = (now_s() + ahead_s) * SECOND_NS;
    store.commit(&[Write::Floor { time_ns }]).unwrap();
    store.sync().unwrap();
}

/// Lowers the floor of the data folder.
async fn lower_floor(folder: &Path) -> (i32, String) {
    let arguments = [
        "store",
        "lower-floor",
        "--data-dir=data",
        "--expire-after=1h",
    ];
    herd(&arguments).in_folder(folder).run().await
}

/// The answer of the server to a line.
async fn reply(base: u16, line: &str) -> String {
    let to = format!("--to=127.0.0.1:{base}");
    let (code, output) = herd(&["send", &to, line]).run().await;
    assert!([0, 1].contains(&code), "{code}: {output}");
    // Without the reasons for people.
    let lines = output
        .lines()
        .filter(|line| !line.starts_with("herd send: "));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Waits until `/readyz` answers with something that contains this.
async fn readyz(base: u16, part: &str) {
    let start = Instant::now();
    loop {
        let said = get(base + 2, "/readyz").await;
        if said.contains(part) {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{said}");
        sleep(POLL).await;
    }
}

async fn stop(server: Herd) -> String {
    server.signal(Signal::SIGTERM);
    let (code, output) = server.end().await;
    assert_eq!(code, 0, "{output}");
    output
}

#[tokio::test]
async fn a_floor_that_is_ahead_is_reported_and_lowered() {
    for (ack, ahead_s) in [("memory", YEAR_S), ("disk", YEAR_S), ("disk", -60)] {
        let folder = tempfile::tempdir().unwrap();
        let base = free_ports(3);
        poisoned(folder.path(), ahead_s);
        let mut server = serve(folder.path(), base, ack).start();
        server.wait_for("listening").await;
        readyz(base, "herd store lower-floor").await;
        server.wait_for("its floor of expiry is").await;
        // Below the floor and no older than an hour.
        let report = format!("IAMAT kiwi +1+1 {}", now_s() - 120);
        floor_keeps_out(base, &report).await;
        floor_keeps_out_loads(folder.path()).await;

        let (code, output) = lower_floor(folder.path()).await;
        assert_eq!(code, 69, "{output}");
        stop(server).await;
        let (code, output) = lower_floor(folder.path()).await;
        assert_eq!(code, 0, "{output}");
        assert!(output.contains("of barn was 20") && output.contains("and is now 20"));
        let (code, output) = lower_floor(folder.path()).await;
        assert_eq!(code, 0, "{output}");
        assert!(output.contains("nothing was changed"), "{output}");
        let mut server = serve(folder.path(), base, ack).start();
        server.wait_for("listening").await;
        readyz(base, "HTTP/1.0 200").await;
        assert!(reply(base, &report).await.starts_with("AT barn +"));
        let found = reply(base, "WHATSAT kiwi 0 0").await;
        assert!(found.starts_with("AT barn +"), "{found}");
        let output = stop(server).await;
        assert!(!output.contains("ERROR"), "{output}");
    }
}

/// A recent report is refused, also after other reports, and the figures count it.
async fn floor_keeps_out(base: u16, report: &str) {
    let line = format!("? {report}\n");
    assert_eq!(reply(base, report).await, line);
    let old = format!("IAMAT kiwi +1+1 {}", now_s() - 7_200);
    let late = reply(base, &old).await;
    assert!(late.starts_with("AT barn +7"), "{late}");
    assert_eq!(reply(base, report).await, line);
    let scrape = metrics(base + 2).await;
    for figure in [
        "herd_expiry_floor_fault 1",
        "herd_requests_total{command=\"iamat\",outcome=\"kept_out\"} 2",
    ] {
        assert!(scrape.contains(figure), "{figure} is not in {scrape}");
    }
}

/// `herd load` is told the same as clients.
async fn floor_keeps_out_loads(folder: &Path) {
    let record = format!("AT barn +0.000000000 emu +1+1 {}\nEND 1\n", now_s() - 120);
    std::fs::write(folder.join("dump"), record).unwrap();
    let load = herd(&["load", "--data-dir=data", "dump"]).in_folder(folder);
    let (code, output) = load.run().await;
    assert_eq!(code, 65, "{output}");
    assert!(output.contains("floor of expiry is ahead"), "{output}");
}

#[tokio::test]
async fn a_folder_without_a_floor_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let lower = |data: &str| {
        let data = format!("--data-dir={data}");
        let arguments = ["store", "lower-floor", &data, "--expire-after=1h"];
        herd(&arguments).in_folder(folder.path())
    };
    let (code, output) = lower("data").run().await;
    assert_eq!(code, 64, "{output}");
    assert!(!folder.path().join("data").exists());
    let data = DataFolder::open(&folder.path().join("data"), "barn", "farm").unwrap();
    drop(data);
    let (code, output) = lower("data").run().await;
    assert_eq!(code, 64, "{output}");
    assert!(output.contains("has no store"), "{output}");
    let data = DataFolder::open(&folder.path().join("data"), "barn", "farm").unwrap();
    drop(FjallStore::open(data).unwrap());
    let (code, output) = lower("data").run().await;
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("barn has no floor of expiry"), "{output}");
}

/// Where libfaketime is, if it is installed. Without it the test is skipped, and says so; with `HERD_REQUIRE_FAKETIME=1`
/// it fails.
fn faketime() -> Option<PathBuf> {
    let folders = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib",
        "/usr/lib64",
    ];
    let found = folders
        .iter()
        .map(|folder| Path::new(folder).join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists());
    if found.is_none() {
        assert!(
            std::env::var_os("HERD_REQUIRE_FAKETIME").is_none_or(|required| required != "1"),
            "HERD_REQUIRE_FAKETIME is 1, and libfaketime is not installed"
        );
        eprintln!("SKIPPED: libfaketime is not installed (Debian: faketime)");
    }
    found
}

/// A clock that a test sets, kept in a file that processes under libfaketime read at each call. The monotonic clock
/// stays true, as on a machine whose clock is set.
struct ClockFile(PathBuf);

impl ClockFile {
    fn new(folder: &Path) -> Self {
        let clock = ClockFile(folder.join("clock"));
        clock.set("+0");
        clock
    }

    /// Written beside the file and moved into its place, so that it is never read half.
    fn set(&self, offset: &str) {
        let draft = self.0.with_extension("draft");
        std::fs::write(&draft, format!("{offset}\n")).unwrap();
        std::fs::rename(&draft, &self.0).unwrap();
    }
}

/// Two linked servers that have looked at this clock once: a jump before the first look is none.
async fn two_servers(folder: &Path, base: u16, clock: &ClockFile, library: &Path) -> [Herd; 2] {
    let server = |name: &str, base: u16| {
        format!(
            "server {name} client 127.0.0.1:{base} peer 127.0.0.1:{} http 127.0.0.1:{}\n",
            base + 1,
            base + 2
        )
    };
    let topology = format!(
        "cluster farm\n{}{}link barn field\n",
        server("barn", base),
        server("field", base + 3)
    );
    std::fs::write(folder.join("t"), topology).unwrap();
    let mut servers = ["barn", "field"].map(|name| {
        let (name_is, data) = (format!("--name={name}"), format!("--data-dir={name}.data"));
        let arguments = [
            "serve",
            &name_is,
            "--topology=t",
            &data,
            "--expire-after=90s",
        ];
        herd(&arguments)
            .in_folder(folder)
            .env("LD_PRELOAD", &library.display().to_string())
            .env("FAKETIME_TIMESTAMP_FILE", &clock.0.display().to_string())
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .start()
    });
    for server in &mut servers {
        server.wait_for("link made").await;
        server
            .wait_for("the floor of expiry follows the clock")
            .await;
    }
    servers
}

#[tokio::test]
async fn all_clocks_ahead_for_a_while_lose_no_report() {
    let Some(library) = faketime() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let base = free_ports(6);
    let clock = ClockFile::new(folder.path());
    let mut servers = two_servers(folder.path(), base, &clock, &library).await;
    let report = |client: &str| format!("IAMAT {client} +1+1 {}", now_s());
    for client in ["kiwi", "emu", "ostrich"] {
        assert!(reply(base, &report(client)).await.starts_with("AT barn "));
    }
    clock.set("+365d");
    for server in &mut servers {
        server.wait_for("the clock went forwards").await;
    }
    // The neighbours' clocks count again, and there is a look each second. That the floor stays where it is can only be
    // seen by waiting.
    sleep(Duration::from_secs(8)).await;
    clock.set("+0");
    for server in &mut servers {
        server.wait_for("the clock went back").await;
    }
    for (base, client) in [(base, "rhea"), (base + 3, "moa")] {
        let said = reply(base, &report(client)).await;
        assert!(said.starts_with("AT "), "{said}");
        let asked = format!("WHATSAT {client} 0 0");
        assert!(reply(base, &asked).await.starts_with("AT "), "{client}");
    }
    assert!(reply(base, "WHATSAT kiwi 0 0").await.starts_with("AT "));
    for server in servers {
        let output = stop(server).await;
        assert!(!output.contains("floor of expiry is ahead"), "{output}");
    }
}
