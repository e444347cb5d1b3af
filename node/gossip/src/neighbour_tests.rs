//! The queue of a link.

use std::sync::atomic::Ordering;

use super::*;
use crate::link::crossing::Dialling;
use crate::link::offer::Offer;

#[test]
fn a_stuck_link_drops_and_counts_its_oldest_messages() {
    let name: ServerName = "Smith".into();
    let config = NeighbourConfig {
        address: name.to_string(),
        name: name.clone(),
        leads: true,
    };
    let neighbour = Neighbour::new(config, "[::1]:1".parse().unwrap());
    assert!(!neighbour.offer(ChitchatMessage::BadCluster));
    assert_eq!(neighbour.counts.messages_dropped.load(Ordering::Relaxed), 1);
    let incarnation = Incarnation {
        server: name,
        generation: 1,
    };
    neighbour.linked_to(&incarnation);
    let before = marks::count(Mark::OldestDropped);
    for _ in 0..LINK_QUEUE_FRAMES_MAX + 3 {
        assert!(neighbour.offer(ChitchatMessage::BadCluster));
    }
    assert_eq!(neighbour.counts.messages_dropped.load(Ordering::Relaxed), 4);
    assert_ne!(marks::count(Mark::OldestDropped), before, "never reached");
}

impl Neighbour {
    /// A link of two servers of this release that nothing runs.
    pub(crate) fn linked_to(&self, incarnation: &Incarnation) {
        let standing = Standing {
            dialled: true,
            generation: incarnation.generation,
            own_generation: 1,
            dialling: Dialling::Both,
        };
        let protocol = Offer::PRESENT.agree(Offer::PRESENT);
        let token = CancellationToken::new();
        let made =
            protocol.map(|protocol| self.connected((incarnation, standing), protocol, true, token));
        assert!(matches!(made, Some(Ok(_))));
    }
}
