//! What a hello says against what a certificate says.

use std::sync::Arc;

use herd_clock::clock::{SharedClock, SystemClock, WallClock as _};
use herd_gossip::entropy::Entropy;
use herd_gossip::link::frame::framed;
use herd_gossip::link::handshake::{Agreement, answer, initiate};
use herd_gossip::link::handshake_error::HandshakeError;
use herd_gossip::link::offer::Layout;
use herd_gossip::link::refusal::RefusalReason;
use herd_gossip::links::{HerdView, Links};
use herd_gossip::neighbour::NeighbourConfig;
use herd_tls::Side;
use herd_tls::authority::Authority;
use herd_tls::link::{LinkCredentials, LinkMaterial, LinkSource};
use herd_tls::name::LinkName;
use herd_tls::reload::Live;

const BYTES: usize = 64 * 1024;

fn now_s() -> i64 {
    SystemClock.now_ns() / 1_000_000_000
}

/// A server that calls itself `me`, and has the two others for neighbours.
fn links(me: &str) -> Arc<Links> {
    let servers = ["Hill", "Smith", "Campbell"];
    let others = servers.iter().filter(|name| **name != me);
    let neighbours = others.map(|name| NeighbourConfig {
        name: (*name).into(),
        address: "127.0.0.1:1".to_owned(),
        dials: true,
    });
    let view = HerdView {
        cluster: "test".to_owned(),
        me: me.into(),
        servers: servers.map(Into::into).into(),
        neighbours: neighbours.collect(),
    };
    let entropy = Entropy::new(Arc::new(SystemClock), 0);
    Arc::new(Links::new(view, entropy, None))
}

/// The certificate of a server of a cluster.
fn certificate(authority: &Authority, cluster: &str, server: &str) -> Arc<LinkCredentials> {
    let name = LinkName::new(cluster, server);
    let issued = authority.issue(&name, &[], now_s(), 90).unwrap();
    let material = LinkMaterial {
        source: LinkSource::Text(issued.with_authority(authority).into()),
        cluster: cluster.to_owned(),
        server: server.to_owned(),
    };
    let clock: SharedClock = Arc::new(SystemClock);
    LinkCredentials::new(Live::load(material, clock.clone()).unwrap(), clock)
}

/// What comes of it when a server that calls itself `from`, with this certificate, connects to `to`.
async fn shake(
    (from, its): (&Links, &Arc<LinkCredentials>),
    (to, theirs): (&Links, &Arc<LinkCredentials>),
) -> (
    Result<Agreement, HandshakeError>,
    Result<Agreement, HandshakeError>,
) {
    let (near, far) = tokio::io::duplex(BYTES);
    let dialling = async {
        let (stream, peer) = its.secure(near, Side::Dialled).await?;
        let neighbour = from.neighbour(&to.view.me).unwrap();
        initiate(
            &mut framed(stream),
            from,
            neighbour,
            Some(peer),
            Layout::Ranged,
        )
        .await
    };
    let accepting = async {
        let (stream, peer) = theirs.secure(far, Side::Accepted).await?;
        answer(&mut framed(stream), to, Some(peer)).await
    };
    tokio::join!(dialling, accepting)
}

#[tokio::test]
async fn who_is_who_it_says_is_let_in() {
    let authority = Authority::make("test", now_s(), 365).unwrap();
    let (hill, smith) = (links("Hill"), links("Smith"));
    let hills = certificate(&authority, "test", "Hill");
    let smiths = certificate(&authority, "test", "Smith");
    let (dialled, accepted) = shake((&hill, &hills), (&smith, &smiths)).await;
    assert_eq!(&*dialled.unwrap().incarnation.server, "Smith");
    assert_eq!(&*accepted.unwrap().incarnation.server, "Hill");
}

/// It has a certificate of the right authority, for another server or another herd.
#[tokio::test]
async fn a_stolen_name_is_refused_by_the_side_that_accepts() {
    let authority = Authority::make("test", now_s(), 365).unwrap();
    let smiths = certificate(&authority, "test", "Smith");
    let strange = ", and so for no neighbour of this server";
    for (cluster, server, who, end) in [
        ("test", "Campbell", " \"Hill\"", ""),
        ("test", "Smith", "", strange),
        ("other", "Hill", "", strange),
    ] {
        let (hill, smith) = (links("Hill"), links("Smith"));
        let stolen = certificate(&authority, cluster, server);
        let (dialled, accepted) = shake((&hill, &stolen), (&smith, &smiths)).await;
        let told = accepted.unwrap_err().to_string();
        assert_eq!(
            told,
            format!("refused{who}: its certificate is for herd://{cluster}/{server}{end}")
        );
        assert!(
            matches!(
                dialled,
                Err(HandshakeError::RefusedByOther(Some(
                    RefusalReason::Certificate
                )))
            ),
            "{dialled:?}"
        );
        // Nothing of what the impostor said is remembered.
        assert_eq!(smith.known_generation("Hill"), 0);
    }
}

#[tokio::test]
async fn an_impostor_that_is_dialled_is_told_nothing() {
    let authority = Authority::make("test", now_s(), 365).unwrap();
    let (hill, smith) = (links("Hill"), links("Smith"));
    let hills = certificate(&authority, "test", "Hill");
    let campbells = certificate(&authority, "test", "Campbell");
    let (dialled, accepted) = shake((&hill, &hills), (&smith, &campbells)).await;
    let told = dialled.unwrap_err().to_string();
    assert_eq!(
        told,
        "refused \"Smith\": its certificate is for herd://test/Campbell"
    );
    assert!(
        matches!(accepted, Err(HandshakeError::Ended(_))),
        "{accepted:?}"
    );
}

/// A certificate that a client of the client port has is good for no link.
#[tokio::test]
async fn a_client_is_no_server() {
    let authority = Authority::make("test", now_s(), 365).unwrap();
    let issued = authority.issue_client("kiwi", now_s(), 90).unwrap();
    let material = LinkMaterial {
        source: LinkSource::Text(issued.with_authority(&authority).into()),
        cluster: "test".to_owned(),
        server: "Hill".to_owned(),
    };
    let clock: SharedClock = Arc::new(SystemClock);
    let errors = Live::load(material, clock).unwrap_err();
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(
        told[0].contains("is for no server, and this server is"),
        "{told:?}"
    );
}
