//! What the tests of this crate share.

mod plain_map;

use std::time::Instant;

use herd_crdt::{PublisherId, Publishers, Record};

pub(crate) use plain_map::PlainMap;

/// The time at which a test begins. No other moment is read from a clock.
#[expect(
    clippy::disallowed_methods,
    reason = "any moment will do, and there is no other way to one"
)]
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// Publishers that live, and of which none outranks this server.
pub(crate) struct AllLive;

impl Publishers for AllLive {
    fn presumed_live(&self, _: PublisherId) -> bool {
        true
    }

    fn outranks(&self, _: PublisherId, _: &Record) -> bool {
        false
    }
}
