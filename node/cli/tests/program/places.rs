//! Places from the world, as a user of the program meets them.

use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::process::{self, Herd, PATIENCE, POLL, Start, free_ports, herd};
use crate::stand_in::{Act, StandIn, json, reply};

const KEY: &str = "AIza-program-test-key";
const LEGACY: &str = "{\n   \"html_attributions\" : [],\n   \"results\" : [\n      { \"name\" : \
    \"A\" },\n      { \"name\" : \"B\" }\n   ],\n   \"status\" : \"OK\"\n}\n";

/// `herd serve` as Hill on free ports, and its client port.
fn hill(arguments: &[&str]) -> (u16, Start) {
    let base = free_ports(15);
    let mut all = ["serve", "--name=Hill", "--ephemeral"]
        .map(str::to_owned)
        .to_vec();
    for (flag, port) in [("client", base), ("http", base + 5), ("peer", base + 10)] {
        all.push(format!("--{flag}-port-base={port}"));
    }
    all.extend(arguments.iter().map(|&argument| argument.to_owned()));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    (base, herd(&all))
}

async fn started(start: Start) -> Herd {
    let mut herd = start.start();
    herd.wait_for("listening").await;
    herd
}

/// Everything that a server answers to these lines.
async fn answers(port: u16, lines: &str) -> String {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(lines.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        reply
    };
    timeout(PATIENCE, ask).await.expect("no reply")
}

const KIWI: &str = "IAMAT kiwi +34.068930-118.445127 1520023934.918963997\n";

#[tokio::test]
async fn a_missing_key_or_bad_table_prevents_the_start() {
    let (_, start) = hill(&["--places=google", "--places-file=no.table"]);
    let (code, output) = start.run().await;
    assert_eq!(code, 64, "{output}");
    assert!(
        output.starts_with("herd: 2 mistakes in the settings\n"),
        "{output}"
    );
    assert!(
        output.contains("places file no.table: cannot read it"),
        "{output}"
    );
    assert!(
        output.contains("places provider `google` needs a key"),
        "{output}"
    );
    assert!(!output.contains("listening"), "{output}");
    let (code, output) = herd(&["serve", "--places-key", KEY]).run().await;
    assert_eq!(code, 64);
    assert!(!output.contains(KEY), "{output}");
}

#[tokio::test]
async fn check_config_shows_everything_but_the_key() {
    let arguments = ["check-config", "--name=Hill", "--places=google-legacy"];
    let (code, output) = herd(&arguments)
        .env("HERD_PLACES_KEY", KEY)
        .env("HERD_PLACES_URL", "http://127.0.0.1:9")
        .run()
        .await;
    assert_eq!(code, 0, "{output}");
    for row in [
        "places                 google-legacy  (--places)\n",
        "places_url             http://127.0.0.1:9/  (HERD_PLACES_URL)\n",
        "places_key             set  (HERD_PLACES_KEY)\n",
        "places_fallback        embedded  (default)\n",
    ] {
        assert!(output.contains(row), "{row}{output}");
    }
    assert!(!output.contains(KEY), "{output}");
}

#[tokio::test]
async fn the_old_google_is_passed_on_and_its_key_is_in_no_log() {
    let denied = format!(
        "{{\"html_attributions\":[],\"results\":[],\"status\":\"REQUEST_DENIED\",\
         \"error_message\":\"bad key {KEY}\"}}"
    );
    let stand_in = StandIn::start([json(LEGACY), json(&denied), reply("500 No", "", "")]).await;
    let url = format!("--places-url={}", stand_in.url());
    let (port, start) = hill(&[
        "--places=google-legacy",
        &url,
        "--places-key-file=key",
        "--places-timeout=20s",
        "--log=trace",
        "--wire-log=wire.log",
    ]);
    std::fs::write(start.folder().join("key"), format!("{KEY}\n")).unwrap();
    let mut herd = started(start).await;
    let told = answers(port, &format!("{KIWI}WHATSAT kiwi 10 1\n")).await;
    let (at, places) = told.split_once('\n').unwrap();
    let one = LEGACY.replace(",\n      { \"name\" : \"B\" }", "");
    assert_eq!(places, format!("{at}\n{one}\n"));
    for _ in 0..3 {
        let told = answers(port, "WHATSAT kiwi 10 1\n").await;
        assert!(
            told.contains("these places are from the embedded data"),
            "{told}"
        );
        assert!(!told.contains(KEY), "{told}");
    }
    assert!(
        stand_in
            .requests()
            .iter()
            .all(|request| request.head.contains(KEY))
    );
    herd.signal(Signal::SIGTERM);
    herd.wait_for("herd_cli::commands::serve: stopped").await;
    let wire = std::fs::read_to_string(herd.folder().join("wire.log")).unwrap();
    let (code, output) = herd.end().await;
    assert_eq!(code, 0, "{output}");
    assert!(
        output.contains("TRACE") && !output.contains(KEY),
        "{output}"
    );
    assert!(!wire.contains(KEY), "{wire}");
    // Google's terms do not allow to store its places: the wire log has the lines around them only.
    assert!(
        !wire.contains("\"name\"") && wire.contains("< WHATSAT kiwi 10 1\n"),
        "{wire}"
    );
    assert_eq!(wire.matches("> AT Hill ").count(), 5, "{wire}");
    assert_eq!(wire.matches("> (places, which").count(), 4, "{wire}");
}

#[tokio::test]
async fn a_herd_hands_its_settings_and_its_key_to_its_servers() {
    let stand_in = StandIn::start([json("{\"places\": []}")]).await;
    let base = free_ports(20);
    let ports = [
        ("client", base),
        ("http", base + 5),
        ("peer", base + 10),
        ("resp", base + 15),
    ];
    let mut arguments: Vec<String> = ports
        .iter()
        .map(|(flag, port)| format!("--{flag}-port-base={port}"))
        .collect();
    arguments.extend(["local", "--ephemeral", "--places=google"].map(str::to_owned));
    arguments.rotate_left(4);
    let all: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut herd = herd(&all)
        .env("HERD_PLACES_KEY", KEY)
        .env("HERD_PLACES_URL", &stand_in.url())
        .start();
    herd.wait_for("Ctrl-C stops all servers.").await;
    for server in herd.children() {
        let line = std::fs::read(format!("/proc/{server}/cmdline")).unwrap();
        let line = String::from_utf8(line).unwrap();
        assert!(
            line.contains("--places=google") && !line.contains(KEY),
            "{line}"
        );
    }
    let told = answers(base + 3, &format!("{KIWI}WHATSAT kiwi 10 5\n")).await;
    assert!(told.contains("\"status\": \"ZERO_RESULTS\""), "{told}");
    let request = stand_in.requests().remove(0);
    assert!(
        request.head.contains(&format!("x-goog-api-key: {KEY}\r\n")),
        "{request:?}"
    );
    herd.signal(Signal::SIGTERM);
    let (code, output) = herd.end().await;
    assert_eq!(code, 0, "{output}");
    assert!(!output.contains(KEY), "{output}");
}

#[tokio::test]
async fn an_imported_extract_answers() {
    let helsinki = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../places/tests/data/Helsinki.osm.pbf"
    );
    let (port, start) = hill(&["--places-file=Helsinki.table", "--places-add"]);
    let status = process::command(env!("CARGO_BIN_EXE_herd"))
        .args(["places", "import", helsinki])
        .current_dir(start.folder())
        .output()
        .await
        .unwrap();
    assert!(status.status.success(), "{status:?}");
    let mut server = started(start).await;
    server.wait_for("places=265896").await;
    let lines = "IAMAT seal +60.1699+024.9384 1520023934\nWHATSAT seal 1 3\n";
    let told = answers(port, lines).await;
    assert!(told.contains("\"place_id\": \"osm:node/"), "{told}");
    assert!(told.contains("OpenStreetMap contributors"), "{told}");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.end().await.0, 0);
}

/// Reports so often, each time when the reply to the last one has come.
async fn report_again_and_again(port: u16, count: usize) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = [0; 512];
    for _ in 0..count {
        stream.write_all(KIWI.as_bytes()).await.unwrap();
        let mut read = 0;
        while read == 0 || buffer[read - 1] != b'\n' {
            read += stream.read(&mut buffer[read..]).await.unwrap();
        }
    }
}

/// WHATSAT on one connection never holds up IAMAT on another: all reports are answered while no question is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_places_delay_no_other_command() {
    const IAMATS: usize = 500;
    const ASKERS: usize = 20;
    let stand_in = StandIn::start([Act::Hang]).await;
    let url = format!("--places-url={}", stand_in.url());
    let (port, start) = hill(&[
        "--places=overpass",
        &url,
        "--places-timeout=25s",
        "--places-in-flight-max=64",
    ]);
    let herd = started(start).await;
    answers(port, KIWI).await;
    let askers = (1..=ASKERS).map(|asker| async move {
        // Questions that differ, each on a connection of its own.
        answers(port, &format!("WHATSAT kiwi {asker} 5\n")).await
    });
    let asking = futures_util::future::join_all(askers);
    let reporting = async {
        while stand_in.requests().len() < ASKERS {
            sleep(POLL).await;
        }
        report_again_and_again(port, IAMATS).await;
    };
    tokio::select! {
        biased;
        told = asking => panic!("the questions were answered first: {told:?}"),
        () = reporting => {}
    }
    herd.signal(Signal::SIGTERM);
    assert_eq!(herd.end().await.0, 0);
}
