//! Stores on real disks and on modelled ones: kept, lost and refused writes.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which are not in test functions themselves"
)]

mod contract;
mod damage;
mod data_folder;
mod full_disk;
mod model;
mod on_disk;
mod properties;
mod purge;
mod version_1;
