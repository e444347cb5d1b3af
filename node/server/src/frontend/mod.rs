//! The frontend: clients' connections and the effects of their commands.
//!
//! One task accepts, and one task per connection reads, executes and writes. A connection executes
//! all complete lines of a read in a batch and writes their replies together. Replies that must wait
//! (for a provider of places) keep their place in the order, and other commands go on behind them. A connection knows no protocol: that is its codec (`codec`), lines or RESP.

mod accept;
mod batch;
mod codec;
mod connection;
mod depth;
mod limits;
mod lines;
mod moving_stream;
mod replies;
mod resp;
mod service;
mod settings;
mod statistics;
mod turn;
mod watching;
mod weights;

pub use codec::Protocol;
pub use limits::{LimitStatistics, Limits};
pub use service::Frontend;
pub use settings::FrontendSettings;
pub use statistics::{CommandOutcome, Statistics, Word};

#[cfg(test)]
mod tests;
