//! The view of a server on itself and its herd: the JSON of `/status`.

pub mod comparison;
mod document;
mod source;
mod table;

pub use document::{
    LinkStatus, MapStatus, OtherServer, PlacesStatus, STATUS_VERSION, SearchStatus, Status,
    StorageStatus, TopologyStatus,
};
pub use source::StatusSource;
pub use table::{MoreColumn, table};
