//! One server as a process.

use std::net::TcpListener;

use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::{Herd, Start, free_ports, get, healthz, herd};

const FREE: [&str; 10] = [
    "serve",
    "--name=Hill",
    "--client-listen=127.0.0.1:0",
    "--peer-listen=127.0.0.1:0",
    "--http-listen=127.0.0.1:0",
    "--log-format=json",
    "--log=info",
    "--max-clock-skew=0",
    "--ephemeral",
    "--drain-delay=0",
];

/// [`FREE`] without one flag, in whose place the variable says this.
fn free_but(flag: &str, variable: &str, text: &str) -> Start {
    let others = FREE.iter().copied();
    let others: Vec<&str> = others
        .filter(|argument| !argument.starts_with(flag))
        .collect();
    assert_eq!(others.len(), FREE.len() - 1, "no {flag}");
    herd(&others).env(variable, text)
}

/// The port that the server chose, from its first log line.
async fn port(server: &mut Herd, purpose: &str) -> u16 {
    server.wait_for("listening").await;
    let output = server.output();
    let line = output
        .lines()
        .find(|line| line.contains("\"listening\""))
        .unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let address: std::net::SocketAddr = line[purpose].as_str().unwrap().parse().unwrap();
    address.port()
}

#[tokio::test]
async fn serves_until_told_to_stop() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut server = herd(&FREE).start();
        let http = port(&mut server, "http").await;
        let reply = healthz(http).await;
        assert!(reply.starts_with("HTTP/1.0 200 OK\r\n"), "{reply}");
        assert!(reply.ends_with("\r\n\r\nok\n"), "{reply}");
        server.signal(signal);
        let (code, output) = server.end().await;
        assert_eq!(code, 0, "{output}");
        for line in output.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["server"], "Hill");
        }
    }
}

#[tokio::test]
async fn http_can_be_off() {
    let mut server = free_but("--http-listen", "HERD_HTTP_LISTEN", "off").start();
    server
        .wait_for("probes and monitoring cannot reach this server")
        .await;
    server.signal(Signal::SIGTERM);
    let (code, output) = server.end().await;
    assert_eq!(code, 0, "{output}");
    assert!(output.contains(r#""http":"off""#), "{output}");
}

#[tokio::test]
async fn taken_ports_are_named_with_their_purpose() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap();
    for (flag, variable, purpose) in [
        ("--client-listen", "HERD_CLIENT_LISTEN", "clients"),
        ("--peer-listen", "HERD_PEER_LISTEN", "links between servers"),
        ("--http-listen", "HERD_HTTP_LISTEN", "HTTP"),
    ] {
        let start = free_but(flag, variable, &taken.to_string());
        let (code, output) = start.run().await;
        assert_eq!(code, 69, "{output}");
        let message =
            format!("cannot listen on {taken} for {purpose}: the port is taken by another process");
        assert!(output.contains(&message), "{output}");
    }
}

#[tokio::test]
async fn ports_can_be_bound_again_at_once_after_a_kill() {
    let base = free_ports(3);
    let listen = |offset| format!("127.0.0.1:{}", base + offset);
    let start = || {
        herd(&["serve", "--name=Hill", "--ephemeral"])
            .env("HERD_CLIENT_LISTEN", &listen(0))
            .env("HERD_PEER_LISTEN", &listen(1))
            .env("HERD_HTTP_LISTEN", &listen(2))
            .start()
    };
    let mut server = start();
    server.wait_for("listening").await;
    // The server closes first, so the connection lingers at its side.
    let client = TcpStream::connect(("127.0.0.1", base + 2)).await.unwrap();
    server.signal(Signal::SIGKILL);
    let (code, output) = server.end().await;
    assert_eq!(code, -9, "{output}");
    let mut server = start();
    server.wait_for("listening").await;
    assert!(healthz(base + 2).await.ends_with("ok\n"));
    drop(client);
}

#[tokio::test]
async fn stops_when_the_other_end_of_its_input_is_closed() {
    let mut arguments = FREE.to_vec();
    arguments.push("--stop-on-stdin-eof");
    let mut server = herd(&arguments).with_pipe().start();
    server.wait_for("listening").await;
    server.close_stdin();
    let (code, output) = server.end().await;
    assert_eq!(code, 0, "{output}");
    assert!(
        output.contains("end of standard input: stopping"),
        "{output}"
    );

    let (code, output) = herd(&arguments).run().await;
    assert_eq!(code, 64, "{output}");
    assert!(output.contains("standard input is not a pipe"), "{output}");
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut server = herd(&FREE).start();
    let http = port(&mut server, "http").await;
    // A request that has begun keeps the server for its drain time.
    let mut slow = TcpStream::connect(("127.0.0.1", http)).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    assert!(healthz(http).await.ends_with("ok\n"));
    server.signal(Signal::SIGINT);
    server.wait_for("SIGINT: stopping").await;
    server.signal(Signal::SIGINT);
    let (code, output) = server.end().await;
    assert_eq!(code, 130, "{output}");
    assert!(
        output.contains("SIGINT while stopping: ending at once"),
        "{output}"
    );
}

/// A topology of one server, which has no neighbour to catch up with.
const ALONE: &str = "cluster c\nserver Hill client 127.0.0.1:1 peer 127.0.0.1:2 http 127.0.0.1:3\n";

#[tokio::test]
async fn sigterm_drains_first_and_sigint_does_not() {
    let start = |delay: &str| {
        let mut arguments = FREE.to_vec();
        let delay = format!("--drain-delay={delay}");
        *arguments.last_mut().unwrap() = &delay;
        arguments.push("--topology=alone");
        let server = herd(&arguments);
        std::fs::write(server.folder().join("alone"), ALONE).unwrap();
        server.start()
    };
    let mut server = start("10m");
    let (http, client) = (
        port(&mut server, "http").await,
        port(&mut server, "clients").await,
    );
    let reply = get(http, "/readyz").await;
    assert!(reply.starts_with("HTTP/1.0 200 OK\r\n"), "{reply}");
    server.signal(Signal::SIGTERM);
    server.wait_for("SIGTERM: not ready").await;
    let reply = get(http, "/readyz").await;
    assert!(
        reply.starts_with("HTTP/1.0 503 ") && reply.ends_with("\nnot ready: told to stop\n"),
        "{reply}"
    );
    assert!(healthz(http).await.ends_with("\nok\n"));
    // New connections are still served.
    let mut late = TcpStream::connect(("127.0.0.1", client)).await.unwrap();
    late.write_all(b"IAMAT kiwi +1+1 1520023934\n")
        .await
        .unwrap();
    let mut at = [0; 8];
    late.read_exact(&mut at).await.unwrap();
    assert_eq!(&at, b"AT Hill ");
    server.signal(Signal::SIGTERM);
    let (code, output) = server.end().await;
    assert_eq!(code, 130, "{output}");

    let mut server = start("200ms");
    server.wait_for("listening").await;
    server.signal(Signal::SIGTERM);
    let (code, output) = server.end().await;
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("drained: stopping"), "{output}");

    let mut server = start("10m");
    server.wait_for("listening").await;
    server.signal(Signal::SIGINT);
    let (code, output) = server.end().await;
    assert_eq!(code, 0, "{output}");
}

#[tokio::test]
async fn a_server_names_the_neighbours_it_waits_for() {
    let mut server = herd(&FREE).start();
    let http = port(&mut server, "http").await;
    let reply = get(http, "/readyz").await;
    assert!(
        reply.starts_with("HTTP/1.0 503 ")
            && reply.ends_with("\nnot ready: waiting for Jaquez, Smith\n"),
        "{reply}"
    );
    assert!(healthz(http).await.ends_with("\nok\n"));
}
