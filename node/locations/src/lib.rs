//! The map that all tasks of a server share: shards of the CRDT map, each behind its own lock, the
//! outbox of records that are to be published, and the index by which clients are found that are in an area.
//!
//! One shard is locked at a time, and no lock is held over an await. Nothing here sends records or writes them to disk.
//! Begin with [`Locations`].

#![forbid(unsafe_code)]

mod admission_control;
mod borne_out;
mod census;
mod changes;
mod forget;
mod forgotten;
mod hash_keys;
mod index;
mod indexing;
mod listing;
mod loading;
mod memory;
mod outbox;
mod outcomes;
mod prefetch;
mod report_if;
mod search;
mod server_map;
mod shard;
mod sharded;
#[cfg(test)]
mod testing;
mod walk;
mod watch;

pub use admission_control::AdmissionControl;
pub use forget::{Forget, Forgotten};
pub use forgotten::{FORGOTTEN_NOTED_MAX, Noted, TombstonesRead};
pub use hash_keys::HashKeys;
pub use index::IndexFault;
pub use listing::{ListQuery, Listed, Listing};
pub use loading::{AnswerableAfter, ClientSearch, Loading};
pub use memory::{Full, Room, memory_bytes};
pub use outcomes::OutcomeCounts;
pub use search::{Found, Hit, Query, Search};
pub use sharded::{Locations, Reports};
pub use walk::Walk;
pub use watch::{CheckedWatch, Listener, Progress, Watch};

pub use herd_watch::{Said, StreamFault};
