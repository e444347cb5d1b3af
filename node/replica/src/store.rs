//! The store of a server, as the decisions of replication write to it.

use bytes::Bytes;
use herd_crdt::SlotId;

use super::incarnation::Incarnation;

/// The number of a write to the store: later ones have greater numbers. Zero is before all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WriteNumber(pub u64);

impl WriteNumber {
    /// A write that is never on disk, or, of what is on disk, the last of all.
    pub const LAST: WriteNumber = WriteNumber(u64::MAX);
}

/// A group for the store, in place of what it has of this slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreGroup {
    /// Its publisher.
    pub incarnation: Incarnation,
    /// The slot it was published in.
    pub slot: SlotId,
    /// The version of its publisher's state that it was set with; 0 for this server's own groups.
    pub version: u64,
    /// The encoded group.
    pub group: Bytes,
}

/// A request to forget an incarnation: a later one for the same is another.
pub type Request = (Incarnation, u64);

/// The way to a store, which nobody waits for. `()` is a server without one.
pub trait Store {
    /// Writes all of these groups as a whole, or none. Requests to forget their publishers are withdrawn. `None` if the
    /// store takes nothing any more.
    fn put(&mut self, groups: Vec<StoreGroup>) -> Option<WriteNumber>;

    /// Everything up to this write is on disk.
    fn synced(&self) -> WriteNumber;

    /// The store takes nothing any more: it is not asked again, and requests to forget are dropped.
    fn give_up(&mut self);

    /// The store may forget an incarnation, once everything is on disk that replaced its groups.
    fn request_to_forget(&mut self, incarnation: &Incarnation);
}

impl Store for () {
    fn put(&mut self, _: Vec<StoreGroup>) -> Option<WriteNumber> {
        None
    }

    fn synced(&self) -> WriteNumber {
        WriteNumber::default()
    }

    fn give_up(&mut self) {}

    fn request_to_forget(&mut self, _: &Incarnation) {}
}
