//! What is pushed, and that chitchat takes it as `herd_replica::push` says.

use std::sync::Arc;

use chitchat::ChitchatMessage;
use herd_crdt::group::GroupFormat;
use herd_crdt::group::empty_group;
use herd_crdt::{SlotGroup, SlotId};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::engine::Engine;
use crate::entropy::Entropy;
use crate::incarnation::Incarnation;
use crate::link::offer::Offer;
use crate::links::{HerdView, Links};
use crate::neighbour::NeighbourConfig;
use herd_clock::clock::SystemClock;
use herd_replica::changes::{Change, Changes};
use herd_replica::report::{Applied, AppliedReport};

/// A server of two that are linked; messages go over when the test says so.
struct Side {
    links: Arc<Links>,
    engine: Engine,
}

impl Side {
    async fn start(me: &str, other: &str) -> Side {
        let config = NeighbourConfig {
            name: other.into(),
            address: other.to_owned(),
            dials: true,
        };
        let view = HerdView {
            cluster: "pair".to_owned(),
            me: me.into(),
            servers: vec![me.into(), other.into()],
            neighbours: vec![config],
        };
        let entropy = Entropy::new(Arc::new(SystemClock), 1);
        let links = Arc::new(Links::new(view, entropy, None));
        let protocol = Offer::PRESENT.agree(Offer::PRESENT).unwrap();
        links.neighbours()[0].connected(&incarnation(other), protocol, CancellationToken::new());
        let engine = Engine::start(incarnation(me), &links, GroupFormat::PRESENT)
            .await
            .expect("it starts");
        Side { links, engine }
    }

    /// Takes the next message for the other side.
    async fn message(&self) -> ChitchatMessage {
        self.links.neighbours()[0].outbound.pop().await
    }

    async fn take(&self, message: ChitchatMessage) {
        let from = self.links.neighbours()[0].gossip_address;
        self.links.inbox.hand_in(from, message).await;
    }

    /// A whole round with the other side.
    async fn round(&self, other: &Side) {
        let neighbour = &self.links.neighbours()[0];
        self.engine.begin_round(&neighbour.config.name).await;
        other.take(self.message().await).await;
        self.take(other.message().await).await;
        other.take(self.message().await).await;
        // What came before is processed when this is answered.
        let neighbour = &other.links.neighbours()[0];
        other.engine.begin_round(&neighbour.config.name).await;
        self.take(other.message().await).await;
        other.take(self.message().await).await;
        self.take(other.message().await).await;
    }

    async fn set(&self, slot: u32) {
        let group = empty_group();
        let slot = SlotId(slot);
        self.engine.set_groups(&[SlotGroup { slot, group }]).await;
    }

    /// What the other side is pushed, should it have this.
    async fn pushed(&self, presumed: &AppliedReport) -> ChitchatMessage {
        let version = |incarnation: &_| presumed.get(incarnation).map(|applied| applied.merged);
        let comparison = self.engine.compare(version).await.expect("it knows of all");
        assert!(comparison.has_news());
        self.take(syn_ack(&comparison).expect("few nodes")).await;
        self.message().await
    }
}

fn report_of(changes: &Changes) -> AppliedReport {
    AppliedReport::new(changes.versions.iter().map(|(incarnation, merged)| {
        let merged = *merged;
        (incarnation.clone(), Applied { merged, durable: 0 })
    }))
}

fn slots(changes: &Changes) -> Vec<u32> {
    let of = |(_, change): &(_, Change)| match change {
        Change::Group { slot, .. } => Some(slot.0),
        _ => None,
    };
    changes.changes.iter().filter_map(of).collect()
}

/// Two that have had a round, and what Smith has.
async fn pair() -> (Side, Side, AppliedReport) {
    let (hill, smith) = tokio::join!(Side::start("Hill", "Smith"), Side::start("Smith", "Hill"));
    hill.set(0).await;
    hill.round(&smith).await;
    let taken = smith.engine.take_changes().await;
    assert_eq!(slots(&taken), [0]);
    (hill, smith, report_of(&taken))
}

#[tokio::test]
async fn what_is_pushed_arrives_in_one_message() {
    let (hill, smith, report) = pair().await;
    hill.set(1).await;
    let message = hill.pushed(&report).await;
    assert!(
        matches!(message, ChitchatMessage::Ack { .. }),
        "{message:?}"
    );
    smith.take(message).await;
    let taken = loop {
        // The round before may have left a word of its changes.
        smith.engine.changed().await;
        let taken = smith.engine.take_changes().await;
        if !slots(&taken).is_empty() {
            break taken;
        }
    };
    assert_eq!(slots(&taken), [1]);
}

#[tokio::test]
async fn a_push_of_what_came_by_another_way_changes_nothing() {
    let (hill, smith, report) = pair().await;
    hill.set(1).await;
    let message = hill.pushed(&report).await;
    hill.round(&smith).await;
    assert_eq!(slots(&smith.engine.take_changes().await), [1]);
    smith.take(message).await;
    hill.round(&smith).await;
    assert_eq!(slots(&smith.engine.take_changes().await), [0_u32; 0]);
}

/// However the push before it got lost.
#[tokio::test]
async fn a_push_that_presumes_too_much_is_made_good_by_a_round() {
    let (hill, smith, report) = pair().await;
    hill.set(1).await;
    let lost = hill.pushed(&report).await;
    drop(lost);
    let presumed = report_of(&hill.engine.take_changes().await);
    hill.set(2).await;
    let message = hill.pushed(&presumed).await;
    smith.take(message).await;
    smith.round(&hill).await;
    let taken = smith.engine.take_changes().await;
    assert_eq!(slots(&taken), [1, 2], "in order, as the round brought them");
    assert_eq!(
        report_of(&taken).of(&incarnation("Hill")),
        report_of(&hill.engine.take_changes().await).of(&incarnation("Hill"))
    );
}

/// The digest says that the neighbour deleted nothing, and that nobody is alive.
#[tokio::test]
async fn a_push_neither_resets_what_is_buried_nor_counts_as_life() {
    let (hill, smith, report) = pair().await;
    let smith_at_hill = async || {
        let sightings = hill.engine.sightings().await;
        let smith = sightings
            .into_iter()
            .find(|s| s.incarnation == incarnation("Smith"));
        smith.expect("Hill knows Smith")
    };
    smith.set(0).await;
    smith.round(&hill).await;
    assert!(smith_at_hill().await.holds_slots);
    hill.engine.bury(&incarnation("Smith")).await;
    let before = smith_at_hill().await;
    assert!(!before.holds_slots);
    hill.set(1).await;
    let mut presumed: Vec<_> = report
        .iter()
        .map(|(i, applied)| (i.clone(), applied))
        .collect();
    // Behind what Hill has buried.
    presumed.retain(|(incarnation, _)| *incarnation.server == *"Hill");
    presumed.push((incarnation("Smith"), Applied::default()));
    let message = hill.pushed(&AppliedReport::new(presumed)).await;
    assert_eq!(smith_at_hill().await.heartbeat, before.heartbeat);
    smith.take(message).await;
    smith.round(&hill).await;
    let taken = smith.engine.take_changes().await;
    assert_eq!(slots(&taken), [1], "of Hill, and Smith still has its own");
    let version = |changes: &Changes| report_of(changes).of(&incarnation("Smith")).merged;
    assert_eq!(version(&taken), smith_at_hill().await.max_version);
    assert!(!smith_at_hill().await.holds_slots);
}

/// Whoever has never heard of an incarnation could not take what it publishes.
#[tokio::test]
async fn who_has_never_heard_of_an_incarnation_is_not_pushed_to() {
    let (hill, _smith, _) = pair().await;
    hill.set(1).await;
    let only_smith = report(&[("Smith", 1)]);
    let version = |incarnation: &_| only_smith.get(incarnation).map(|applied| applied.merged);
    assert!(hill.engine.compare(version).await.is_none());
}

fn incarnation(server: &str) -> Incarnation {
    Incarnation {
        server: server.into(),
        generation: 7,
    }
}

fn report(versions: &[(&str, u64)]) -> AppliedReport {
    AppliedReport::new(versions.iter().map(|&(server, merged)| {
        let applied = Applied { merged, durable: 0 };
        (incarnation(server), applied)
    }))
}
