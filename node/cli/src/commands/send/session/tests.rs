use std::sync::Arc;

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::super::input::from_lines;
use super::*;
use herd_acknowledgement::{AckLevel, Acknowledgements};
use herd_clock::clock::SystemClock;
use herd_locations::Locations;
use herd_places::{NearbyQuery, Places};
use herd_server::frontend::{Frontend, FrontendSettings, Protocol};
use herd_server::location_service::{LocationService, ServiceSettings};
use herd_server::settings::Values;

struct Nowhere;

#[async_trait::async_trait]
impl Places for Nowhere {
    fn nearby_at_once(&self, _query: &NearbyQuery) -> Option<Bytes> {
        Some(Bytes::from_static(b"{\n}"))
    }

    async fn nearby(&self, _query: NearbyQuery) -> Bytes {
        Bytes::new()
    }
}

/// A connection to a real frontend, which stops with the test's runtime.
async fn connect() -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let values = Values::default();
    let acknowledgements = Acknowledgements::new(AckLevel::Memory, values.ack_timeout);
    let service = LocationService::new(
        ServiceSettings::new("Hill".into(), &values),
        Arc::new(Locations::default()),
        Arc::new(acknowledgements),
        Arc::new(Nowhere),
    );
    let settings = FrontendSettings::new(&values);
    let frontend = Frontend::new(settings, Arc::new(service), Arc::new(SystemClock), None);
    tokio::spawn(frontend.serve(listener, Protocol::Text, CancellationToken::new()));
    TcpStream::connect(address).await.unwrap()
}

/// A connection to a server that says `script` and closes once it got `request_bytes`.
async fn connect_to_script(request_bytes: usize, script: &'static str) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; request_bytes];
        stream.read_exact(&mut request).await.unwrap();
        stream.write_all(script.as_bytes()).await.unwrap();
    });
    TcpStream::connect(address).await.unwrap()
}

async fn send(stream: TcpStream, lines: &[&str]) -> (Result<u64, Lost>, String) {
    let mut output = Vec::new();
    let input = from_lines(lines.iter().map(|line| line.as_bytes()));
    let result = exchange(stream, input, (&mut output, None), None).await;
    (result, String::from_utf8(output).unwrap())
}

#[tokio::test]
async fn replies_are_printed_as_they_came_and_refusals_counted() {
    let lines = [
        "IAMAT k +1+1 -1",
        "WHATSAT k 1 1",
        "",
        "WHATSAT x 1 1\nhello",
        "WHATSAT k 0 0",
    ];
    let (result, output) = send(connect().await, &lines).await;
    assert_eq!(result.unwrap(), 2);
    let lines: Vec<&str> = output.lines().collect();
    assert!(lines[0].starts_with("AT Hill +") && lines[0].ends_with(" k +1+1 -1"));
    let zero = herd_places::zero_results();
    let zero = std::str::from_utf8(&zero).unwrap();
    let at = lines[0];
    let mut expected = vec![at, at, "{", "}", "", "? WHATSAT x 1 1", "? hello", at];
    expected.extend(zero.trim_end().lines());
    expected.push("");
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn nothing_to_send_is_no_failure() {
    let (result, output) = send(connect().await, &[" "]).await;
    assert_eq!((result.unwrap(), output.as_str()), (0, ""));
}

#[tokio::test]
async fn a_flood_of_lines_neither_blocks_nor_is_miscounted() {
    let mut line = "no command\n".repeat(200_000);
    line.truncate(line.len() - 1);
    let (result, output) = send(connect().await, &[&line]).await;
    assert_eq!(result.unwrap(), 200_000);
    assert_eq!(output.len(), 200_000 * "? no command\n".len());
}

#[tokio::test]
async fn input_may_wait_for_replies() {
    let (sender, input) = mpsc::channel(1);
    let (output, mut replies) = tokio::io::duplex(64);
    let session = tokio::spawn(exchange(connect().await, input, (output, None), None));
    for (piece, expected) in [("hel", ""), ("lo\nyou", "? hello\n"), ("\n", "? you\n")] {
        sender.send(Ok(piece.as_bytes().to_vec())).await.unwrap();
        let mut bytes = vec![0; expected.len()];
        replies.read_exact(&mut bytes).await.unwrap();
        assert_eq!(bytes, expected.as_bytes());
    }
    sender.send(Ok(b"last".to_vec())).await.unwrap();
    drop(sender);
    let mut rest = String::new();
    replies.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "? last\n");
    assert_eq!(session.await.unwrap().unwrap(), 3);
}

#[tokio::test]
async fn a_connection_that_ends_too_early_is_a_failure() {
    for (script, left) in [
        ("", 2),
        ("? hello\n", 1),
        ("? hel", 2),
        ("? hello\nAT Hill +1.0 k +1+1 1\n", 1),
        ("? hello\nAT Hill +1.0 k +1+1 1\n{}\n", 1),
    ] {
        let lines = ["hello", "WHATSAT k 1 1"];
        let request_bytes = lines.iter().map(|line| line.len() + 1).sum();
        let stream = connect_to_script(request_bytes, script).await;
        let (result, output) = send(stream, &lines).await;
        assert!(
            matches!(result, Err(Lost::Closed(n)) if n == left),
            "{script:?}"
        );
        assert_eq!(output, script);
    }
}

#[tokio::test]
async fn input_that_fails_is_a_failure() {
    let (sender, input) = mpsc::channel(1);
    sender
        .try_send(Err(io::ErrorKind::InvalidData.into()))
        .unwrap();
    let mut output = Vec::new();
    let result = exchange(connect().await, input, (&mut output, None), None).await;
    assert!(matches!(result, Err(Lost::Input(_))));
}
