//! What must be true of a simulated herd: each rule a file.

pub(super) mod burials;
pub(super) mod copies;
pub(super) mod order;
pub(super) mod settled;
pub(super) mod survival;
