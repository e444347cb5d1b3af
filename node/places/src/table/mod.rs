//! The table of places: one flat file, ordered by where places are, read in place.
//!
//! Nothing is built when a table is opened, so an embedded table costs nothing at start, and the
//! pages of the program that hold it are shared by all servers on a machine. `docs/places.md`
//! describes the format.

mod error;
mod layout;
mod nearest;
mod read;
mod verify;
mod write;

pub use error::TableError;
pub use layout::FORMAT_VERSION;
pub use nearest::NearbyRow;
pub use read::{PlaceRow, Table};
pub use write::{InvalidPlace, NewPlace, TableWriter};

#[cfg(test)]
mod tests;
