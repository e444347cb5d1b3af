//! The memory that this process may take, and the clients that a server holds in it.

mod limit;
mod room;

pub use limit::{MemoryLimit, MemorySource};
pub use room::{ChosenRoom, SetRoom};
