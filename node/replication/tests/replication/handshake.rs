//! Who is let in at the other end of a link, and who is told why not.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use herd_clock::clock::WallClock;
use herd_gossip::entropy::Entropy;
use herd_gossip::link::frame::{Frame, framed};
use herd_gossip::link::handshake::{Agreement, answer, initiate};
use herd_gossip::link::handshake_error::HandshakeError;
use herd_gossip::link::hello::Hello;
use herd_gossip::link::offer::{Layout, Offer};
use herd_gossip::link::refusal::{Refusal, RefusalReason};
use herd_gossip::links::{HerdView, Links};
use herd_gossip::neighbour::NeighbourConfig;

const BYTES: usize = 64 * 1024;

/// `second` is the clock at its start, which its generation is made from.
pub(super) fn links(cluster: &str, me: &str, neighbour: &str, second: i64) -> Arc<Links> {
    let neighbours = vec![NeighbourConfig {
        name: neighbour.into(),
        address: "127.0.0.1:1".to_owned(),
        dials: true,
    }];
    let view = HerdView {
        cluster: cluster.to_owned(),
        me: me.into(),
        servers: vec![me.into(), neighbour.into()],
        neighbours,
    };
    let entropy = Entropy::new(Arc::new(Stopped(second * 1_000_000_000)), 0);
    Arc::new(Links::new(view, entropy, None))
}

/// A clock that stands still.
struct Stopped(i64);

impl WallClock for Stopped {
    fn now_ns(&self) -> i64 {
        self.0
    }
}

/// Shakes hands between `from`, which connects to its neighbour, and `to`.
async fn shake(
    from: &Links,
    to: &Links,
) -> (
    Result<Agreement, HandshakeError>,
    Result<Agreement, HandshakeError>,
) {
    let (near, far) = tokio::io::duplex(BYTES);
    let (mut near, mut far) = (framed(near), framed(far));
    tokio::join!(
        initiate(&mut near, from, &from.neighbours()[0], None, Layout::Ranged),
        answer(&mut far, to, None)
    )
}

async fn refused(from: &Links, to: &Links) -> RefusalReason {
    match shake(from, to).await {
        (
            Err(HandshakeError::RefusedByOther(Some(told))),
            Err(HandshakeError::Refused { reason, .. }),
        ) => {
            assert_eq!(told, reason);
            reason
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn two_neighbours_agree() {
    let (hill, smith) = (
        links("herd", "Hill", "Smith", 5),
        links("herd", "Smith", "Hill", 7),
    );
    let (near, far) = shake(&hill, &smith).await;
    assert_eq!(near.unwrap().incarnation, smith.incarnation());
    assert_eq!(far.unwrap().incarnation, hill.incarnation());
    assert_eq!(
        smith.known_generation("Hill"),
        hill.incarnation().generation
    );
    assert_eq!(
        hill.known_generation("Smith"),
        smith.incarnation().generation
    );
}

#[tokio::test]
async fn who_does_not_belong_is_told_so() {
    let smith = links("herd", "Smith", "Hill", 7);
    let stranger = links("other", "Hill", "Smith", 5);
    assert_eq!(refused(&stranger, &smith).await, RefusalReason::Cluster);
    let lost = links("herd", "Hill", "Jaquez", 5);
    assert_eq!(refused(&lost, &smith).await, RefusalReason::WrongServer);
    let campbell = links("herd", "Campbell", "Smith", 5);
    assert_eq!(
        refused(&campbell, &smith).await,
        RefusalReason::NotNeighbour
    );
}

#[tokio::test]
async fn the_dialling_server_refuses_another_server_than_expected() {
    // Jaquez answers where Hill expects Smith, and takes itself for Smith's stand-in.
    let hill = links("herd", "Hill", "Smith", 5);
    let (near, far) = tokio::io::duplex(BYTES);
    let (mut near, mut far) = (framed(near), framed(far));
    let impostor = async {
        far.next().await.unwrap().unwrap();
        let hello = Hello {
            layout: Layout::Ranged,
            offer: Offer::PRESENT,
            cluster: "herd".to_owned(),
            from: "Jaquez".to_owned(),
            to: "Hill".to_owned(),
            generation: 1,
            known_of_other: 0,
        };
        far.send(Frame::Hello(hello).encode().unwrap())
            .await
            .unwrap();
    };
    let (outcome, ()) = tokio::join!(
        initiate(
            &mut near,
            &hill,
            &hill.neighbours()[0],
            None,
            Layout::Ranged
        ),
        impostor
    );
    assert!(matches!(
        outcome,
        Err(HandshakeError::Refused {
            reason: RefusalReason::NotNeighbour,
            ..
        })
    ));
}

#[tokio::test]
async fn garbage_is_no_handshake() {
    let smith = links("herd", "Smith", "Hill", 7);
    for garbage in [
        vec![],
        vec![0],
        vec![99, 1, 2],
        vec![1],
        vec![1, 1, 0xff],
        vec![3, 0, 0],
    ] {
        let (near, far) = tokio::io::duplex(BYTES);
        let (mut near, mut far) = (framed(near), framed(far));
        near.send(Bytes::from(garbage.clone())).await.unwrap();
        drop(near);
        let outcome = answer(&mut far, &smith, None).await;
        assert!(outcome.is_err(), "{garbage:?}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_no_handshake() {
    let smith = links("herd", "Smith", "Hill", 7);
    let (_near, far) = tokio::io::duplex(BYTES);
    let outcome = answer(&mut framed(far), &smith, None).await;
    assert!(matches!(outcome, Err(HandshakeError::TimedOut)));
}

/// It would end a server, or make it take a new incarnation: who connects has nothing to refuse yet.
#[tokio::test]
async fn a_refusal_from_who_connects_is_not_believed() {
    let smith = links("herd", "Smith", "Hill", 1_000);
    let generation = smith.incarnation().generation;
    let refusal = Frame::Refusal(Refusal {
        reason: Some(RefusalReason::Superseded),
        known_of_other: generation + 1,
        speaks: None,
    });
    let (near, far) = tokio::io::duplex(BYTES);
    let mut near = framed(near);
    near.send(refusal.encode().unwrap()).await.unwrap();
    let outcome = answer(&mut framed(far), &smith, None).await;
    assert!(
        matches!(outcome, Err(HandshakeError::NotHello)),
        "{outcome:?}"
    );
}
