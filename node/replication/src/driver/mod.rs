//! The tokio driver of the values in `crate::replica`: one task for each of them, which waits, sends and locks.

pub(crate) mod eraser;
pub(crate) mod pacer;
pub(crate) mod publisher;
pub(crate) mod receiver;
