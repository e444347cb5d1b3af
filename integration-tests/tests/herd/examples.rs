//! The example clients, against a herd.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Output;

use herd_integration_tests::{Herd, within};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::UCLA;
use crate::running::Running;

fn file_of(example: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    folder.join(example)
}

/// Runs an example to its end.
async fn run(interpreter: &str, example: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(interpreter);
    // No compiled files beside the examples.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg(file_of(example)).args(arguments);
    command.kill_on_drop(true);
    within(example, command.output()).await.unwrap()
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_in_python_reports_and_asks() {
    let herd = Herd::five().await;
    let address = |name: &str| herd.server(name).client_address().to_string();
    let python = async |arguments: &[&str]| run("python3", "herd_client.py", arguments).await;
    let at = ["34.06893", "-118.445127"];
    let reported = python(&["report", &address("Hill"), "kiwi", at[0], at[1]]).await;
    assert_eq!(said(&reported), "Hill has heard it\n");
    let line = herd.client("Hill").await.find("kiwi").await.unwrap();
    herd.knows("Campbell", "kiwi", &line).await;
    let asked = python(&["ask", &address("Campbell"), "kiwi", "10", "2"]).await;
    let said = said(&asked);
    let place = format!("kiwi was at {} {} at ", at[0], at[1]);
    assert!(said.starts_with(&place), "{said}");
    let places = "as Hill heard\n  near Bel Air\n  near Westwood\n";
    assert!(said.ends_with(places), "{said}");
    let refused = python(&["ask", &address("Hill"), "nobody", "10", "2"]).await;
    assert!(!refused.status.success());
    let reason =
        "herd_client: WHATSAT: the client is not known, or the token may not ask about it\n";
    assert_eq!(String::from_utf8(refused.stderr).unwrap(), reason);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_of_depots_tells_who_comes() {
    let mut herd = Herd::five().await;
    let source = include_str!("../../../examples/depots.py");
    assert!(source.lines().count() < 40);
    let address = herd.server("Campbell").client_address().to_string();
    let depots = [&address, "1", "north=10,10", "south=-10,10"];
    let mut running = Running::start(file_of("depots.py"), &depots);
    let mut hill = herd.client("Hill").await;
    hill.report("van-1", "+10.001+10", "1").await;
    let came = |van: &str, to: &str, second: u8| {
        format!("{van} came to {to} at 1970-01-01 00:00:0{second}+00:00")
    };
    assert_eq!(running.line().await, came("van-1", "north", 1));
    // It wavers at the border, and then it goes to the other one.
    for (place, time) in [("+10.0095+10", "2"), ("+10.001+10", "3"), ("-10+10", "4")] {
        hill.report("van-1", place, time).await;
    }
    assert_eq!(running.line().await, came("van-1", "south", 4));
    // After its server was away it tells what is new.
    herd.server_mut("Campbell").kill();
    hill.report("van-2", "+10+10", "5").await;
    herd.server_mut("Campbell").restart().await;
    assert_eq!(running.line().await, came("van-2", "north", 5));
}

/// Connections that break before and behind LIVE: who was there all the time did not come again.
#[tokio::test]
async fn the_example_of_depots_tells_each_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut running = Running::start(file_of("depots.py"), &[&address, "1", "north=10,10"]);
    let inside = |van: &str| format!("ENTER AT Hill +0.1 {van} +10+10 1\n");
    let [one, two, three] = ["van-1", "van-2", "van-3"].map(inside);
    for told in [
        format!("{one}LIVE 1\n"),
        String::new(),
        two.clone(),
        one.clone(),
        format!("{one}{two}LIVE 2\n{three}"),
    ] {
        let (stream, _) = within("a connection", listener.accept()).await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut asked = String::new();
        within("a WATCH", stream.read_line(&mut asked))
            .await
            .unwrap();
        assert_eq!(asked, "WATCH POINT +10+10 1 0.2\n");
        stream.write_all(told.as_bytes()).await.unwrap();
    }
    for van in ["van-1", "van-2", "van-3"] {
        let came = format!("{van} came to north at 1970-01-01 00:00:01+00:00");
        assert_eq!(running.line().await, came);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_in_a_shell_reports_and_asks() {
    let herd = Herd::five().await;
    let at = |name: &str| -> SocketAddr { herd.server(name).client_address() };
    let shell = async |word: &str, at: SocketAddr, rest: &[&str]| {
        let (host, port) = (at.ip().to_string(), at.port().to_string());
        let arguments = [&[word, &host, &port], rest].concat();
        run("bash", "herd_client.sh", &arguments).await
    };
    let reported = said(&shell("report", at("Smith"), &["kiwi", UCLA]).await);
    assert!(reported.starts_with("AT Smith "), "{reported}");
    let line = reported.trim_end();
    herd.knows("Jaquez", "kiwi", line).await;
    let asked = said(&shell("ask", at("Jaquez"), &["kiwi", "10", "1"]).await);
    assert!(asked.starts_with(&format!("{line}\n{{\n")), "{asked}");
    assert!(
        asked.ends_with("}\n") && asked.contains("\"Bel Air\""),
        "{asked}"
    );
    let refused = shell("ask", at("Smith"), &["nobody", "10", "1"]).await;
    assert!(!refused.status.success());
    assert_eq!(refused.stdout, b"? WHATSAT nobody 10 1\n");
}
