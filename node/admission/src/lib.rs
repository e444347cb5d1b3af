//! Admission control: which connections of strangers a port takes in.
//!
//! Nothing here opens a connection or reads from one. Begin with [`Admission`]. It bounds the connections of a port on
//! which a connection has to prove itself, by a handshake or a request: if there is no room, those that have not done so
//! yet make room for newcomers. [`Addresses`] bounds what the connections of one address use.

#![forbid(unsafe_code)]

mod addresses;
mod failures;
mod port;

pub use addresses::{Addresses, Place, one_address_share};
pub use failures::AcceptFailures;
pub use port::{Admission, Admitted, Met};
