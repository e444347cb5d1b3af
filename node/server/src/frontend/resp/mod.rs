//! The codec of RESP: requests of Redis clients to operations, results to replies.
//!
//! `key` and `member` are the client `key/member`. Begin with `codec`, which reads requests; `execute` names the module
//! of each command.

mod about;
mod codec;
mod execute;
mod identity;
mod members;
mod questions;
mod refusals;
mod reports;
mod wire;

pub(super) use codec::RespCodec;
