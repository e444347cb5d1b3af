//! Attacks of strangers on the client port and on HTTP.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

/// Connections of one source address.
const PER_ADDRESS: usize = 2_500;

/// How long an attacker waits between two looks at whether it is over.
const PAUSE: Duration = Duration::from_millis(20);

/// Connections of those attacks that take few.
const FEW: usize = 100;

type Over = Arc<AtomicBool>;

fn is_over(over: &Over) -> bool {
    over.load(Ordering::Relaxed)
}

async fn connect(address: SocketAddr) -> Option<TcpStream> {
    timeout(Duration::from_secs(5), TcpStream::connect(address))
        .await
        .ok()?
        .ok()
}

/// Connections that say nothing, from several addresses, maybe with a receive buffer of so many bytes.
pub(crate) async fn crowd(
    address: SocketAddr,
    count: usize,
    receive_bytes: Option<u32>,
) -> Vec<TcpStream> {
    let mut crowd = Vec::new();
    for number in 0..count {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(bytes) = receive_bytes {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        let source = Ipv4Addr::new(127, 77, 7, (number / PER_ADDRESS + 1) as u8);
        // Where only 127.0.0.1 is this machine's, all come from there.
        if socket.bind((source, 0).into()).is_err() {
            socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        }
        crowd.push(socket.connect(address).await.unwrap());
    }
    crowd
}

/// Lines of which a byte comes now and then, and which never end.
pub(crate) async fn slow_writers(address: SocketAddr, over: Over) {
    let mut connections = Vec::new();
    let mut cut_off = 0_usize;
    while !is_over(&over) {
        while connections.len() < FEW {
            match connect(address).await {
                Some(stream) => connections.push(stream),
                None => break,
            }
        }
        let mut left = Vec::new();
        for mut stream in connections {
            match stream.write_all(b"I").await {
                Ok(()) => left.push(stream),
                Err(_) => cut_off += 1,
            }
        }
        connections = left;
        sleep(PAUSE).await;
    }
    println!("slow writers cut off: {cut_off}");
}

/// Questions without a reader of the answers.
pub(crate) async fn slow_readers(address: SocketAddr, over: Over) {
    let mut connections = Vec::new();
    for _ in 0..FEW {
        if let Some(stream) = connect(address).await {
            connections.push(stream);
        }
    }
    let questions = b"IAMAT slow +34.07-118.44 1\n".to_vec();
    let questions = [questions, b"WHATSAT slow 50 20\n".repeat(1_000)].concat();
    while !is_over(&over) {
        for stream in &mut connections {
            // As much as it takes without being read from.
            let _ = stream.try_write(&questions);
        }
        sleep(PAUSE).await;
    }
}

/// One client that reports as fast as it can.
pub(crate) async fn flood_of_one_id(address: SocketAddr, over: Over) {
    let lines: Vec<u8> = (0..1_000)
        .flat_map(|number| format!("IAMAT flood +1+1 {number}\n").into_bytes())
        .collect();
    flood(address, over, || lines.clone()).await;
}

/// Ever new clients.
pub(crate) async fn flood_of_ids(address: SocketAddr, over: Over) {
    let mut next = 0_u64;
    flood(address, over, || {
        next += 1_000;
        (next..next + 1_000)
            .flat_map(|number| format!("IAMAT id{number} +1+1 1\n").into_bytes())
            .collect()
    })
    .await;
}

async fn flood(address: SocketAddr, over: Over, mut lines: impl FnMut() -> Vec<u8>) {
    let mut replies = vec![0; 64 * 1024];
    let mut sent_bytes = 0;
    let begun = Instant::now();
    while !is_over(&over) {
        let Some(mut stream) = connect(address).await else {
            continue;
        };
        let (mut reads, mut writes) = stream.split();
        for _ in 0..20 {
            let lines = lines();
            let writing = async { writes.write_all(&lines).await.is_ok() };
            let reading = async { reads.read(&mut replies).await.is_ok() };
            let (written, _) = tokio::join!(writing, reading);
            if !written || is_over(&over) {
                break;
            }
            sent_bytes += lines.len() as u64;
        }
    }
    let kib_per_second = sent_bytes as f64 / 1024.0 / begun.elapsed().as_secs_f64();
    println!("a flood: {kib_per_second:.0} KiB/s of reports");
}

/// Times that no honest clock shows.
pub(crate) async fn times_out_of_range(address: SocketAddr, over: Over) {
    let mut lines = Vec::new();
    for time in [
        "9223372036.854775807",
        "-9223372036.854775808",
        "9999999999999999999999",
        "4102444800",
        "0",
        "-1",
    ] {
        lines.extend_from_slice(format!("IAMAT honest +1+1 {time}\n").as_bytes());
    }
    while !is_over(&over) {
        if let Some(mut stream) = connect(address).await {
            let _ = stream.write_all(&lines).await;
            let _ = stream.shutdown().await;
            let mut replies = Vec::new();
            let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut replies)).await;
        }
        sleep(PAUSE).await;
    }
}

/// Bodies of which a byte comes now and then, and which never end.
pub(crate) async fn slow_bodies(address: SocketAddr, over: Over) {
    let head =
        b"POST /v1/reports HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                 content-length: 16000000\r\n\r\n[";
    let mut connections = Vec::new();
    while !is_over(&over) {
        while connections.len() < FEW
            && let Some(mut stream) = connect(address).await
            && stream.write_all(head).await.is_ok()
        {
            connections.push(stream);
        }
        let mut left = Vec::new();
        for mut stream in connections {
            if stream.write_all(b" ").await.is_ok() {
                left.push(stream);
            }
        }
        connections = left;
        sleep(PAUSE).await;
    }
}

/// Watches of everything, without a reader of the events.
pub(crate) async fn deaf_watchers(address: SocketAddr, over: Over) {
    let mut connections = Vec::new();
    while !is_over(&over) {
        if let Some(mut stream) = connect(address).await {
            let request = b"GET /v1/watch?all HTTP/1.1\r\nhost: localhost\r\n\r\n";
            let _ = stream.write_all(request).await;
            connections.push(stream);
        }
        if connections.len() > FEW {
            connections.clear();
        }
        sleep(PAUSE).await;
    }
}

/// Requests that are none, too long, or never end; and heads of many lines.
pub(crate) async fn bad_requests(address: SocketAddr, over: Over) {
    let long = [b"GET / HTTP/1.1\r\nx: ".to_vec(), vec![b'y'; 64 * 1024]].concat();
    let lines = [
        b"GET /v1/clients HTTP/1.1\r\n".to_vec(),
        b"x: y\r\n".repeat(10_000),
    ]
    .concat();
    let mut held = Vec::new();
    while !is_over(&over) {
        for request in [
            &b"\0\xff\r\n\r\n"[..],
            &long,
            &lines,
            b"GET /healthz HTTP/1.1\r\n",
        ] {
            if let Some(mut stream) = connect(address).await {
                let _ = timeout(PAUSE, stream.write_all(request)).await;
                held.push(stream);
            }
        }
        if held.len() > FEW {
            held.clear();
        }
        sleep(PAUSE).await;
    }
}
