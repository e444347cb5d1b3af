//! Admission to a herd whose links have certificates, and the messages to refused servers.

use std::path::Path;

use herd_integration_tests::{
    Client, Herd, Log, Process, Topology, eventually, free_addresses, herd_certs,
};
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::{TIME, UCLA};

fn two() -> Topology {
    Topology::new(&["Hill", "Smith"], &[("Hill", "Smith")])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_readable_on_an_encrypted_link() {
    let names = [&b"Hill"[..], b"Smith"];
    // The handshake of a link without TLS says names: this would be seen.
    let plain = Herd::builder(two()).proxied().start().await;
    assert!(
        names
            .iter()
            .all(|name| plain.link_carried("Hill", "Smith", name))
    );
    let herd = Herd::builder(two()).proxied().encrypted().start().await;
    let line = herd.client("Hill").await.report("kiwi", UCLA, TIME).await;
    herd.knows("Smith", "kiwi", &line).await;
    for hidden in [names[0], names[1], b"herd://test", b"kiwi", UCLA.as_bytes()] {
        assert!(!herd.link_carried("Hill", "Smith", hidden), "{hidden:?}");
    }
}

/// Starts Hill again with the certificates in a folder of its own, which `change` has altered, and
/// waits until each of the two says why there is no link.
async fn refused(herd: &mut Herd, change: impl Fn(&Path, &Path), smith_says: &str) {
    let (own, shared) = (herd.folder().join("own"), herd.certificates());
    std::fs::create_dir(&own).unwrap();
    for name in ["Hill.cert.pem", "Hill.key.pem", "trusted.pem"] {
        std::fs::copy(shared.join(name), own.join(name)).unwrap();
    }
    change(&own, &shared);
    herd.server_mut("Hill").kill();
    let mark = herd.log("Smith").end();
    let argument = format!("--links-certs={}", own.display());
    herd.server_mut("Hill").set_argument(&argument);
    herd.server_mut("Hill").restart().await;
    herd.log("Smith")
        .wait_for(mark, &["peer connection", smith_says])
        .await;
    assert_eq!(herd.server("Hill").links(), Vec::<String>::new());
    // It serves its clients all the same.
    herd.client("Smith").await.report("kiwi", UCLA, TIME).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_authority_is_refused() {
    let mut herd = Herd::builder(two()).encrypted().start().await;
    let topology = herd.folder().join("Hill.topology");
    // It trusts both, so that Smith is the one to refuse.
    let change = |own: &Path, shared: &Path| {
        for name in ["Hill.cert.pem", "Hill.key.pem", "trusted.pem"] {
            std::fs::remove_file(own.join(name)).unwrap();
        }
        herd_certs("new", &topology, own);
        let mut both = std::fs::read(own.join("trusted.pem")).unwrap();
        both.extend(std::fs::read(shared.join("trusted.pem")).unwrap());
        std::fs::write(own.join("trusted.pem"), both).unwrap();
    };
    let says = "from an authority that this server does not trust";
    refused(&mut herd, change, says).await;
}

/// A valid certificate of another server of the herd: another test shows that it does not fit another server's hello
/// (`node/replication/tests/replication/certificates.rs`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_servers_certificate_neither_starts_nor_answers() {
    let names = ["Hill", "Smith", "Campbell"];
    let links = [("Hill", "Smith"), ("Smith", "Campbell")];
    let mut herd = Herd::builder(Topology::new(&names, &links))
        .encrypted()
        .start()
        .await;
    herd.server_mut("Hill").kill();
    herd.server_mut("Campbell").kill();

    // Its own check would not let it start with the name of another: so it is a herd of its own making
    // in which Hill's certificate says Campbell.
    let mark = herd.log("Smith").end();
    let impostor = herd.folder().join("impostor");
    std::fs::create_dir(&impostor).unwrap();
    let shared = herd.certificates();
    for (from, to) in [
        ("Campbell.cert.pem", "Hill.cert.pem"),
        ("Campbell.key.pem", "Hill.key.pem"),
        ("trusted.pem", "trusted.pem"),
    ] {
        std::fs::copy(shared.join(from), impostor.join(to)).unwrap();
    }
    let argument = format!("--links-certs={}", impostor.display());
    let status = herd.server_mut("Hill").run_with(&[argument]).await;
    assert_eq!(status.code(), Some(64));
    let said = herd.server("Hill").log_since_start();
    assert!(said.contains("is for herd://test/Campbell, and this server is herd://test/Hill"));
    let unlinked = herd.log("Smith").lines_with(mark, &["link made"]);
    assert_eq!(unlinked, Vec::<String>::new());

    // Smith dials Campbell, at whose address Hill's certificate answers: Hill as Campbell's double in a
    // topology that has the two the other way round.
    let swapped = herd.folder().join("swapped.topology");
    let text = std::fs::read_to_string(herd.folder().join("Hill.topology")).unwrap();
    let text = text
        .replace("Hill", "X")
        .replace("Campbell", "Hill")
        .replace("X", "Campbell");
    std::fs::write(&swapped, text).unwrap();
    let mark = herd.log("Smith").end();
    let double = format!("--topology={}", swapped.display());
    herd.server_mut("Hill").set_argument(&double);
    herd.server_mut("Hill").start();
    // Here Smith reaches Hill where Campbell should be.
    let said = herd
        .log("Smith")
        .wait_for(
            mark,
            &["link refused", "its certificate is for herd://test/Hill"],
        )
        .await;
    assert!(said.contains("neighbour=Campbell"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_mistakes_of_an_expired_certificate_are_told() {
    let mut herd = Herd::builder(two()).encrypted().start().await;
    let own = herd.folder().join("own");
    std::fs::create_dir(&own).unwrap();
    std::fs::copy(
        herd.certificates().join("Smith.cert.pem"),
        own.join("Hill.cert.pem"),
    )
    .unwrap();
    herd.server_mut("Hill").kill();
    let argument = format!("--links-certs={}", own.display());
    let status = herd.server_mut("Hill").run_with(&[argument]).await;
    assert_eq!(status.code(), Some(64));
    let said = herd.server("Hill").log_since_start();
    assert!(said.contains("2 mistakes in the settings"), "{said}");
    assert!(
        said.contains("Hill.key.pem") && said.contains("trusted.pem"),
        "{said}"
    );
}

/// One side has certificates and the other has none: both name the cause.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_certificates_finds_no_way_in() {
    let mut herd = Herd::builder(two()).encrypted().start().await;
    let links_certs = format!("--links-certs={}", herd.certificates().display());
    for plain in ["Hill", "Smith"] {
        let mut marks = Vec::new();
        for name in ["Hill", "Smith"] {
            herd.server_mut(name).kill();
            marks.push(herd.log(name).end());
            let argument = if name == plain {
                "--insecure-links"
            } else {
                &*links_certs
            };
            // One flag or the other.
            herd.server_mut(name).remove_argument("--links-certs");
            herd.server_mut(name).remove_argument("--insecure-links");
            herd.server_mut(name).set_argument(argument);
            herd.server_mut(name).start();
        }
        // Hill dials. The one that has certificates names the other, and the other sees TLS.
        let (secure, plain_says) = if plain == "Hill" {
            (
                ("Smith", "it does not speak TLS"),
                ("Hill", "it speaks TLS"),
            )
        } else {
            (("Hill", "does it speak TLS?"), ("Smith", "it speaks TLS"))
        };
        for (name, says) in [secure, plain_says] {
            let mark = marks[usize::from(name == "Smith")];
            herd.log(name).wait_for(mark, &[says]).await;
            assert_eq!(herd.server(name).links(), Vec::<String>::new());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_links_of_herd_local_are_encrypted_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let topology = two();
    for (name, ephemeral) in [("disk", false), ("memory", true)] {
        let addresses = free_addresses(2);
        let file = folder.path().join(format!("{name}.topology"));
        std::fs::write(&file, topology.text(&addresses)).unwrap();
        let data = folder.path().join(name);
        let arguments = [
            "local".to_owned(),
            "--show-logs".to_owned(),
            format!("--topology={}", file.display()),
            match ephemeral {
                true => "--ephemeral".to_owned(),
                false => format!("--data-dir={}", data.display()),
            },
        ];
        let said = Log::new(folder.path().join(format!("{name}.said")));
        let mut local = Process::start(&arguments, &said);
        said.wait_for(0, &["Hill", ": link made neighbour=Smith"])
            .await;
        // A connection without TLS is refused.
        let mut stream = TcpStream::connect(addresses[1].peer).await.unwrap();
        stream
            .write_all(&[0, 0, 0, 9, 1, 1, 0, 0, 0])
            .await
            .unwrap();
        said.wait_for(0, &["peer connection", "it does not speak TLS"])
            .await;
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        let mut client = Client::connect(addresses[0].client).await;
        let line = client.report("kiwi", UCLA, TIME).await;
        let mut other = Client::connect(addresses[1].client).await;
        eventually("Smith knows", async || {
            other.find("kiwi").await.as_deref() == Some(&line)
        })
        .await;
        assert!(!said.text().contains("PRIVATE KEY"));
        local.terminate();
        assert_eq!(local.ended().await.code(), Some(0));
        assert_eq!(data.join("certs/trusted.pem").exists(), !ephemeral);
        assert!(!data.join("certs/signing").exists());
    }
}
