//! A neighbour of the topology that lies: it claims to have merged more than it has, and that the dead live.

use std::time::Duration;

use rand::rngs::SmallRng;

use super::super::links::Message;
use super::{Fault, Frame};
use crate::incarnation::Incarnation;
use crate::report::{Applied, AppliedReport};

/// What it adds to each version.
const CLAIMED_MORE: u64 = 10;

pub(super) fn draw(rng: &mut SmallRng, frame: Frame<'_>) -> Vec<(Duration, Fault)> {
    let server = frame.server(rng);
    let time = frame.time(rng);
    vec![
        (Duration::ZERO, Fault::Lie(server)),
        (time, Fault::BeHonest(server)),
    ]
}

/// Makes a lie of a message. `is_dead` says which incarnations run no more; their heartbeats rise to `heartbeat`.
pub(in super::super) fn lie(
    message: Message,
    is_dead: impl Fn(&Incarnation) -> bool,
    heartbeat: u64,
) -> Message {
    let revive = |mut digest: super::super::gossip::Digest| {
        for (incarnation, (theirs, _)) in &mut digest {
            if is_dead(incarnation) {
                *theirs = heartbeat.max(*theirs);
            }
        }
        digest
    };
    match message {
        Message::Syn(digest) => Message::Syn(revive(digest)),
        Message::SynAck(digest, delta) => Message::SynAck(revive(digest), delta),
        Message::Report(incarnation, report) => {
            let claims = report.iter().map(|(incarnation, applied)| {
                let merged = applied.merged + CLAIMED_MORE;
                (incarnation.clone(), Applied { merged, ..applied })
            });
            Message::Report(incarnation, AppliedReport::new(claims))
        }
        delta @ Message::Ack(_) => delta,
    }
}
