//! Admission control: which connections of strangers a port takes in.
//!
//! [`Addresses`] bounds what the connections of one address use. [`Admission`] bounds the
//! connections of a port on which a connection has to prove itself, by a handshake or a request: if
//! there is no room, those that have not done so yet make room for newcomers.

#![forbid(unsafe_code)]

mod addresses;
mod failures;
mod port;

pub use addresses::{Addresses, Place, one_address_share};
pub use failures::AcceptFailures;
pub use port::{Admission, Admitted, Met};
