//! `herd certs`, and servers with its files.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::process::{free_ports, herd};

const TOPOLOGY: &str = "cluster farm\n\
    server barn client 127.0.0.1:1 peer 192.0.2.1:2 http 127.0.0.1:3\n\
    server field client 127.0.0.1:4 peer 192.0.2.2:5 http 127.0.0.1:6\n\
    link barn field\n";

/// A folder with a topology whose links leave the machine.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t"), TOPOLOGY).unwrap();
    folder
}

async fn certs(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let arguments = [&["certs"], arguments, &["--topology=t"]].concat();
    herd(&arguments).in_folder(folder).run().await
}

async fn check(folder: &Path, more: &[&str]) -> (i32, String) {
    let arguments = [&["check-config", "--name=barn", "--topology=t"], more].concat();
    herd(&arguments).in_folder(folder).run().await
}

#[tokio::test]
async fn links_beyond_loopback_need_certificates() {
    let folder = folder();
    let (code, output) = check(folder.path(), &[]).await;
    assert_eq!(code, 64, "{output}");
    let told = "links would leave this machine without certificates: it listens for neighbours on \
                192.0.2.1:2; make certificates with `herd certs new` and name their folder with \
                --links-certs, or accept that anyone on the way can read and join, with \
                --insecure-links\n";
    assert!(output.ends_with(told), "{output}");
    // To listen on loopback only does not make the neighbour near.
    let (code, output) = check(folder.path(), &["--peer-listen=127.0.0.1:7"]).await;
    assert_eq!(code, 64, "{output}");
    assert!(
        output.contains("certificates: field is at 192.0.2.2:5;"),
        "{output}"
    );
    let (code, output) = check(folder.path(), &["--insecure-links"]).await;
    assert_eq!(code, 0, "{output}");
    assert!(
        output.contains("insecure_links   true  (--insecure-links)\n"),
        "{output}"
    );

    let (code, output) = certs(folder.path(), &["new", "--days=20"]).await;
    assert_eq!(code, 0, "{output}");
    let (code, output) = check(folder.path(), &[]).await;
    assert_eq!(code, 0, "{output}");
    assert!(
        output.contains("links_certs      certs  (default)\n"),
        "{output}"
    );
    let (code, output) = check(folder.path(), &["--links-certs=certs", "--insecure-links"]).await;
    assert_eq!(code, 64, "{output}");
    assert!(output.contains("contradict each other"), "{output}");
    // Each is another's: all that is wrong is told.
    let (code, output) = check(folder.path(), &["--links-certs=nowhere", "--log=loud"]).await;
    assert_eq!(code, 64, "{output}");
    assert!(output.contains("4 mistakes in the settings"), "{output}");
    assert!(!output.contains("PRIVATE KEY"));
}

#[tokio::test]
async fn insecure_links_are_warned_about_at_the_start() {
    let folder = folder();
    let base = free_ports(3);
    let mut arguments = vec![
        "serve".to_owned(),
        "--name=barn".to_owned(),
        "--topology=t".to_owned(),
        "--ephemeral".to_owned(),
        "--insecure-links".to_owned(),
        "--drain-delay=0".to_owned(),
    ];
    for (place, purpose) in (0_u16..).zip(["client", "peer", "http"]) {
        arguments.push(format!("--{purpose}-listen=127.0.0.1:{}", base + place));
    }
    let arguments: Vec<&str> = arguments.iter().map(|argument| &**argument).collect();
    let mut server = herd(&arguments).in_folder(folder.path()).start();
    server
        .wait_for("have no certificates (insecure_links)")
        .await;
}

#[tokio::test]
async fn certificates_are_private_and_never_overwritten() {
    let folder = folder();
    let (code, output) = certs(folder.path(), &["new"]).await;
    assert_eq!(code, 0, "{output}");
    assert!(output.contains(" days)  herd://farm/field\n"), "{output}");
    let path = folder.path().join("certs");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&path.join("signing"))), (0o700, 0o700));
    let mut files = Vec::new();
    for inside in [path.clone(), path.join("signing")] {
        for entry in inside.read_dir().unwrap() {
            let entry = entry.unwrap().path();
            if entry.is_file() {
                assert_eq!(mode(&entry), 0o600, "{}", entry.display());
                files.push((entry.clone(), std::fs::read(&entry).unwrap()));
            }
        }
    }
    assert_eq!(files.len(), 7);
    let (code, output) = certs(folder.path(), &["new"]).await;
    assert_eq!(code, 64, "{output}");
    assert!(output.contains("certs/trusted.pem is there already, and nothing was written"));
    assert!(
        files
            .iter()
            .all(|(path, bytes)| std::fs::read(path).unwrap() == *bytes)
    );

    // A server that comes later, by the same authority.
    let more = TOPOLOGY.to_owned() + "server hay client h:1 peer h:2 http h:3\nlink hay barn\n";
    std::fs::write(folder.path().join("t"), more).unwrap();
    let (code, output) = certs(folder.path(), &["show"]).await;
    assert_eq!(code, 0, "{output}");
    assert!(
        output.contains("  hay        has no certificate\n"),
        "{output}"
    );
    let (code, output) = certs(folder.path(), &["add"]).await;
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("herd://farm/hay\n"), "{output}");
    assert!(
        files
            .iter()
            .all(|(path, bytes)| std::fs::read(path).unwrap() == *bytes)
    );
    let (code, output) = check(folder.path(), &[]).await;
    assert_eq!(code, 0, "{output}");
}

#[tokio::test]
async fn an_unused_authority_is_no_longer_trusted() {
    let folder = folder();
    let check = async || check(folder.path(), &[]).await;
    for (step, accepted) in [
        ("rotate", false),
        ("new", true),
        ("rotate", true),
        ("retire", false),
        ("renew", true),
        ("retire", true),
    ] {
        let (code, output) = certs(folder.path(), &[step]).await;
        assert_eq!(code == 0, accepted, "{step}: {output}");
        if step == "retire" && !accepted {
            assert!(
                output.contains("barn has a certificate of an earlier authority"),
                "{output}"
            );
        }
        if folder.path().join("certs").exists() {
            assert_eq!(check().await.0, 0, "after {step}");
        }
    }
    let trusted = std::fs::read_to_string(folder.path().join("certs/trusted.pem")).unwrap();
    assert_eq!(trusted.matches("BEGIN CERTIFICATE").count(), 1);
}

/// The client port and HTTP with TLS, and with certificates of clients.
#[tokio::test]
async fn clients_speak_tls_and_show_certificates() {
    let folder = folder();
    for arguments in [&["new"][..], &["client", "kiwi"]] {
        let (code, output) = certs(folder.path(), arguments).await;
        assert_eq!(code, 0, "{output}");
    }
    let base = free_ports(3);
    let to = format!("--to=127.0.0.1:{base}");
    let mut arguments = vec![
        "serve".to_owned(),
        "--name=barn".to_owned(),
        "--topology=t".to_owned(),
        "--ephemeral".to_owned(),
        "--drain-delay=0".to_owned(),
        "--client-tls-cert=certs/barn.cert.pem".to_owned(),
        "--client-tls-key=certs/barn.key.pem".to_owned(),
        "--client-tls-ca=certs/trusted.pem".to_owned(),
        "--http-tls".to_owned(),
        "--http-locations".to_owned(),
    ];
    for (place, purpose) in (0_u16..).zip(["client", "peer", "http"]) {
        arguments.push(format!("--{purpose}-listen=127.0.0.1:{}", base + place));
    }
    let arguments: Vec<&str> = arguments.iter().map(|argument| &**argument).collect();
    let mut server = herd(&arguments).in_folder(folder.path()).start();
    server.wait_for("listening").await;
    let send = async |more: &[&str]| {
        let arguments = [&["send", &to], more, &["IAMAT kiwi +1+1 1520023934"]].concat();
        herd(&arguments).in_folder(folder.path()).run().await
    };
    let trust = "--ca=certs/trusted.pem";
    let mine = [
        trust,
        "--tls-cert=certs/kiwi.client.cert.pem",
        "--tls-key=certs/kiwi.client.key.pem",
    ];
    let (code, output) = send(&mine).await;
    assert_eq!(code, 0, "{output}");
    assert!(output.starts_with("AT barn "), "{output}");
    // No certificate, no TLS, another server's name, an untrusted authority.
    for (more, status) in [
        (&[trust][..], [69, 74]),
        (&[][..], [74, 74]),
        (&[&mine[..], &["--tls-name=field"]].concat()[..], [69, 69]),
        (&["--tls"][..], [69, 69]),
    ] {
        let (code, output) = send(more).await;
        assert!(status.contains(&code), "{more:?} {code}: {output}");
        assert!(!output.contains("AT barn"), "{output}");
    }
    let (code, output) = send(&mine).await;
    assert_eq!(code, 0, "{output}");
    http_shows_its_status_over_tls(folder.path(), base + 2, &mine).await;
}

/// `mine` are the options of a client that the server trusts.
async fn http_shows_its_status_over_tls(folder: &Path, port: u16, mine: &[&str]) {
    let http = format!("--to=127.0.0.1:{port}");
    let status = async |more: &[&str]| {
        let arguments = [&["status", &http], more].concat();
        herd(&arguments).in_folder(folder).run().await
    };
    // Its neighbour does not run, which is the only trouble.
    let (code, output) = status(mine).await;
    assert_eq!(code, 1, "{output}");
    assert!(output.contains("barn"), "{output}");
    for more in [
        &mine[..1],
        &[],
        &["--tls"],
        &[mine, &["--tls-name=field"]].concat()[..],
    ] {
        let (code, output) = status(more).await;
        assert_eq!(code, 69, "{more:?}: {output}");
    }
}

#[tokio::test]
async fn more_hosts_are_in_certificates_and_stay_when_renewed() {
    let folder = folder();
    let arguments = ["new", "--host=herd.herd.svc", "--host=192.0.2.9"];
    let (code, output) = certs(folder.path(), &arguments).await;
    assert_eq!(code, 0, "{output}");
    let certificate = folder.path().join("certs/barn.cert.pem");
    let has_hosts = || {
        let facts = herd_tls::folder::CertificateFolder::new(certificate.parent().unwrap());
        facts.facts("barn").unwrap().unwrap().hosts
    };
    let hosts = ["127.0.0.1", "herd.herd.svc", "192.0.2.9"];
    assert_eq!(has_hosts(), hosts);
    let before = std::fs::read(&certificate).unwrap();
    let (code, output) = certs(folder.path(), &["renew", "--host=more"]).await;
    assert_eq!(code, 0, "{output}");
    assert_ne!(std::fs::read(&certificate).unwrap(), before);
    assert_eq!(
        has_hosts(),
        ["127.0.0.1", "more", "herd.herd.svc", "192.0.2.9"]
    );
    let (code, output) = certs(folder.path(), &["renew", "--host=herd:12000"]).await;
    assert_eq!(code, 64, "{output}");
}
