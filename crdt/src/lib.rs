//! The replicated state of a herd, and nothing else.
//!
//! Everything here is pure: no sockets, no clock, no randomness, no logging, no runtime. Time comes
//! in as an argument, and so does the hasher. The content of the crate, from the inside out:
//!
//! - [`Record`]: a report, or a tombstone, and the server that heard it, with the [total order](Record::order)
//!   that decides which of two records of a client stays. Its texts are checked once: [`decimal`],
//!   [`Location`], [`ReportTime`].
//! - [`QuantizedLocation`]: about where a record is, in five bytes, by which it can be found again.
//! - [`LocationMap`]: for each client the greatest record, and its publisher.
//! - [`group`]: delta groups, the unit of gossip and of storage, encoded by [`codec`].
//! - [`Slots`] and [`Publisher`]: the groups in slots, and compaction.
//!
//! Begin with [`LocationMap::merge_heard`].

#![forbid(unsafe_code)]

pub mod codec;
pub mod decimal;
pub mod group;
mod location;
mod map;
mod operands;
mod publisher;
mod quantized;
mod record;
mod report_time;
mod server_map;
mod slots;

pub use location::{Coordinates, Degrees, InvalidLocation, LOCATION_BYTES_MAX, Location};
pub use map::{
    Death, Expired, LocationMap, Merged, Outcome, Publication, PublisherId, Publishers,
    RepublishPolicy, SlotAddress,
};
pub use operands::Operands;
pub use publisher::{Publications, Publisher, SlotGroup};
pub use quantized::{QUANTIZED_COLUMN_BITS, QUANTIZED_ROW_BITS, QuantizedLocation};
pub use record::{
    BorrowedRecord, CLIENT_ID_BYTES_MAX, Incoming, InvalidRecord, Record, SERVER_NAME_BYTES_MAX,
    ServerName, TOMBSTONE_SLACK_NS, is_blank,
};
pub use report_time::{InvalidTime, NANOSECONDS_PER_SECOND, REPORT_TIME_BYTES_MAX, ReportTime};
pub use server_map::{Delivery, ServerMap, Work};
pub use slots::{
    COMPACTED_SLOTS, CROWDED_TIERS_SLOTS_MAX, FREE_SLOT_CLEARED_AFTER_MS, ROOM_FACTOR, SPARE_SLOTS,
    SlotId, Slots, Weight,
};
