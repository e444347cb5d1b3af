//! Certificates that have expired, or whose authority is no longer trusted, at the ports of a running server.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use herd_clock::clock::{SharedClock, SystemClock, WallClock};
use herd_tls::Side;
use herd_tls::authority::{Authority, Issued};
use herd_tls::link::{LinkCredentials, LinkMaterial, LinkSource};
use herd_tls::name::LinkName;
use herd_tls::reload::Live;
use herd_topology::Host;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::process::{Herd, free_ports, herd, metrics};

const DAY_S: i64 = 24 * 3_600;

/// A clock that shows another day.
struct DaysAgo(i64);

impl WallClock for DaysAgo {
    fn now_ns(&self) -> i64 {
        SystemClock.now_ns() - self.0 * DAY_S * 1_000_000_000
    }
}

fn days_ago_s(days: i64) -> i64 {
    DaysAgo(days).now_ns() / 1_000_000_000
}

/// An authority of 50 days ago.
fn authority() -> Authority {
    Authority::make("farm", days_ago_s(50), 3_650).unwrap()
}

/// A certificate of 40 days ago for one of the two servers.
fn issued(authority: &Authority, server: &str, days: u32) -> Issued {
    let here = Host::Ip(Ipv4Addr::LOCALHOST.into());
    let name = LinkName::new("farm", server);
    let issued = authority.issue(&name, std::slice::from_ref(&here), days_ago_s(40), days);
    issued.unwrap()
}

fn write(folder: &Path, name: &str, issued: &Issued) {
    std::fs::write(
        folder.join(format!("{name}.cert.pem")),
        &issued.certificate_pem,
    )
    .unwrap();
    std::fs::write(folder.join(format!("{name}.key.pem")), &issued.key_pem).unwrap();
}

/// The server `barn` with certificates of `authority` on all ports that have them, and its first port.
async fn barn(folder: &Path, authority: &Authority) -> (Herd, u16) {
    let base = free_ports(3);
    let topology = format!(
        "cluster farm\n\
         server field client 127.0.0.1:1 peer 127.0.0.1:2 http 127.0.0.1:3\n\
         server barn client 127.0.0.1:{base} peer 127.0.0.1:{} http 127.0.0.1:{}\n\
         link barn field\n",
        base + 1,
        base + 2
    );
    std::fs::write(folder.join("t"), topology).unwrap();
    let certs = folder.join("certs");
    std::fs::create_dir(&certs).unwrap();
    write(&certs, "barn", &issued(authority, "barn", 365));
    std::fs::write(certs.join("trusted.pem"), authority.certificate_pem()).unwrap();
    std::fs::write(folder.join("clients.pem"), authority.certificate_pem()).unwrap();
    let mut server = herd(&[
        "serve",
        "--name=barn",
        "--topology=t",
        "--ephemeral",
        "--drain-delay=0",
        "--client-tls-cert=certs/barn.cert.pem",
        "--client-tls-key=certs/barn.key.pem",
        "--client-tls-ca=clients.pem",
    ])
    .in_folder(folder)
    .start();
    server.wait_for("listening").await;
    (server, base)
}

/// A figure of a scrape.
async fn figure(base: u16, name: &str) -> f64 {
    let scrape = metrics(base + 2).await;
    let line = scrape.lines().find_map(|line| line.strip_prefix(name));
    let value = line.unwrap_or_else(|| panic!("no {name} in {scrape}"));
    value.trim().parse().unwrap()
}

const CLIENT: [&str; 3] = [
    "--ca=certs/trusted.pem",
    "--tls-cert=kiwi.cert.pem",
    "--tls-key=kiwi.key.pem",
];

#[tokio::test]
async fn a_client_with_an_expired_certificate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority();
    let (mut server, base) = barn(folder.path(), &authority).await;
    let expired = authority.issue_client("kiwi", days_ago_s(40), 10);
    write(folder.path(), "kiwi", &expired.unwrap());
    let to = format!("--to=127.0.0.1:{base}");
    let arguments = [&["send", &to], &CLIENT[..], &["IAMAT kiwi +1+1 1"]].concat();
    let (code, output) = herd(&arguments).in_folder(folder.path()).run().await;
    assert!([69, 74].contains(&code), "{code}: {output}");
    assert!(!output.contains("AT barn"), "{output}");
    server.wait_for("client connection closed by TLS").await;
    assert!(server.output().contains("its certificate has expired"));
    assert_eq!(figure(base, "herd_client_tls_failures_total ").await, 1.0);
}

#[tokio::test]
async fn a_connection_ends_with_the_trust_in_its_authority() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority();
    let (mut server, base) = barn(folder.path(), &authority).await;
    let good = authority.issue_client("kiwi", days_ago_s(1), 10);
    write(folder.path(), "kiwi", &good.unwrap());
    let to = format!("--to=127.0.0.1:{base}");
    let arguments = [&["send", &to], &CLIENT[..]].concat();
    let mut client = herd(&arguments)
        .in_folder(folder.path())
        .with_pipe()
        .start();
    client.write("IAMAT kiwi +1+1 1520023934\n").await;
    client.wait_for("AT barn ").await;
    let cut = "herd_client_certificates_distrusted_total ";
    assert_eq!(figure(base, cut).await, 0.0);
    let other = Authority::make("other", days_ago_s(1), 3_650).unwrap();
    std::fs::write(folder.path().join("clients.pem"), other.certificate_pem()).unwrap();
    server
        .wait_for("from an authority that this server does not trust")
        .await;
    let (code, output) = client.end().await;
    assert_ne!(code, 0, "{output}");
    assert_eq!(figure(base, cut).await, 1.0);
}

/// A neighbour with a clock of 35 days ago takes its certificate for good, and so shows it.
#[tokio::test]
async fn a_neighbour_with_an_expired_certificate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority();
    let (mut server, base) = barn(folder.path(), &authority).await;
    let field = issued(&authority, "field", 10);
    let material = LinkMaterial {
        source: LinkSource::Text(field.with_authority(&authority).into()),
        cluster: "farm".to_owned(),
        server: "field".to_owned(),
    };
    let clock: SharedClock = Arc::new(DaysAgo(35));
    let live = Live::load(material, clock.clone()).unwrap();
    let credentials = LinkCredentials::new(live, clock);
    let stream = TcpStream::connect(("127.0.0.1", base + 1)).await.unwrap();
    // The side that connects is done before the other has looked at its certificate.
    if let Ok((mut stream, _)) = credentials.secure(stream, Side::Dialled).await {
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        assert_eq!(said, b"");
    }
    server
        .wait_for("peer connection without a handshake closed")
        .await;
    assert!(server.output().contains("its certificate has expired"));
    let closed = "herd_peer_connections_closed_total{reason=\"certificate\"} ";
    assert_eq!(figure(base, closed).await, 1.0);
}

/// A way in which the certificates of a server are out of their time, and the message about it.
const OUT_OF_TIME: [(&str, &str); 3] = [
    ("over", "expired on"),
    ("not begun", "is not valid before"),
    ("authority over", "trusted.pem expired on"),
];

/// Puts certificates of this kind into the folder.
fn certify(certs: &Path, kind: &str) {
    let long_ago = Authority::make("farm", days_ago_s(50), 10).unwrap();
    let good = authority();
    let (trusted, own) = match kind {
        "over" => (&good, issued(&good, "barn", 10)),
        "not begun" => {
            let here = Host::Ip(Ipv4Addr::LOCALHOST.into());
            let name = LinkName::new("farm", "barn");
            let begins_s = days_ago_s(-40);
            (
                &good,
                good.issue(&name, std::slice::from_ref(&here), begins_s, 10)
                    .unwrap(),
            )
        }
        "authority over" => (&long_ago, issued(&long_ago, "barn", 5)),
        _ => (&good, issued(&good, "barn", 365)),
    };
    std::fs::write(certs.join("trusted.pem"), trusted.certificate_pem()).unwrap();
    write(certs, "barn", &own);
}

#[tokio::test]
async fn a_server_whose_certificates_are_out_of_time_goes_on_alone() {
    for (kind, reason) in OUT_OF_TIME {
        let folder = tempfile::tempdir().unwrap();
        let base = free_ports(3);
        let topology = format!(
            "cluster farm\n\
             server field client 127.0.0.1:1 peer 127.0.0.1:2 http 127.0.0.1:3\n\
             server barn client 127.0.0.1:{base} peer 127.0.0.1:{} http 127.0.0.1:{}\n\
             link barn field\n",
            base + 1,
            base + 2
        );
        std::fs::write(folder.path().join("t"), topology).unwrap();
        let certs = folder.path().join("certs");
        std::fs::create_dir(&certs).unwrap();
        certify(&certs, kind);
        let checked = herd(&["check-config", "--name=barn", "--topology=t"]);
        let (code, output) = checked.in_folder(folder.path()).run().await;
        assert_eq!(code, 0, "{kind}: {output}");
        assert!(
            output.contains("herd: warning: default: certs/"),
            "{output}"
        );
        assert!(output.contains(reason), "{output}");
        let arguments = ["serve", "--name=barn", "--topology=t", "--ephemeral"];
        let mut server = herd(&arguments).in_folder(folder.path()).start();
        server.wait_for("listening").await;
        server
            .wait_for("this server has no links, and goes on alone")
            .await;
        let output = server.output();
        assert!(
            output.contains("ERROR") && output.contains(reason),
            "{output}"
        );
        let to = format!("--to=127.0.0.1:{base}");
        let (code, output) = herd(&["send", &to, "IAMAT kiwi +1+1 1"]).run().await;
        assert_eq!(code, 0, "{output}");
        assert!(output.starts_with("AT barn "), "{output}");
        let out_of_time = "herd_certificate_out_of_time{of=\"links\"} ";
        assert_eq!(figure(base, out_of_time).await, 1.0);
        // Others that are good are taken.
        certify(&certs, "good");
        let taken = "new certificates for links between servers are in use";
        server.wait_for(taken).await;
        assert_eq!(figure(base, out_of_time).await, 0.0);
    }
}

#[tokio::test]
async fn a_client_port_with_an_expired_certificate_serves() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority();
    write(folder.path(), "port", &issued(&authority, "barn", 10));
    let trusted = authority.certificate_pem();
    std::fs::write(folder.path().join("trusted.pem"), trusted).unwrap();
    let base = free_ports(3);
    let topology = format!(
        "cluster farm\nserver barn client 127.0.0.1:{base} peer 127.0.0.1:{} http 127.0.0.1:{}\n",
        base + 1,
        base + 2
    );
    std::fs::write(folder.path().join("t"), topology).unwrap();
    let arguments = [
        "serve",
        "--name=barn",
        "--topology=t",
        "--ephemeral",
        "--client-tls-cert=port.cert.pem",
        "--client-tls-key=port.key.pem",
    ];
    let mut server = herd(&arguments).in_folder(folder.path()).start();
    server
        .wait_for("the certificates for the client port are not in their time")
        .await;
    let to = format!("--to=127.0.0.1:{base}");
    let send = ["send", &to, "--ca=trusted.pem", "IAMAT kiwi +1+1 1"];
    let (code, output) = herd(&send).in_folder(folder.path()).run().await;
    assert!(code != 0 && !output.contains("AT barn"), "{code}: {output}");
    let out_of_time = "herd_certificate_out_of_time{of=\"client_port\"} ";
    assert_eq!(figure(base, out_of_time).await, 1.0);
    write(folder.path(), "port", &issued(&authority, "barn", 365));
    server
        .wait_for("new certificates for the client port are in use")
        .await;
    let (code, output) = herd(&send).in_folder(folder.path()).run().await;
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("AT barn"), "{output}");
}
