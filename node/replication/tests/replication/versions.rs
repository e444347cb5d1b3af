//! Handshakes with servers of other link protocols, byte for byte: the former one, and later ones.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use herd_crdt::codec;
use herd_gossip::link::closed_counts::ClosedReason;
use herd_gossip::link::frame::{FrameStream, framed};
use herd_gossip::link::handshake::{Agreement, answer, initiate};
use herd_gossip::link::handshake_error::HandshakeError;
use herd_gossip::link::offer::{Features, Layout, NoCommonVersion, Offer, Protocol, VersionRange};
use herd_gossip::links::Links;
use tokio::io::DuplexStream;

use super::handshake::links;

const BYTES: usize = 64 * 1024;

/// What servers of the former program say to a hello that they cannot read.
const FORMER_REFUSAL: &[u8] = b"\x02\x01\x00";

/// This server, a neighbour of Hill.
fn smith() -> Arc<Links> {
    links("herd", "Smith", "Hill", 7)
}

/// The frame of a hello of Hill to Smith, which begins with `start`.
fn hello_of_hill(start: &[u8]) -> Vec<u8> {
    [&[1], start, b"\x04herd\x04Hill\x05Smith\x05\x00"].concat()
}

/// The frame of a hello of `smith` to Hill, which begins with `start`.
fn hello_of_smith(start: &[u8], smith: &Links, known_of_hill: u64) -> Vec<u8> {
    let mut hello = [&[1], start, b"\x04herd\x05Smith\x04Hill"].concat();
    let generations = (smith.incarnation().generation, known_of_hill);
    codec::encode_into(&generations, &mut hello).unwrap();
    hello
}

type Shaken = Result<Agreement, HandshakeError>;

/// Hill connects to Smith and says `asked`; what came of it there, and Smith's frame.
async fn asked_by_hill(smith: &Links, asked: Vec<u8>) -> (Shaken, Vec<u8>) {
    let (near, far) = tokio::io::duplex(BYTES);
    let (mut near, mut far) = (framed(near), framed(far));
    tokio::join!(answer(&mut far, smith, None), say(&mut near, asked))
}

async fn say(frames: &mut FrameStream<DuplexStream>, said: Vec<u8>) -> Vec<u8> {
    frames.send(Bytes::from(said)).await.unwrap();
    frames.next().await.unwrap().unwrap().to_vec()
}

/// Smith connects to Hill, asks in `layout` and is answered with `answered`; what came of it there, and Smith's frame.
async fn answered_by_hill(smith: &Links, layout: Layout, answered: Vec<u8>) -> (Shaken, Vec<u8>) {
    let (near, far) = tokio::io::duplex(BYTES);
    let (mut near, mut far) = (framed(near), framed(far));
    let hill = async {
        let asked = far.next().await.unwrap().unwrap().to_vec();
        far.send(Bytes::from(answered)).await.unwrap();
        asked
    };
    let initiating = initiate(&mut near, smith, &smith.neighbours()[0], None, layout);
    tokio::join!(initiating, hill)
}

fn no_common(own: (u16, u16), theirs: Option<(u16, u16)>) -> NoCommonVersion {
    let range = |(oldest, newest)| VersionRange::new(oldest, newest).unwrap();
    NoCommonVersion {
        own: range(own),
        theirs: theirs.map(range),
    }
}

const FORMER: Protocol = Protocol {
    version: 1,
    features: Features::NONE,
};

const PRESENT: Protocol = Protocol {
    version: 2,
    features: Features::NONE,
};

#[tokio::test]
async fn a_former_server_is_answered_in_its_own_bytes() {
    let smith = smith();
    let (shaken, answered) = asked_by_hill(&smith, hello_of_hill(b"\x01")).await;
    assert_eq!(shaken.unwrap().protocol, FORMER);
    assert_eq!(answered, hello_of_smith(b"\x01", &smith, 5));
}

#[tokio::test]
async fn a_former_server_is_refused_in_a_layout_that_it_reads() {
    let stranger = [&[1, 1], &b"\x05other\x04Hill\x05Smith\x05\x00"[..]].concat();
    let (shaken, answered) = asked_by_hill(&smith(), stranger).await;
    assert!(
        matches!(shaken, Err(HandshakeError::Refused { .. })),
        "{shaken:?}"
    );
    assert_eq!(answered, b"\x02\x02\x00");
}

#[tokio::test]
async fn a_former_server_is_asked_again_in_its_own_bytes() {
    let smith = smith();
    let refused = answered_by_hill(&smith, Layout::Ranged, FORMER_REFUSAL.to_vec()).await;
    assert!(
        matches!(refused.0, Err(HandshakeError::SpeaksFormer)),
        "{refused:?}"
    );
    assert_eq!(refused.1, hello_of_smith(b"\x02\x01\x02\x00", &smith, 0));
    let (shaken, asked) = answered_by_hill(&smith, Layout::Former, hello_of_hill(b"\x01")).await;
    assert_eq!(shaken.unwrap().protocol, FORMER);
    assert_eq!(asked, hello_of_smith(b"\x01", &smith, 0));
    // Whoever does not read the former layout either is not asked a third time.
    let (refused, _) = answered_by_hill(&smith, Layout::Former, FORMER_REFUSAL.to_vec()).await;
    assert!(
        matches!(refused, Err(HandshakeError::RefusedByOther(_))),
        "{refused:?}"
    );
}

/// Versions 2 to 9, features that nobody knows here, and bytes behind.
#[tokio::test]
async fn of_a_later_server_the_part_that_is_known_counts() {
    let smith = smith();
    let mut later = hello_of_hill(b"\x02\x02\x09\x2b");
    later.extend(b"and more");
    let (shaken, answered) = asked_by_hill(&smith, later.clone()).await;
    assert_eq!(shaken.unwrap().protocol, PRESENT);
    assert_eq!(answered, hello_of_smith(b"\x02\x01\x02\x00", &smith, 5));
    let (shaken, _) = answered_by_hill(&smith, Layout::Ranged, later).await;
    assert_eq!(shaken.unwrap().protocol, PRESENT);
}

#[tokio::test]
async fn servers_without_a_common_version_say_their_ranges() {
    let smith = smith();
    let apart = no_common((1, 2), Some((3, 9)));
    let (refused, answered) = asked_by_hill(&smith, hello_of_hill(b"\x02\x03\x09\x00")).await;
    let Err(refused @ HandshakeError::NoCommonVersion(found)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(found, apart);
    assert_eq!(ClosedReason::of(&refused), ClosedReason::Refused);
    assert_eq!(
        answered, b"\x02\x01\x00\x01\x02",
        "the reason, and versions 1 to 2"
    );
    let told = b"\x02\x01\x00\x03\x09and more".to_vec();
    let (refused, _) = answered_by_hill(&smith, Layout::Ranged, told).await;
    assert!(
        matches!(refused, Err(HandshakeError::NoCommonVersion(found)) if found == apart),
        "{refused:?}"
    );
    // It may also answer before it has looked at the versions.
    let answered = answered_by_hill(&smith, Layout::Ranged, hello_of_hill(b"\x02\x03\x09\x00"));
    let (refused, _) = answered.await;
    assert!(
        matches!(refused, Err(HandshakeError::NoCommonVersion(found)) if found == apart),
        "{refused:?}"
    );
}

/// A later program speaks version 1 no more.
#[tokio::test]
async fn a_former_server_is_refused_in_its_own_bytes_by_a_later_one() {
    let smith = smith();
    smith.set_offer(Offer {
        versions: VersionRange::new(2, 9).unwrap(),
        features: Features::NONE,
    });
    let (refused, answered) = asked_by_hill(&smith, hello_of_hill(b"\x01")).await;
    assert!(
        matches!(refused, Err(HandshakeError::NoCommonVersion(found)) if found == no_common((2, 9), Some((1, 1)))),
        "{refused:?}"
    );
    assert_eq!(answered, FORMER_REFUSAL);
}

/// Only the first byte of such a hello can be relied on.
#[tokio::test]
async fn a_hello_in_a_later_layout_is_told_what_is_read_here() {
    let (refused, answered) = asked_by_hill(&smith(), b"\x01\x03\xff\xff".to_vec()).await;
    assert!(
        matches!(refused, Err(HandshakeError::NoCommonVersion(found)) if found == no_common((1, 2), None)),
        "{refused:?}"
    );
    assert_eq!(answered, b"\x02\x01\x00\x01\x02");
}

#[tokio::test]
async fn an_answer_in_another_layout_is_refused() {
    for (layout, start) in [
        (Layout::Ranged, &b"\x01"[..]),
        (Layout::Former, b"\x02\x01\x02\x00"),
    ] {
        let (refused, _) = answered_by_hill(&smith(), layout, hello_of_hill(start)).await;
        assert!(
            matches!(refused, Err(HandshakeError::OtherLayout)),
            "{refused:?}"
        );
    }
}
