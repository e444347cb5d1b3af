//! What the tests of this crate share.

use herd_crdt::{PublisherId, Publishers, Record};

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

/// A record of a client at this second, heard by Hill.
pub(crate) fn record(client: &str, time: &str) -> Record {
    let (client, time) = (client.as_bytes(), time.as_bytes());
    Record::new(client, b"+1+1", time, "Hill".into(), 0).unwrap()
}
