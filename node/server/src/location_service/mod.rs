//! The operations of a server: take in a report, forget a client, locate a client, list clients, find those of an area,
//! watch clients, and find the places near a client.
//!
//! Every interface turns bytes into these operations, and results into bytes. The rules are here, once: scopes of tokens,
//! the clock skew, limits, how safe a report has to be, the floor of expiry, and the wait for the store.
//!
//! Begin with [`LocationService`]; [`Batch`] takes in reports, [`Asked`] is how questions are answered, and a
//! [`Principal`](crate::access::Principal) says who asks.

mod answer_bytes;
mod asked;
mod counting;
mod forget;
mod in_flight;
mod intake;
mod list;
mod locate;
mod members;
mod own_time;
mod places;
mod rare_warning;
mod search;
mod service;
mod settings;
mod statistics;
mod watch;
mod watch_subject;

#[cfg(test)]
mod tests;

pub use answer_bytes::AnswerBytes;
pub use asked::{Asked, Later};
pub use forget::{ForgetRefusal, Forgetting, Gone};
pub use intake::{Batch, Refusal, Taken};
pub use list::{ListAnswer, ListPage};
pub use members::{Around, AroundCenter, AroundShape};
pub use own_time::{Placed, PlacingRefusal, ReportIf};
pub use places::PlacesNear;
pub use search::{SearchAnswer, SearchRefusal, Searched};
pub use service::LocationService;
pub use settings::{ServiceSettings, WatchSettings};
pub use statistics::{SearchStatistics, ServiceStatistics, WatchStatistics};
pub use watch::{WatchFigures, WatchListener, WatchRefusal, WatchStream};
