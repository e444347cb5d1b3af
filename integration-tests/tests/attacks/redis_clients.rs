//! Attacks of strangers on the port of Redis clients.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::attackers::crowd;

/// Searches that one connection sends at once.
const SEARCHES: usize = 4;

/// The receive buffer of a client that never reads, in bytes: replies are to wait at the server.
const RECEIVE_BYTES: u32 = 4 * 1_024;

/// The time for the bytes of one connection, which a server that does not read may leave in the buffers.
const WRITE_TIME: Duration = Duration::from_millis(100);

/// How long an attacker waits between two looks at whether it is over.
const PAUSE: Duration = Duration::from_millis(20);

type Over = Arc<AtomicBool>;

/// A request of a Redis client.
fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len());
    for word in words {
        bytes += &format!("${}\r\n{word}\r\n", word.len());
    }
    bytes.into_bytes()
}

/// Members that all connections report together: so searches are short, and it is their replies that nobody reads.
const MEMBERS: usize = 20;

/// A report of one member, and searches for all members that are known.
fn pipeline(number: usize) -> Vec<u8> {
    let member = format!("member{}", number % MEMBERS);
    let mut bytes = request(&["GEOADD", "crowd", "1", "1", &member]);
    let all = [
        "GEOSEARCH",
        "crowd",
        "FROMLONLAT",
        "1",
        "1",
        "BYRADIUS",
        "100",
        "km",
    ];
    let some = [&all[..], &["ASC", "COUNT", "20", "WITHCOORD", "WITHDIST"]].concat();
    for _ in 0..SEARCHES / 2 {
        bytes.extend(request(&all));
        bytes.extend(request(&some));
    }
    bytes
}

/// Connections that send a pipeline each, from several addresses, and never read.
pub(crate) async fn unread_pipelines(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut connections = crowd(address, count, Some(RECEIVE_BYTES)).await;
    for (number, stream) in connections.iter_mut().enumerate() {
        // A server that has enough to do reads no further.
        let _ = timeout(WRITE_TIME, stream.write_all(&pipeline(number))).await;
    }
    connections
}

/// Lengths that no command has, commands that never end, and others that are closed at once.
pub(crate) async fn bad_requests(address: SocketAddr, over: Over) {
    let many = [b"*10000\r\n".to_vec(), b"$0\r\n\r\n".repeat(9_999)].concat();
    let mut held = Vec::new();
    while !over.load(Ordering::Relaxed) {
        for bytes in [
            &b"*1048576\r\n"[..],
            b"*1\r\n$536870912\r\n",
            b"*2\r\n$4\r\nPING\r\n:1\r\n",
            b"*-1\r\n\xff\x00\r\n",
            &many,
        ] {
            if let Ok(Ok(mut stream)) =
                timeout(Duration::from_secs(5), TcpStream::connect(address)).await
            {
                let _ = timeout(PAUSE, stream.write_all(bytes)).await;
                held.push(stream);
            }
        }
        if held.len() > 100 {
            held.clear();
        }
        sleep(PAUSE).await;
    }
}
