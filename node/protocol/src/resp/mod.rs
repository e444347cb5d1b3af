//! RESP, the protocol of Redis clients, pure: bytes to commands, results to bytes. RESP2 and RESP3.
//!
//! Everything here is total, as the whole crate is. Begin with [`CommandReader`], which cuts bytes into requests, and
//! [`RespCommand`], which is what a request asks for; [`Encoder`] writes replies.

mod ahead;
mod catalogue;
mod client;
mod command;
mod encoder;
mod error;
mod geoadd;
mod geosearch;
mod hello;
mod number;
mod reader;
mod unit;

pub use ahead::members_ahead;
pub use catalogue::{COMMANDS, CommandEntry, entry_of};
pub use client::ClientCommand;
pub use command::{CommandQuestion, RespCommand};
pub use encoder::{Encoder, RespVersion};
pub use error::InvalidRequest;
pub use geoadd::{Geoadd, Member, ReportCondition};
pub use geosearch::{Geosearch, MEMBERS_MAX, SearchCenter, SearchOrder, SearchShape};
pub use hello::{Credentials, Hello};
pub use number::{decimal_text, degrees_of, write_degrees};
pub use reader::{Arguments, CommandReader, ProtocolFault, Request};
pub use unit::LengthUnit;
