//! Admission control: which connections of strangers a port takes in.
//!
//! [`Addresses`] bounds what the connections of one address use. [`Admission`] bounds the
//! connections of a port on which a connection has to prove itself, by a handshake or a request: if
//! there is no room, those that have not done so yet make room for newcomers.

mod addresses;
mod failures;
mod port;

pub(crate) use addresses::{Addresses, Place, one_address_share};
pub(crate) use failures::AcceptFailures;
pub(crate) use port::{Admission, Admitted, Met};
