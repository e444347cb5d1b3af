//! What is left on disks of clients that are forgotten.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::checkers::Found;
use super::checkers::erasure::nothing_forgotten_is_left;
use super::herd::Herd;

/// Locations of forgotten clients are erased within this time.
pub(super) const ERASE_WITHIN: Duration = Duration::from_secs(32);

impl Herd {
    /// Whether the disks of all running servers are free of locations that are forgotten.
    ///
    /// # Errors
    /// One that is not.
    pub(super) fn the_forgotten_are_erased(&self) -> Found {
        for (server, process) in self.running() {
            let Some(disk) = &server.disk else {
                continue;
            };
            let mut tombstones = BTreeMap::new();
            for (client, record) in self.map_of(&process.locations) {
                if record.is_tombstone() {
                    tombstones.insert(client, record);
                }
            }
            let groups = disk.all_groups();
            let groups = groups.iter().map(Bytes::as_ref);
            nothing_forgotten_is_left(&server.name, groups, &tombstones)?;
        }
        Ok(())
    }
}
