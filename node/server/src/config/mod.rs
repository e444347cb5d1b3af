//! What a user can set, where from, and what is wrong with it.
//!
//! A value comes from the configuration file, a flag or the environment, in rising precedence: the
//! environment wins over a flag, a flag over the file, the file over the default. All mistakes are
//! collected and reported together, before anything is started.

mod durability;
mod environment;
mod file;
mod http;
mod limits;
mod local_settings;
mod mistake;
mod own_server;
mod places;
mod report;
mod resolver;
mod serve_settings;
mod setting;
mod source;
mod tls;
mod topology_choice;
mod values;

pub use durability::{ACK_TIMEOUT, Durability};
pub use environment::{Environment, TOKEN_VARIABLE};
pub use http::HttpSettings;
pub use limits::LimitSettings;
pub use local_settings::{DATA_DIR, LocalSettings, data_folder_name};
pub use mistake::{ConfigError, Mistake};
pub use places::{PLACES_CONNECT_TIMEOUT, PLACES_TIMEOUT, places_data};
pub use serve_settings::{DRAIN_DELAY, DRAIN_DELAY_MAX, MAX_CLOCK_SKEW, ServeSettings};
pub use setting::Setting;
pub use source::{Flags, Given, Origin, Source};
pub use tls::{LinkSecurity, TlsSettings};
pub use topology_choice::{MadeFrom, TopologyChoice};
