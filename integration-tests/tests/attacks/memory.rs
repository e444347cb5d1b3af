//! The memory that single kinds of connections cost a server, beside the documented limit.

use herd_integration_tests::redis::resp_address;
use herd_integration_tests::{Herd, Topology, eventually, series, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::resident_kib;

const CONNECTIONS: usize = 500;

/// The memory of a connection before it reads much, by docs/security.md, in KiB.
const CONNECTION_KIB: u64 = 28;

/// The longest line, in KiB, and a little.
const LINE_KIB: u64 = 65;

/// Memory that does not belong to connections, in KiB.
const OTHER_KIB: u64 = 8 * 1024;

#[tokio::test]
async fn half_lines_take_no_more_than_the_documents_say() {
    let mut herd = Herd::builder(Topology::new(&["Hill"], &[])).start().await;
    let addresses = herd.server("Hill").addresses();
    let pid = herd.server_mut("Hill").process().id();
    let before = resident_kib(pid);
    let half_line = vec![b'a'; 60_000];
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(addresses.client).await.unwrap();
        within("it is taken", stream.write_all(&half_line))
            .await
            .unwrap();
        connections.push(stream);
    }
    let all = (CONNECTIONS * half_line.len()) as f64;
    eventually("all is read", async || {
        series(addresses.http, "herd_client_received_bytes_total").await >= all
    })
    .await;
    let added = resident_kib(pid).saturating_sub(before);
    println!("{added} KiB for {CONNECTIONS} half lines");
    let most = CONNECTIONS as u64 * (CONNECTION_KIB + LINE_KIB) + OTHER_KIB;
    assert!(added <= most, "{added} KiB, and not {most}");
    // Their ends come, and each gets its reply.
    for mut stream in connections {
        stream.write_all(b"\n").await.unwrap();
        let mut reply = [0; 4];
        within("the reply", stream.read_exact(&mut reply))
            .await
            .unwrap();
        assert_eq!(&reply, b"? aa");
    }
}

#[tokio::test]
async fn redis_clients_take_no_more_than_half_lines() {
    let builder = Herd::builder(Topology::new(&["Hill"], &[]));
    let mut herd = builder.argument("--resp-listen=127.0.0.1:0").start().await;
    let resp = resp_address(herd.server("Hill"));
    let pid = herd.server_mut("Hill").process().id();
    let before = resident_kib(pid);
    // As many arguments as a command has room for. The reply says that there is no such command.
    let command = [b"*10000\r\n".to_vec(), b"$0\r\n\r\n".repeat(10_000)].concat();
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(resp).await.unwrap();
        let asking = async {
            stream.write_all(&command).await?;
            stream.read_u8().await
        };
        assert_eq!(within("a reply", asking).await.unwrap(), b'-');
        connections.push(stream);
    }
    let added = resident_kib(pid).saturating_sub(before);
    println!("{added} KiB for {CONNECTIONS} idle clients of Redis");
    let most = CONNECTIONS as u64 * (CONNECTION_KIB + LINE_KIB) + OTHER_KIB;
    assert!(added <= most, "{added} KiB, and not {most}");
}

#[tokio::test]
async fn long_ids_stay_within_the_counted_and_the_set_memory() {
    const CLIENT_BYTES_MAX: usize = 32 << 20;
    let mut herd = Herd::builder(Topology::new(&["Hill", "Smith"], &[("Hill", "Smith")]))
        .argument(&format!("--max-client-bytes={CLIENT_BYTES_MAX}"))
        .start()
        .await;
    herd.linked().await;
    let addresses = herd.server("Hill").addresses();
    let pid = herd.server_mut("Hill").process().id();
    let before = resident_kib(pid);
    let mut stream = TcpStream::connect(addresses.client).await.unwrap();
    let (read_half, mut write_half) = stream.split();
    let mut replies = tokio::io::BufReader::new(read_half);
    let (mut taken, mut refused) = (0_u32, 0_u32);
    for number in 0..4_000_u64 {
        // Ids that no compression makes small.
        let mut state = number + 1;
        let id: String = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b'!' + (state >> 33) as u8 % 90)
        })
        .take(8_000)
        .collect();
        let line = format!("IAMAT {id} +1+1 1\n");
        write_half.write_all(line.as_bytes()).await.unwrap();
        let mut reply = String::new();
        let reading = tokio::io::AsyncBufReadExt::read_line(&mut replies, &mut reply);
        within("the reply", reading).await.unwrap();
        if reply.starts_with("AT ") {
            taken += 1;
        } else {
            refused += 1;
        }
    }
    let counted = series(addresses.http, "herd_client_memory_bytes").await;
    assert!(counted <= CLIENT_BYTES_MAX as f64, "{counted}");
    assert!(
        refused > 0 && taken > 1_000,
        "{taken} taken, {refused} refused"
    );
    eventually("all of it is published", async || {
        series(addresses.http, "herd_records_pending").await == 0.0
    })
    .await;
    let added = resident_kib(pid).saturating_sub(before);
    println!(
        "{taken} ids: counted {} KiB, grew by {added} KiB",
        counted / 1024.0
    );
    let most = CLIENT_BYTES_MAX as u64 / 1024 + 2 * OTHER_KIB;
    assert!(added <= most, "{added} KiB, and not {most}");
}
