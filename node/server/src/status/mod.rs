//! The view of a server on itself and its herd: the JSON of `/status`.

pub mod comparison;
mod document;
mod duration;
mod links;
mod source;
mod table;
mod troubles;

pub use document::{
    CertificateStatus, ClientStatus, LinkStatus, MapStatus, OtherServer, PlacesStatus,
    ProcessStatus, STATUS_VERSION, SearchStatus, Status, StorageStatus, TopologyStatus,
};
pub use duration::short_duration;
pub use links::LinkRow;
pub use source::{StatusParts, StatusSource};
pub use table::{MoreColumn, table};
