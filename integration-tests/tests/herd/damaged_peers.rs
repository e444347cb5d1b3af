//! Connections to a peer port that are not from a server.

use herd_integration_tests::{Herd, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{NAMES, TIME, UCLA};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_peer_is_shut_out_and_named() {
    let herd = Herd::five().await;
    let address = herd.server("Smith").peer_address();
    let marks = NAMES.map(|name| herd.log(name).end());
    // The bytes, whether the sender closes then, and the text of the log.
    let http = b"GET / HTTP/1.1\r\nHost: smith\r\n\r\n".to_vec();
    let later_layout = vec![0, 0, 0, 3, 1, 99, 7];
    for (name, bytes, closes, reason) in [
        ("garbage: a huge length", http, false, "frame size too big"),
        ("half a frame", vec![0, 0, 0, 9, 1, 1], true, "ended"),
        ("an empty frame", vec![0; 4], false, "frame is empty"),
        (
            "an unknown kind",
            vec![0, 0, 0, 1, 77],
            false,
            "the first frame is not a hello",
        ),
        (
            "half a hello",
            vec![0, 0, 0, 2, 1, 1],
            false,
            "frame is malformed",
        ),
        (
            "a gossip message",
            vec![0, 0, 0, 2, 3, 0],
            false,
            "the first frame is not a hello",
        ),
        (
            "a later layout",
            later_layout,
            false,
            "it speaks later versions",
        ),
        (
            "nothing",
            Vec::new(),
            false,
            "no answer to the handshake within 3 s",
        ),
        ("nothing, and the end", Vec::new(), true, "connection ended"),
    ] {
        let mark = herd.log("Smith").end();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        if closes {
            stream.shutdown().await.unwrap();
        }
        let said = herd.log("Smith").wait_for(mark, &["peer connection"]).await;
        assert!(said.contains(reason), "{name}: {said}");
        // It is cut off; a reset is as good an end as any.
        let mut rest = Vec::new();
        let end = herd_integration_tests::within("the end", stream.read_to_end(&mut rest));
        let _ = end.await;
        herd.client("Smith").await.report("kiwi", UCLA, TIME).await;
    }
    still_linked(&herd, marks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_peers_neither_stop_a_server_nor_fill_its_log() {
    let mut herd = Herd::five().await;
    let address = herd.server("Smith").peer_address();
    let mark = herd.log("Smith").end();
    let marks = NAMES.map(|name| herd.log(name).end());
    let mut crowd = Vec::new();
    for _ in 0..500 {
        crowd.push(TcpStream::connect(address).await.unwrap());
    }
    herd.log("Smith")
        .wait_for(
            mark,
            &[
                "peer connection",
                "it had not shaken hands when others came",
            ],
        )
        .await;
    still_linked(&herd, marks).await;
    drop(crowd);
    // And a server gets in again.
    herd.server_mut("Hill").kill();
    herd.server_mut("Hill").restart().await;
    herd.linked().await;
    eventually("the crowd is gone", async || {
        let said = herd.log("Smith").lines_with(mark, &["peer connection"]);
        assert!(
            said.len() < 100,
            "{} lines, the last: {:?}",
            said.len(),
            said.last()
        );
        true
    })
    .await;
}

/// No link was lost, and records pass through Smith.
async fn still_linked(herd: &Herd, marks: [usize; 5]) {
    let line = herd
        .client("Hill")
        .await
        .report("through", UCLA, TIME)
        .await;
    herd.knows("Campbell", "through", &line).await;
    for (name, mark) in NAMES.into_iter().zip(marks) {
        let lost = herd.server(name).links_lost(mark);
        assert!(lost.is_empty(), "{name}: {lost:?}");
    }
}
