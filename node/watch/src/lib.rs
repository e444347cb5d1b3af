//! Who watches which clients.
//!
//! The map tells [`Watchers`] of each change, under the lock of the client's shard. Those whose interests the change
//! touches get a mark: the client's ID, once, however often it changes. A watcher takes its marks when it can, and reads
//! the map then: so it is told the newest record, and nothing queues but marks. [`Told`] remembers what a watcher was
//! told, and says what the record of now is to it.
//!
//! There is no runtime, clock or chance in here. Begin with [`Watchers`].

#![forbid(unsafe_code)]

mod areas;
mod budget;
mod folded_stream;
mod marks;
mod prefixes;
mod registry;
mod said;
mod subject;
mod told;

pub use budget::{Budget, Share, UNCOUNTED_UNITS};
pub use folded_stream::{FoldedStream, StreamFault};
pub use registry::{Change, Registration, Wakes, Watchers};
pub use said::Said;
pub use subject::{Around, Subject, WatchedArea};
pub use told::{Told, Verdict};
