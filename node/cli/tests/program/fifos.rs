//! FIFOs in the place of files that a server opens at its start: opening a FIFO usually waits for its other end.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tokio::time::Instant;

use crate::process::{herd, wait_until_gone};

/// More than the time that a server waits for the writer of a FIFO, on a busy machine.
const START_MAX: Duration = Duration::from_secs(60);

/// A herd of two, of which only Hill runs.
const TOPOLOGY: &str = "cluster c
server Hill   client 127.0.0.1:1  peer 127.0.0.1:2  http 127.0.0.1:3
server Smith  client 127.0.0.1:4  peer 127.0.0.1:5  http 127.0.0.1:6
link Hill Smith
";

const SERVE: [&str; 6] = [
    "serve",
    "--name=Hill",
    "--client-listen=127.0.0.1:0",
    "--peer-listen=127.0.0.1:0",
    "--http-listen=127.0.0.1:0",
    "--drain-delay=0",
];

/// Makes the files of a server, with a FIFO in the place of `file`.
async fn prepare(folder: &Path, file: &str) {
    std::fs::write(folder.join("herd.topology"), TOPOLOGY).unwrap();
    let (code, said) = herd(&["certs", "new", "--topology=herd.topology", "--out=links"])
        .in_folder(folder)
        .run()
        .await;
    assert_eq!(code, 0, "{said}");
    std::fs::create_dir(folder.join("data")).unwrap();
    let path = folder.join(file);
    let _ = std::fs::remove_file(&path);
    mkfifo(&path, Mode::S_IRWXU).unwrap();
}

/// A FIFO in the place of `file`, which the server opens because of these arguments.
async fn ends_and_names(file: &str, arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path(), file).await;
    let begun = Instant::now();
    let server = herd(&[&SERVE[..], arguments].concat());
    let (code, said) = server.in_folder(folder.path()).run().await;
    assert!([64, 74].contains(&code), "{file}: status {code}: {said}");
    let name = Path::new(file).file_name().unwrap().to_str().unwrap();
    assert!(said.contains(name), "{file}: {said}");
    assert!(begun.elapsed() < START_MAX, "{file}: {said}");
}

#[tokio::test]
async fn a_fifo_in_place_of_a_file_does_not_block_the_start() {
    const TOPOLOGY: &str = "--topology=herd.topology";
    const CERTS: &str = "--links-certs=links";
    const TLS_CERT: &str = "--client-tls-cert=links/Hill.cert.pem";
    const TLS_KEY: &str = "--client-tls-key=links/Hill.key.pem";
    const IN_MEMORY: &str = "--ephemeral";
    const ON_DISK: &str = "--data-dir=data";
    let cases: [(&str, &[&str]); 14] = [
        ("config.toml", &["--config=config.toml", IN_MEMORY]),
        ("herd.topology", &[TOPOLOGY, IN_MEMORY]),
        ("tokens", &["--tokens=tokens", IN_MEMORY]),
        ("my.places", &["--places-file=my.places", IN_MEMORY]),
        (
            "my.key",
            &["--places=google", "--places-key-file=my.key", IN_MEMORY],
        ),
        ("links/trusted.pem", &[TOPOLOGY, CERTS, IN_MEMORY]),
        ("links/Hill.cert.pem", &[TOPOLOGY, CERTS, IN_MEMORY]),
        ("links/Hill.key.pem", &[TOPOLOGY, CERTS, IN_MEMORY]),
        (
            "client.cert.pem",
            &["--client-tls-cert=client.cert.pem", TLS_KEY, IN_MEMORY],
        ),
        (
            "client.key.pem",
            &[TLS_CERT, "--client-tls-key=client.key.pem", IN_MEMORY],
        ),
        (
            "client.ca.pem",
            &[
                TLS_CERT,
                TLS_KEY,
                "--client-tls-ca=client.ca.pem",
                IN_MEMORY,
            ],
        ),
        ("data/lock", &[TOPOLOGY, ON_DISK]),
        ("data/identity.json", &[TOPOLOGY, ON_DISK]),
        ("data/identity.json.new", &[TOPOLOGY, ON_DISK]),
    ];
    let started = cases.map(|(file, arguments)| ends_and_names(file, arguments));
    join_all(started).await;
}

#[tokio::test]
async fn a_topology_may_come_out_of_a_fifo() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path(), "fifo").await;
    let mut server = herd(&[&SERVE[..], &["--topology=fifo", "--ephemeral"]].concat())
        .in_folder(folder.path())
        .start();
    let fifo = folder.path().join("fifo");
    // Opening it waits for the server, which reads.
    let writing = tokio::task::spawn_blocking(move || std::fs::write(fifo, TOPOLOGY));
    server.wait_for("listening").await;
    writing.await.unwrap().unwrap();
    server.signal(Signal::SIGTERM);
    let (code, said) = server.end().await;
    assert_eq!(code, 0, "{said}");
}

#[tokio::test]
async fn a_fifo_in_the_store_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path(), "unused").await;
    let start = || {
        herd(
            &[
                &SERVE[..],
                &["--topology=herd.topology", "--data-dir=data", "--ack=disk"],
            ]
            .concat(),
        )
        .in_folder(folder.path())
        .start()
    };
    let mut server = start();
    server.wait_for("listening").await;
    server.signal(Signal::SIGTERM);
    assert_eq!(server.end().await.0, 0);
    for file in ["watermark", "db/version", "db/0.jnl"] {
        let path = folder.path().join("data/store").join(file);
        let kept = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        let mut server = start();
        server.wait_for("is neither a file nor a folder").await;
        let pid = server.pid();
        server.signal(Signal::SIGTERM);
        let (code, said) = server.end().await;
        assert_eq!(code, 0, "{file}: {said}");
        assert!(said.contains("is damaged"), "{file}: {said}");
        wait_until_gone(&[pid]).await;
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, kept).unwrap();
    }
    let mut server = start();
    server.wait_for("listening").await;
    server.signal(Signal::SIGTERM);
    let (code, said) = server.end().await;
    assert!(code == 0 && !said.contains("is damaged"), "{said}");
}
