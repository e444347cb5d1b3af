//! The example clients, against a herd.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;

use herd_integration_tests::{Herd, within};
use tokio::process::Command;

use crate::UCLA;

/// Runs an example to its end.
async fn run(interpreter: &str, example: &str, arguments: &[&str]) -> Output {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples")
        .join(example);
    let mut command = Command::new(interpreter);
    command.arg(file).args(arguments).kill_on_drop(true);
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
    let reported = python(&["report", &address("Hill"), "kiwi", UCLA]).await;
    assert_eq!(said(&reported), "Hill has heard it\n");
    let line = herd.client("Hill").await.find("kiwi").await.unwrap();
    herd.knows("Campbell", "kiwi", &line).await;
    let asked = python(&["ask", &address("Campbell"), "kiwi", "10", "2"]).await;
    assert_eq!(
        said(&asked),
        format!("kiwi is at {UCLA}, as Hill heard\n  near Bel Air\n  near Westwood\n")
    );
    let refused = python(&["ask", &address("Hill"), "nobody", "10", "2"]).await;
    assert!(!refused.status.success());
    assert_eq!(refused.stderr, b"herd_client: ? WHATSAT nobody 10.0 2\n");
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
