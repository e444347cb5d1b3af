//! Strangers at the three ports of a server, and those whom they must not shut out.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use herd_integration_tests::{Herd, Topology, eventually, series, within};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::{TIME, UCLA, ids};

/// A kubelet that waits longer for an answer counts it as none: `timeoutSeconds` of
/// k8s/statefulset.yaml.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a stranger that was not let in waits before it tries again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

async fn two() -> Herd {
    let topology = Topology::new(&["Hill", "Smith"], &[("Hill", "Smith")]);
    Herd::builder(topology)
        .on_disk()
        .argument("--ack=disk")
        .start()
        .await
}

/// Connections from addresses of their own, if this machine has them, that send something and then nothing. A closed
/// one connects again.
struct Crowd {
    over: Arc<AtomicBool>,
    open: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

impl Crowd {
    fn gather(at: SocketAddr, count: usize, addresses: usize, says: &'static [u8]) -> Crowd {
        let (over, open) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let from = Ipv4Addr::new(127, 0, 0, 2 + (number % addresses) as u8);
            let (over, open) = (over.clone(), open.clone());
            tasks.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    if let Some(stream) = stranger(from, at, says).await {
                        open.fetch_add(1, Ordering::Relaxed);
                        ended(stream).await;
                        open.fetch_sub(1, Ordering::Relaxed);
                    }
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            });
        }
        Crowd { over, open, tasks }
    }

    async fn has(&self, count: usize) {
        eventually(format!("{count} strangers are there"), async || {
            self.open.load(Ordering::Relaxed) >= count
        })
        .await;
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.tasks.abort_all();
    }
}

async fn stranger(from: Ipv4Addr, at: SocketAddr, says: &[u8]) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().ok()?;
    // Elsewhere than on Linux only 127.0.0.1 is this machine's.
    let _ = socket.bind((from, 0).into());
    let mut stream = timeout(PROBE_TIMEOUT, socket.connect(at))
        .await
        .ok()?
        .ok()?;
    stream.write_all(says).await.ok()?;
    Some(stream)
}

/// Waits until the server closes.
async fn ended(mut stream: TcpStream) {
    let mut byte = [0];
    while let Ok(1..) = stream.read(&mut byte).await {}
}

/// The whole reply to one request over a connection of its own.
async fn asked(at: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    // A reset after the reply is an end too.
    let _ = stream.read_to_string(&mut reply).await;
    reply
}

async fn got(at: SocketAddr, path: &str) -> String {
    asked(
        at,
        &format!("GET {path} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n\r\n"),
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_sent_heads_silence_no_probe() {
    let herd = two().await;
    let http = herd.server("Hill").addresses().http;
    let crowd = Crowd::gather(http, 300, 1, b"GET /healthz HTTP/1.1\r\nhost: x\r\n");
    crowd.has(96).await;
    for _ in 0..20 {
        for path in ["/healthz", "/metrics"] {
            let reply = timeout(PROBE_TIMEOUT, got(http, path)).await;
            let reply = reply.expect("a platform would restart the server");
            assert!(reply.starts_with("HTTP/1.1 200 OK"), "{path}: {reply}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_strangers_keep_no_server_from_its_links() {
    let mut herd = two().await;
    let smith = herd.server("Smith").addresses();
    // Hill is the one that connects; it does so when the crowd is there.
    herd.server_mut("Smith").kill();
    herd.server_mut("Hill").stop();
    herd.server_mut("Smith").restart().await;
    let crowd = Crowd::gather(smith.peer, 200, 4, b"");
    crowd.has(48).await;
    let closed = |reason| format!("herd_peer_connections_closed_total{{reason=\"{reason}\"}}");
    eventually("no place is free", async || {
        series(smith.http, &closed("displaced")).await > 0.0
    })
    .await;
    herd.server_mut("Hill").resume();
    eventually("Smith is linked to Hill", async || {
        herd.server("Smith").links() == ["Hill"]
    })
    .await;
    assert_eq!(
        series(smith.http, &closed("full")).await,
        0.0,
        "none was turned away unheard"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_open_files_are_kept_for_store_links_and_probes() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let mut herd = two().await;
    let addresses = herd.server("Hill").addresses();
    let hill = herd.server_mut("Hill");
    hill.kill();
    hill.set_open_files_max(1_024);
    hill.restart().await;
    herd.linked().await;
    let clients_max = series(addresses.http, "herd_client_connections_max").await as usize;
    assert!((400..1_000).contains(&clients_max), "{clients_max}");
    // The limit of one address, and connections that come and go besides.
    let crowds = [
        Crowd::gather(addresses.client, 1_100, 1, b"IAMAT"),
        Crowd::gather(addresses.http, 300, 1, b"GET / HTTP/1.1\r\n"),
        Crowd::gather(addresses.peer, 200, 1, b""),
    ];
    crowds[0].has(clients_max / 4 * 3).await;
    let known = ids("few", 2_000);
    for ids in known.chunks(200) {
        let mut client = herd.client("Hill").await;
        client.report_all(ids, UCLA, TIME).await;
        let reply = timeout(PROBE_TIMEOUT, got(addresses.http, "/healthz")).await;
        assert!(reply.unwrap().starts_with("HTTP/1.1 200 OK"));
    }
    // The link comes again, too.
    herd.server_mut("Smith").kill();
    herd.server_mut("Smith").restart().await;
    herd.linked().await;
    let errors = series(addresses.http, "herd_client_accept_errors_total").await;
    assert_eq!(errors, 0.0, "no connection failed for want of a file");
    let said = herd.server("Hill").log_since_start();
    assert!(said.contains("connections of clients are fewer"), "{said}");
    assert!(
        !said.contains("os error 24") && !said.contains("has failed"),
        "{said}"
    );
    drop(crowds);
    herd.server_mut("Smith").kill();
    herd.server_mut("Hill").kill();
    herd.server_mut("Hill").restart().await;
    let found = herd.client("Hill").await.find_all(&known).await;
    assert!(
        found.iter().all(Option::is_some),
        "the confirmed reports are there"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_too_few_open_files_a_server_does_not_start() {
    let mut herd = two().await;
    let hill = herd.server_mut("Hill");
    hill.kill();
    hill.set_open_files_max(200);
    hill.start();
    assert_eq!(hill.ended().await.code(), Some(71));
    let said = hill.log_since_start();
    assert!(said.contains("only 200 files may be open"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_from_elsewhere_reports_nothing() {
    let herd = two().await;
    let at = herd.server("Hill").addresses().client;
    // As Chromium sends it for `fetch(url, { method: "POST", mode: "no-cors", body })`.
    let body = "\nIAMAT victim +34.068930-118.445127 1520023934.9\n";
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {at}\r\nConnection: keep-alive\r\nContent-Length: {}\r\n\
         User-Agent: Mozilla/5.0\r\nContent-Type: text/plain;charset=UTF-8\r\nAccept: */*\r\n\
         Origin: http://evil.example\r\nReferer: http://evil.example/\r\n\
         Accept-Encoding: gzip, deflate\r\nAccept-Language: en\r\n\r\n{body}",
        body.len()
    );
    let reply = within("the connection ends", asked(at, &request)).await;
    assert_eq!(reply, "? POST / HTTP/1.1\n");
    assert!(herd.client("Hill").await.find("victim").await.is_none());
    let http = herd.server("Hill").addresses().http;
    let closed = "herd_client_connections_foreign_total{protocol=\"http\"}";
    assert_eq!(series(http, closed).await, 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_on_ports_without_it_is_closed() {
    let herd = two().await;
    let addresses = herd.server("Hill").addresses();
    // The start of a hello, with a session ticket of a stranger's choice in it.
    let hello = [
        &b"\x16\x03\x01\x02\x00\x01\x00\n"[..],
        b"IAMAT victim +34.068930-118.445127 1520023934.9\n",
    ]
    .concat();
    for at in [addresses.client, addresses.http] {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(&hello).await.unwrap();
        within("the connection ends", ended(stream)).await;
    }
    assert!(herd.client("Hill").await.find("victim").await.is_none());
    let closed = "herd_client_connections_foreign_total{protocol=\"tls\"}";
    assert_eq!(series(addresses.http, closed).await, 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_names_this_server_and_once() {
    let mut herd = two().await;
    let http = herd.server("Hill").addresses().http;
    let hill = herd.server_mut("Hill");
    hill.kill();
    // Whether it listens on loopback or beyond makes no difference.
    hill.set_argument(&format!("--http-listen=0.0.0.0:{}", http.port()));
    hill.set_argument("--http-hosts=herd.example.org");
    hill.set_argument("--http-locations");
    hill.restart().await;
    for (path, hosts, status) in [
        ("/status", &["evil.example"][..], 421),
        ("/metrics", &["evil.example:13000"], 421),
        ("/healthz", &["evil.example"], 200),
        ("/status", &["herd.example.org"], 200),
        ("/status", &["192.0.2.1:13000"], 200),
        ("/status", &["localhost"], 200),
        ("/healthz", &[], 400),
        ("/healthz", &["localhost", "localhost"], 400),
        ("/status", &["localhost", "evil.example"], 400),
    ] {
        let lines: String = hosts
            .iter()
            .map(|host| format!("Host: {host}\r\n"))
            .collect();
        let request = format!("GET {path} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n");
        let reply = within("a reply", asked(http, &request)).await;
        let start = format!("HTTP/1.1 {status} ");
        assert!(reply.starts_with(&start), "{path} of {hosts:?}: {reply}");
    }
    let reply = within("a reply", asked(http, "GET /healthz HTTP/1.0\r\n\r\n")).await;
    assert!(reply.starts_with("HTTP/1.0 200 "), "{reply}");
}
