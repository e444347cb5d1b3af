//! What must be true of a simulated herd: each rule a file.

pub(super) mod acknowledged;
pub(super) mod admission;
pub(super) mod burials;
pub(super) mod copies;
pub(super) mod erasure;
pub(super) mod expiry;
pub(super) mod garbled;
pub(super) mod generations;
pub(super) mod order;
pub(super) mod pace;
pub(super) mod readers;
pub(super) mod rival;
pub(super) mod room;
pub(super) mod settled;
pub(super) mod survival;
pub(super) mod watches;
