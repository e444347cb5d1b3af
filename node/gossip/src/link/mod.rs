//! What travels over a link, and over what: frames, the messages of a handshake, and the network below.
//!
//! Each side of a new connection says a [`hello`] or a [`refusal`], in a [`frame`] each; [`offer`] decides which version
//! of the link protocol the two speak. A [`network`] makes connections, and may be one of TLS ([`tls_network`]).

pub mod closed_counts;
pub mod counts;
pub mod frame;
pub mod handshake_error;
pub mod hello;
pub mod network;
pub mod offer;
pub mod refusal;
pub mod tls_network;
