//! TLS: the identity of the other end of a link between servers, and encryption of links and of the client
//! port.
//!
//! A server's certificate carries its [`name`]: a URI with the herd and the server in it. Links take certificates from
//! the authorities in a [`folder`], and nothing else; files are read again while the server runs ([`reload`]).
//! [`authority`] makes authorities and certificates. No key appears in a log, a message or a command line. Begin with
//! [`link`].

#![forbid(unsafe_code)]

pub mod authority;
mod certificate;
pub mod client_port;
pub mod connect;
mod error;
mod fault;
mod files;
pub mod folder;
pub mod link;
pub mod name;
mod peer;
pub mod reload;
pub mod status;
mod trust;
pub mod write_through;

pub use certificate::CertificateFacts;
pub use error::TlsError;
pub use fault::{TlsFault, fault_of};
pub use files::date;
pub use peer::{Peer, Side};

#[cfg(test)]
mod tests;
