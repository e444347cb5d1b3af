//! Attacks of strangers on the peer port, in the name of a server, without a certificate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use herd_integration_tests::Herd;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// Peer connections that say nothing.
const HALF_OPEN: usize = 100;

type Over = Arc<AtomicBool>;

/// The generation of a neighbour, from a server's log. An observer of an open link knows it too.
pub(crate) async fn generation(herd: &Herd, server: &str, neighbour: &str) -> u64 {
    let made = format!("link made neighbour={neighbour} ");
    let line = herd.log(server).wait_for(0, &[&made]).await;
    let (_, after) = line
        .split_once(&format!("incarnation={neighbour}/"))
        .unwrap();
    let digits: String = after.chars().take_while(char::is_ascii_hexdigit).collect();
    u64::from_str_radix(&digits, 16).unwrap()
}

/// The frame with which Hill greets Smith.
fn hello(generation: u64) -> Vec<u8> {
    let mut frame = vec![1, 1];
    for text in ["test", "Hill", "Smith"] {
        frame.push(text.len() as u8);
        frame.extend_from_slice(text.as_bytes());
    }
    frame.push(253);
    frame.extend_from_slice(&generation.to_le_bytes());
    frame.push(0);
    framed(&frame)
}

fn framed(frame: &[u8]) -> Vec<u8> {
    [&(frame.len() as u32).to_be_bytes(), frame].concat()
}

async fn connect(address: SocketAddr) -> Option<TcpStream> {
    timeout(Duration::from_secs(5), TcpStream::connect(address))
        .await
        .ok()?
        .ok()
}

/// Connections that never shake hands.
pub(crate) async fn half_open(address: SocketAddr, over: Over) {
    let mut held = Vec::new();
    while !over.load(Ordering::Relaxed) {
        if held.len() == HALF_OPEN {
            held.clear();
        }
        held.extend(connect(address).await);
        sleep(PAUSE).await;
    }
}

/// An old hello and the frames that may follow it, cut after every byte.
pub(crate) async fn frames_cut_at_every_byte(address: SocketAddr, generation: u64, over: Over) {
    let report = framed(&[4, 0, 1, 4, b'H', b'i', b'l', b'l', 5, 3, 2]);
    let gossip = framed(&[3, 0x53, 0xb0, 0, 0, 0, 0, 4, 0, b't', b'e', b's', b't']);
    let all = [hello(generation), report, gossip].concat();
    let mut attempts = 0_usize;
    while !over.load(Ordering::Relaxed) || attempts <= all.len() {
        let cut = attempts % (all.len() + 1);
        if let Some(mut stream) = connect(address).await {
            let _ = stream.write_all(&all[..cut]).await;
            let _ = stream.shutdown().await;
        }
        attempts += 1;
        if attempts > all.len() {
            sleep(PAUSE).await;
        }
    }
}

/// The handshake of an earlier process of Hill, of the present one, and then frames that no server sends.
pub(crate) async fn replayed_handshakes(address: SocketAddr, generation: u64, over: Over) {
    while !over.load(Ordering::Relaxed) {
        for generation in [generation - 1, generation] {
            let Some(mut stream) = connect(address).await else {
                continue;
            };
            let _ = stream.write_all(&hello(generation)).await;
            for frame in [&[1, 1][..], &[77], &[3, 0xff], &[]] {
                let _ = stream.write_all(&framed(frame)).await;
            }
            let mut said = Vec::new();
            let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut said)).await;
        }
        sleep(PAUSE * 10).await;
    }
}
