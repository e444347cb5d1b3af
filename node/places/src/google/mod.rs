//! Google's two services for places near a point.

mod legacy;
mod places_new;

pub use legacy::{GoogleLegacy, LegacyReply};
pub use places_new::GooglePlaces;

/// The largest radius that either service takes, in metres.
const RADIUS_M_MAX: f64 = 50_000.0;

/// The longest answer that is read, in bytes; 20 places take some 30 KiB.
const ANSWER_BYTES_MAX: usize = 512 * 1024;
