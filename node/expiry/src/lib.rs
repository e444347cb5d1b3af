//! Expiry: records older than a duration leave the map, the disk and gossip, on every server by the
//! same rule.
//!
//! The rule is a floor, the clock less the duration, below which a server holds and takes in nothing
//! ([`herd_locations::Locations::raise_floor`]). Nothing here holds a record or removes one: the map
//! does, when its floor rises. Begin with [`run`], which looks again and again and raises the floor;
//! [`floor_clock`] decides which clock that is, since wall clocks jump; [`floor_store`] is where the
//! floor outlives a restart; [`floor_watch`] tells when it keeps out reports that are not old.

#![forbid(unsafe_code)]

pub mod floor_clock;
pub mod floor_store;
pub mod floor_watch;
pub mod run;

pub use floor_store::{FloorStore, FloorStoreError, NoFloorStore};
pub use floor_watch::{ExpireAfter, FloorWatch};
pub use run::{Expiry, HerdClocks};
