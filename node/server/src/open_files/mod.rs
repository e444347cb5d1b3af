//! How many files and connections this process may have open, and who gets how many of them.

mod limit;
mod shares;

pub use limit::{limits, raise_limit};
pub use shares::{Needs, Shares, TooFew};
