//! The codec of the text protocol: bytes to lines, lines to operations, results to lines.

mod codec;
mod execute;
mod turn;

pub(super) use codec::LineCodec;
pub(super) use execute::Executor;
