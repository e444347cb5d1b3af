//! A neighbour of the topology that lies: it claims to have merged more than it has, that the dead live, and that the
//! living have had heartbeats and have published things that are all made up.

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

/// One in so many digests overstates the heartbeats of the living, and one in so many deltas what they have published.
const OVERSTATED: u64 = 8;

/// By so much.
const HEARTBEATS_MORE: u64 = 1_000_000;

/// Makes a lie of a message. `is_dead` says which incarnations run no more; their heartbeats rise to `number`, which rises
/// from lie to lie.
pub(in super::super) fn lie(
    message: Message,
    is_dead: impl Fn(&Incarnation) -> bool,
    number: u64,
) -> Message {
    let overstates = number.is_multiple_of(OVERSTATED);
    let revive = |mut digest: super::super::gossip::Digest| {
        for (incarnation, (theirs, _)) in &mut digest {
            if is_dead(incarnation) {
                *theirs = number.max(*theirs);
            } else if overstates {
                *theirs += HEARTBEATS_MORE;
            }
        }
        digest
    };
    match message {
        Message::Syn(digest) => Message::Syn(revive(digest)),
        Message::SynAck(digest, delta) => Message::SynAck(revive(digest), delta),
        Message::Report(incarnation, report, clock_ns) => {
            let claims = report.iter().map(|(incarnation, applied)| {
                let merged = applied.merged + CLAIMED_MORE;
                (incarnation.clone(), Applied { merged, ..applied })
            });
            Message::Report(incarnation, AppliedReport::new(claims), clock_ns)
        }
        Message::Ack(mut delta) => {
            if overstates {
                delta.overstate(CLAIMED_MORE);
            }
            Message::Ack(delta)
        }
    }
}
