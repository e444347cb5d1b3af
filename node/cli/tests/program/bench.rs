//! `herd bench` against servers, and against imitations.

use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::process::{Herd, free_ports, herd};

/// A server on free ports, and its client port.
async fn server() -> (Herd, String) {
    let mut arguments = vec!["serve", "--name=Hill", "--log-format=json", "--log=info"];
    arguments.extend([
        "--client-listen=127.0.0.1:0",
        "--peer-listen=127.0.0.1:0",
        "--http-listen=127.0.0.1:0",
    ]);
    let mut server = herd(&arguments).start();
    server.wait_for("\"listening\"").await;
    let output = server.output();
    let line = output.lines().find(|line| line.contains("\"listening\""));
    let line: Value = serde_json::from_str(line.unwrap()).unwrap();
    let address = line["clients"].as_str().unwrap().to_owned();
    (server, address)
}

/// Runs `herd bench`: its exit code, its result, and all that it said.
async fn bench(arguments: &[&str]) -> (i32, Value, String) {
    let all = [&["bench", "--json"], arguments].concat();
    let (code, output) = herd(&all).run().await;
    // Progress is on standard error, which is collected with the result.
    let json = output.find('{').map_or("null", |start| &output[start..]);
    let json = json.rfind('}').map_or("null", |end| &json[..=end]);
    let result = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {output}"));
    (code, result, output)
}

/// A server that answers every line with the result of `answer`; `None` closes the connection.
async fn pretender(
    answer: impl Fn(&str) -> Option<String> + Clone + Send + 'static,
) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(converse(stream, answer.clone()));
        }
    });
    (address, task)
}

async fn converse(stream: TcpStream, answer: impl Fn(&str) -> Option<String>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream
        .read_line(&mut line)
        .await
        .is_ok_and(|count| count > 0)
    {
        let Some(reply) = answer(&line) else {
            return;
        };
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
        line.clear();
    }
}

#[tokio::test]
async fn a_count_is_kept_to_and_all_is_answered() {
    let (server, address) = server().await;
    for mode in [&["--pipeline=7"][..], &["--rate=50000", "--threads=2"]] {
        let common = [
            "--to",
            &address,
            "--count=500",
            "--warmup=0s",
            "--connections=6",
        ];
        let mixed = ["--clients=40", "--look-ups=30", "--skew=0.5", "--quiet"];
        let (code, result, output) = bench(&[&common[..], &mixed, mode].concat()).await;
        assert_eq!(code, 0, "{output}");
        assert_eq!(result["requests"], 500, "{output}");
        let (reports, look_ups) = (&result["iamat"], &result["whatsat"]);
        for kind in [reports, look_ups] {
            assert!(kind["count"].as_u64().unwrap() > 50, "{output}");
            assert!(
                kind["latency"]["p99_us"].as_f64().unwrap() > 0.0,
                "{output}"
            );
        }
        assert!(look_ups["reply_bytes"].as_f64() > reports["reply_bytes"].as_f64());
    }
    // Every client's last report is later than those before: the server says when it was.
    let (code, output) = herd(&["send", "--to", &address, "WHATSAT client-000000039 0 0"])
        .run()
        .await;
    assert_eq!(code, 0, "{output}");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.end().await.0, 0);
}

#[tokio::test]
async fn refusals_are_counted_shown_and_fail_the_run() {
    let (address, task) = pretender(|line| Some(format!("? {line}"))).await;
    let options = [
        "--to",
        &address,
        "--count=30",
        "--warmup=0s",
        "--connections=3",
    ];
    let (code, result, output) = bench(&options).await;
    assert_eq!(code, 1, "{output}");
    assert_eq!(result["requests"], 0, "{output}");
    assert_eq!(result["errors"]["refused"], 30, "{output}");
    let sample = result["errors"]["samples"][0].as_str().unwrap();
    assert!(sample.starts_with("refused: ? IAMAT client-"), "{sample}");

    // And in words.
    let all = [&["bench"], &options[..]].concat();
    let (code, output) = herd(&all).run().await;
    assert_eq!(code, 1, "{output}");
    assert!(output.contains("ERRORS: 30 refused"), "{output}");
    task.abort();
}

#[tokio::test]
async fn wrong_replies_and_lost_connections_are_counted() {
    let other = "AT Hill +0.1 someone-else +1+1 1\n";
    let (address, task) = pretender(|_| Some(other.to_owned())).await;
    let options = [
        "--to",
        &address,
        "--count=9",
        "--warmup=0s",
        "--connections=3",
    ];
    let (code, result, output) = bench(&options).await;
    assert_eq!(
        (code, &result["errors"]["wrong"]),
        (1, &9.into()),
        "{output}"
    );
    task.abort();

    let (address, task) = pretender(|_| None).await;
    let options = [
        "--to",
        &address,
        "--count=2",
        "--warmup=0s",
        "--connections=1",
    ];
    let (code, result, output) = bench(&options).await;
    assert_eq!(
        (code, &result["errors"]["lost"]),
        (1, &2.into()),
        "{output}"
    );
    assert_eq!(result["errors"]["connections_failed"], 2, "{output}");
    task.abort();
}

#[tokio::test]
async fn redis_is_spoken_to_in_its_own_words() {
    for (second, code, requests, refused) in [(":3", 0, 4, 0), ("-OOM no memory", 1, 0, 4)] {
        // One word of a command comes on one line; it can be answered as soon as its name is there.
        let answer = move |line: &str| match line.trim_end() {
            "GEOADD" => Some(":1\r\n".to_owned()),
            "HSET" => Some(format!("{second}\r\n")),
            _ => Some(String::new()),
        };
        let (address, task) = pretender(answer).await;
        let url = format!("redis://{address}");
        let options = [
            "--target",
            &url,
            "--count=4",
            "--warmup=0s",
            "--connections=1",
        ];
        let (ended, result, output) = bench(&options).await;
        assert_eq!(ended, code, "{output}");
        assert_eq!(result["load"]["protocol"], "redis", "{output}");
        assert_eq!(result["requests"], requests, "{output}");
        assert_eq!(result["errors"]["refused"], refused, "{output}");
        task.abort();
    }
}

#[tokio::test]
async fn ctrl_c_ends_it_early_with_the_result() {
    let (address, task) = pretender(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        Some(format!(
            "AT Hill +0.1 {} {} {}\n",
            words[1], words[2], words[3]
        ))
    })
    .await;
    let arguments = ["bench", "--to", &address, "--duration=1h", "--warmup=0s"];
    let mut running = herd(&arguments).start();
    running.wait_for("requests/s").await;
    running.signal(Signal::SIGINT);
    let (code, output) = running.end().await;
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("stopped early"), "{output}");
    assert!(output.contains("no errors"), "{output}");
    task.abort();
}

#[tokio::test]
async fn without_a_server_nothing_is_measured() {
    let holder = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = holder.local_addr().unwrap().to_string();
    drop(holder);
    let (code, output) = herd(&["bench", "--to", &address]).run().await;
    assert_eq!(code, 69, "{output}");
    assert!(output.contains("cannot connect to"), "{output}");
    let (code, output) = herd(&["bench", "--to", &address, "--pipeline=0"])
        .run()
        .await;
    assert_eq!(code, 64, "{output}");
    assert!(
        output.contains("--pipeline must be from 1 to 10000"),
        "{output}"
    );
}

#[tokio::test]
async fn convergence_is_measured_from_each_server_to_each_other() {
    let base = free_ports(6);
    let folder = tempfile::tempdir().unwrap();
    let topology = folder.path().join("pair.topology");
    let mut text = "cluster pair\nlink a b\n".to_owned();
    for (name, port) in [("a", base), ("b", base + 3)] {
        let [client, peer, http] = [port, port + 1, port + 2];
        text.push_str(&format!(
            "server {name} client 127.0.0.1:{client} peer 127.0.0.1:{peer} http 127.0.0.1:{http}\n"
        ));
    }
    std::fs::write(&topology, text).unwrap();
    let topology = topology.to_str().unwrap();
    let mut running = herd(&["local", "--ephemeral", "--topology", topology]).start();
    running.wait_for("Ctrl-C stops all servers.").await;
    let servers = format!("127.0.0.1:{base},127.0.0.1:{}", base + 3);
    let all = [
        "bench",
        "convergence",
        "--json",
        "--to",
        &servers,
        "--rate=100",
    ];
    let (code, output) = herd(&[&all[..], &["--duration=500ms", "--give-up=20s"]].concat())
        .run()
        .await;
    assert_eq!(code, 0, "{output}");
    let result: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(result["reports"], 50, "{output}");
    let pairs = result["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 2, "{output}");
    for pair in pairs {
        assert_eq!(
            (&pair["count"], &pair["never"]),
            (&25.into(), &0.into()),
            "{output}"
        );
        assert_ne!(pair["from"], pair["to"]);
    }
    running.signal(Signal::SIGTERM);
    assert_eq!(running.end().await.0, 0);
}

#[tokio::test]
async fn records_that_never_arrive_are_counted() {
    let (one, address_one) = server().await;
    let (two, address_two) = server().await;
    let servers = format!("{address_one},{address_two}");
    // Two servers that do not know of each other.
    let all = [
        "bench",
        "convergence",
        "--json",
        "--to",
        &servers,
        "--rate=50",
    ];
    let (code, output) = herd(&[&all[..], &["--duration=200ms", "--give-up=300ms"]].concat())
        .run()
        .await;
    assert_eq!(code, 1, "{output}");
    let result: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(result["all"]["never"], 10, "{output}");
    for server in [one, two] {
        server.signal(Signal::SIGTERM);
        assert_eq!(server.end().await.0, 0);
    }
}
