//! Phones and trackers: what their apps send, as reports ([docs/phones.md](../../../../../docs/phones.md)).
//!
//! Apps throw a report away, alert people, or send it again for ever, by the status that they get. So a report that will
//! never be taken in, such as one that is too far ahead of the clock, is answered with 200; a token that does not allow
//! it with 401 or 403; and one that could not be made as safe as promised with 503, so that it comes again. What they
//! tell beyond where and when is left out.

mod friends;
mod osmand;
mod outcome;
mod overland;
mod owntracks;
mod routes;

pub(super) use friends::Friends;
pub(super) use routes::{PATHS, routes};
