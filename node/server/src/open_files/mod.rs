//! The limit of open files of this process, and its division among the parts.

mod limit;
mod shares;

pub use limit::{limits, raise_limit};
pub use shares::{Needs, Shares, TooFew};
