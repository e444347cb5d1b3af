//! Certificates in memory: accepted ones, and the faults of the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use super::authority::Authority;
use super::link::{LinkCredentials, LinkMaterial, LinkSource};
use super::name::LinkName;
use super::reload::{Live, Material as _};
use super::{Peer, Side, TlsFault};
use herd_clock::clock::{SharedClock, WallClock};

/// 2027-01-15, in seconds.
const NOW_S: i64 = 1_800_000_000;
const DAY_S: i64 = 24 * 3_600;

struct TestClock(AtomicI64);

impl TestClock {
    fn at(seconds: i64) -> Arc<Self> {
        Arc::new(TestClock(AtomicI64::new(seconds)))
    }

    fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

impl WallClock for TestClock {
    fn now_ns(&self) -> i64 {
        self.0.load(Ordering::SeqCst) * 1_000_000_000
    }
}

fn authority() -> Authority {
    Authority::make("test", NOW_S, 3_650).unwrap()
}

/// The credentials of a server, with a certificate by `signer` and trust in `trusted`.
fn text(signer: &Authority, trusted: &Authority, server: &str, days: u32) -> String {
    let name = LinkName::new("test", server);
    let issued = signer.issue(&name, &[], NOW_S, days).unwrap();
    issued.with_authority(trusted)
}

fn material(text: &str, server: &str) -> LinkMaterial {
    LinkMaterial {
        source: LinkSource::Text(text.into()),
        cluster: "test".to_owned(),
        server: server.to_owned(),
    }
}

fn credentials(authority: &Authority, server: &str, clock: &SharedClock) -> Arc<LinkCredentials> {
    let material = material(&text(authority, authority, server, 90), server);
    let live = Live::load(material, clock.clone()).unwrap();
    LinkCredentials::new(live, clock.clone())
}

/// The verdict of each side on the other: first that of the side that dialled. The dialler says a word, since only
/// the answer shows whether its certificate was taken.
async fn meet(
    dialler: &Arc<LinkCredentials>,
    listener: &Arc<LinkCredentials>,
) -> (Result<Peer, TlsFault>, Result<Peer, TlsFault>) {
    let (near, far) = duplex(64 * 1024);
    let dialling = async {
        let (mut stream, peer) = dialler.secure(near, Side::Dialled).await?;
        let mut word = [0; 4];
        let heard = stream.read_exact(&mut word).await;
        heard.map_err(|error| super::fault::handshake_fault(&error))?;
        Ok(peer)
    };
    let listening = async {
        let (mut stream, peer) = listener.secure(far, Side::Accepted).await?;
        stream.write_all(b"word").await.unwrap();
        stream.flush().await.unwrap();
        Ok(peer)
    };
    tokio::join!(dialling, listening)
}

#[tokio::test]
async fn both_sides_learn_each_others_names() {
    let clock: SharedClock = TestClock::at(NOW_S);
    let authority = authority();
    let hill = credentials(&authority, "Hill", &clock);
    let smith = credentials(&authority, "Smith", &clock);
    let (seen_by_hill, seen_by_smith) = meet(&hill, &smith).await;
    let (smith, hill) = (seen_by_hill.unwrap(), seen_by_smith.unwrap());
    assert!(smith.is("test", "Smith") && hill.is("test", "Hill"));
    for (cluster, server) in [
        ("test", "Hill"),
        ("other", "Smith"),
        ("test", "smith"),
        ("test", ""),
    ] {
        assert!(!smith.is(cluster, server), "{cluster}/{server}");
    }
    assert_eq!(hill.names_shown(), "herd://test/Hill");
}

#[tokio::test]
async fn another_authority_is_refused_by_either_side() {
    let clock: SharedClock = TestClock::at(NOW_S);
    let (ours, theirs) = (authority(), authority());
    let hill = credentials(&ours, "Hill", &clock);
    let stranger = credentials(&theirs, "Smith", &clock);
    let (seen, _) = meet(&hill, &stranger).await;
    assert_eq!(seen.unwrap_err(), TlsFault::UnknownAuthority);
    // One that trusts us, so that we are the one to refuse.
    let trusting = text(&theirs, &ours, "Smith", 90);
    let me = LinkName::new("test", "Smith");
    let errors =
        material(&trusting, "Smith").prepare(&material(&trusting, "Smith").read().unwrap(), &clock);
    let errors = errors.unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?} {me}");
    assert!(
        errors[0]
            .to_string()
            .contains("authority that this server does not trust")
    );
    let (_, seen) = meet(&stranger, &hill).await;
    assert!(seen.is_err());
}

#[tokio::test]
async fn an_expired_certificate_is_refused_and_its_link_cut() {
    let clock = TestClock::at(NOW_S);
    let shared: SharedClock = clock.clone();
    let behind: SharedClock = TestClock::at(NOW_S);
    let authority = authority();
    let hill = credentials(&authority, "Hill", &shared);
    // Its clock stands still, so it takes its own certificate for good.
    let smith = credentials(&authority, "Smith", &behind);
    let (seen, _) = meet(&hill, &smith).await;
    let peer = seen.unwrap();
    tokio::time::pause();
    let cut = tokio::spawn(async move { peer.distrusted().await });
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert!(!cut.is_finished());
    clock.set(NOW_S + 91 * DAY_S);
    assert_eq!(cut.await.unwrap(), TlsFault::Expired);
    let (seen, _) = meet(&hill, &smith).await;
    assert_eq!(seen.unwrap_err(), TlsFault::Expired);
    let (_, seen) = meet(&smith, &hill).await;
    assert!(matches!(
        seen.unwrap_err(),
        TlsFault::Expired | TlsFault::RefusedByOther(_)
    ));
    // And one of the future.
    clock.set(NOW_S - DAY_S);
    let (seen, _) = meet(&hill, &smith).await;
    assert_eq!(seen.unwrap_err(), TlsFault::NotYetValid);
}

#[tokio::test]
async fn bytes_that_are_not_tls_are_told_apart() {
    let clock: SharedClock = TestClock::at(NOW_S);
    let hill = credentials(&authority(), "Hill", &clock);
    let (mut near, far) = duplex(1024);
    // The start of a frame.
    near.write_all(&[0, 0, 0, 40, 1, 1, 4, b't', b'e', b's', b't'])
        .await
        .unwrap();
    let fault = hill.secure(far, Side::Accepted).await.unwrap_err();
    assert_eq!(fault, TlsFault::NotTls);
    let (near, far) = duplex(1024);
    drop(near);
    let fault = hill.secure(far, Side::Dialled).await.unwrap_err();
    assert_eq!(fault, TlsFault::Ended);
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let clock: SharedClock = TestClock::at(NOW_S + 100 * DAY_S);
    let (ours, other) = (authority(), authority());
    let smith = text(&ours, &ours, "Smith", 90);
    let foreign_key = text(&other, &other, "Smith", 90);
    let key = |text: &str| {
        let start = text.find("-----BEGIN PRIVATE").unwrap();
        let end = text.find("-----END PRIVATE KEY-----").unwrap();
        text[start..end].to_owned()
    };
    let mixed = smith.replace(&key(&smith), &key(&foreign_key));
    let told = |text: &str, server: &str| -> Vec<String> {
        let errors = Live::load(material(text, server), clock.clone()).unwrap_err();
        errors.iter().map(ToString::to_string).collect()
    };
    let all = told(&mixed, "Hill");
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(all[0].contains("expired on 2027-04-15"), "{all:?}");
    assert!(all[1].contains("is for herd://test/Smith, and this server is herd://test/Hill"));
    assert!(all[2].contains("is not the private key of"), "{all:?}");
    assert_eq!(told("", "Hill").len(), 1);
}

#[test]
fn a_certificate_does_not_outlive_its_authority() {
    let authority = Authority::make("test", NOW_S, 10).unwrap();
    let name = LinkName::new("test", "Hill");
    let issued = authority.issue(&name, &[], NOW_S, 365).unwrap();
    assert_eq!(issued.expires_s, NOW_S + 10 * DAY_S);
    assert_eq!(authority.expires_s(), issued.expires_s);
}
