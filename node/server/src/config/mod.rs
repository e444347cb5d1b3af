//! The checked settings of each command: values of the [table](crate::settings) that fit together, files that were
//! read, and defaults that follow from other settings.
//!
//! All mistakes are collected and reported together, before anything is started.

mod durability;
mod http;
mod limits;
mod local_settings;
mod own_server;
mod places;
mod serve_settings;
mod tls;
mod topology_choice;

pub use durability::Durability;
pub use http::HttpSettings;
pub use limits::LimitSettings;
pub use local_settings::{LocalSettings, data_folder_name};
pub use places::places_data;
pub use serve_settings::ServeSettings;
pub use tls::{LinkSecurity, TlsSettings};
pub use topology_choice::{MadeFrom, TopologyChoice};
