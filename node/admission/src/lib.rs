//! Admission control of connections: the ones of strangers that a port accepts.
//!
//! Nothing here opens a connection or reads from one. Begin with [`Admission`]. It bounds the connections of a port on
//! which a connection has to prove itself, by a handshake or a request: without room, connections that have not proved
//! themselves yet make room for newcomers. [`Addresses`] bounds the resources of one address.

#![forbid(unsafe_code)]

mod addresses;
mod failures;
mod port;

pub use addresses::{AddressShare, Addresses, one_address_share};
pub use failures::AcceptFailures;
pub use port::{Admission, Admitted, Met};
