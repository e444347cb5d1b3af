//! The interface of a store: a folder on disk, or a model of one.

use std::collections::BTreeMap;

use bytes::Bytes;
use herd_crdt::{SERVER_NAME_BYTES_MAX, ServerName, SlotId};

use super::{PurgeReply, StoreError};
use herd_topology::Incarnation;

/// One group as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredGroup {
    /// Its publisher.
    pub incarnation: Incarnation,
    /// The slot it was published in.
    pub slot: SlotId,
    /// The version of the publisher's state that it was set with, as [`Write::Put`] had it.
    pub version: u64,
    /// The encoded group, byte for byte as it was put. The store does not look into it.
    pub group: Bytes,
}

/// The number of [`Write::Filler`]s that make a journal of the store long enough to be replaced, and so to be deleted.
pub const FILLERS: usize = 136;

/// One change of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Sets a slot to a group, in place of its older group.
    Put {
        /// The publisher of the group.
        incarnation: Incarnation,
        /// The slot it was published in.
        slot: SlotId,
        /// The version of the publisher's state that it was set with; 0 for this server's own groups.
        version: u64,
        /// The encoded group.
        group: Bytes,
    },
    /// Deletes all slots of an incarnation.
    Forget {
        /// Whose slots.
        incarnation: Incarnation,
    },
    /// Raises the expiry floor. A lower one than is stored changes nothing.
    Floor {
        /// Nanoseconds since the POSIX epoch, as in [`herd_crdt::ReportTime::ns`].
        time_ns: i64,
    },
    /// Raises the generation that this server has used. A lower one than is stored changes nothing.
    /// A generation that was published under once is never to be used again, even if no group of it was stored. It is
    /// queued ahead of all groups that are published under it, so it is stored if any of these is. Gossip does not
    /// wait for it: a loss of power may forget a generation that neighbours have heard of, which they tell.
    Generation {
        /// The generation of this server's incarnation.
        generation: u64,
    },
    /// Nothing but bytes, some hundred of which make the files old that data is written to first. See [`Write::Purge`].
    Filler,
    /// From some time after this on, nothing is on the disk any more that was overwritten or deleted before. It takes
    /// [`FILLERS`] [`Write::Filler`]s first, and happens in the background; the reply is told when it has succeeded.
    Purge(PurgeReply),
}

impl Write {
    /// The bytes of a write in a queue beside its group and name.
    const OVERHEAD_BYTES: usize = 64;

    /// Whether a store can hold it: the name in a group's place is one that a server can have. Other writes are refused
    /// by every store, and left out by the writer in front of one.
    #[must_use]
    pub fn is_storable(&self) -> bool {
        match self {
            Write::Put { incarnation, .. } => {
                (1..=SERVER_NAME_BYTES_MAX).contains(&incarnation.server.len())
            }
            Write::Forget { .. }
            | Write::Floor { .. }
            | Write::Generation { .. }
            | Write::Filler
            | Write::Purge(_) => true,
        }
    }

    /// How much of a queue's bound the write takes, in bytes.
    #[must_use]
    pub fn queue_bytes(&self) -> usize {
        Self::OVERHEAD_BYTES
            + match self {
                Write::Put { group, .. } => group.len(),
                Write::Forget { .. }
                | Write::Floor { .. }
                | Write::Generation { .. }
                | Write::Filler
                | Write::Purge(_) => 0,
            }
    }
}

/// The findings of a load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// How many groups were handed out.
    pub groups: u64,
    /// Their encoded lengths together, in bytes.
    pub bytes: u64,
    /// The greatest [`Write::Floor`], in nanoseconds since the POSIX epoch; `None` if there was none.
    pub floor_ns: Option<i64>,
    /// The greatest [`Write::Generation`]; `None` if there was none.
    pub own_generation: Option<u64>,
    /// For each server the greatest generation of which a group is stored.
    pub generations: BTreeMap<ServerName, u64>,
    /// Bytes at the end that a crash left unfinished, and that were cut off. None of them had been
    /// reported synced.
    pub torn_tail_bytes: u64,
}

impl LoadReport {
    /// The greatest generation that the store knows of `server`, which is this server itself.
    #[must_use]
    pub fn greatest_own_generation(&self, server: &str) -> Option<u64> {
        self.own_generation
            .max(self.generations.get(server).copied())
    }

    /// Counts one group in.
    pub(super) fn count(&mut self, stored: &StoredGroup) {
        self.groups += 1;
        self.bytes += stored.group.len() as u64;
        let generation = stored.incarnation.generation;
        match self.generations.get_mut(&stored.incarnation.server) {
            Some(known) => *known = generation.max(*known),
            None => {
                let server = stored.incarnation.server.clone();
                self.generations.insert(server, generation);
            }
        }
    }
}

/// Where groups are kept beyond the end of the process.
///
/// A store is used by one thread, which may block in it. After any error of [`Store::commit`] or
/// [`Store::sync`] but [`StoreError::InvalidWrite`] it takes no more writes.
pub trait Store: Send {
    /// Hands all stored groups to `each`, once, in no particular order, and checks them on the way.
    /// To be called before the first commit.
    ///
    /// # Errors
    /// Damage, or a disk that cannot be read. Groups that were handed out by then are good ones,
    /// but some are missing.
    fn load(&mut self, each: &mut dyn FnMut(StoredGroup)) -> Result<LoadReport, StoreError>;

    /// Applies the writes in their order: all of them or, if the process or the machine ends, none.
    /// They have reached the operating system then, and survive the end of the process.
    ///
    /// # Errors
    /// [`StoreError::NotLoaded`] before a load, and [`StoreError::InvalidWrite`] if one of the writes cannot be stored
    /// ([`Write::is_storable`]); nothing was changed then. Otherwise the store is of no use any more; the next
    /// load shows all of the writes, or none.
    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError>;

    /// Waits until everything committed is on the disk, and survives a loss of power.
    ///
    /// # Errors
    /// Data that was not synced before may be lost, even if a later call succeeds: the system may have
    /// dropped the pages that it could not write, and count them as written (Rebello et al., "Can
    /// applications recover from fsync failures?", 2020). So the store is of no use any more.
    fn sync(&mut self) -> Result<(), StoreError>;
}
