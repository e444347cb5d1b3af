//! Places near a point: the provider trait, the reply in Google's Nearby Search form, and the table
//! of places that is embedded in the program.
//!
//! Places are never gossiped or stored, and only an online provider uses the network. Begin with [`Places`], the trait
//! that WHATSAT asks; [`table`] is the embedded table, [`mod@import`] makes another one from files, [`online`] has the
//! rules by which every provider on the network is asked.

#![forbid(unsafe_code)]

mod choice;
mod embedded;
mod fallback;
pub mod google;
pub mod import;
mod map_names;
pub mod online;
mod online_places;
mod osm_tags;
mod overpass;
mod provider;
mod reply;
mod source;
mod sphere;
pub mod table;

pub use choice::{
    CacheSettings, OnlineService, OnlineSettings, PlacesSettings, ProviderName, log_choice,
    open_online, open_places,
};
pub use embedded::{EmbeddedPlaces, embedded_table};
pub use fallback::Fallback;
pub use map_names::{MapName, MapNames, MapView};
pub use online_places::OnlinePlaces;
pub use overpass::Overpass;
pub use provider::{NearbyQuery, Places, zero_results};
pub use reply::{Geometry, LatLng, NearbyReply, Place, ReplyStatus, Viewport};
pub use source::{Source, SourcesError, parse_sources};
pub use sphere::EARTH_RADIUS_M;
