//! Every client has the greatest of its reports: to be asked where every record had a server or a disk that kept it.

use super::super::herd::Herd;
use super::order::{order_key, words};

/// # Errors
/// A record that is lost.
pub(in super::super) fn nothing_is_lost(herd: &Herd) -> Result<(), String> {
    for server in herd.servers.iter().flatten() {
        for (client, records) in &herd.reported {
            let Some(greatest) = records.iter().max_by_key(|record| order_key(record)) else {
                continue;
            };
            let found = server.map.held(client);
            if found.as_ref().map(words) != Some(words(greatest)) {
                return Err(format!("{} has {found:?} for {greatest:?}", server.name));
            }
            if greatest.is_tombstone() && server.map.find(client).is_some() {
                return Err(format!("{} answers for {greatest:?}", server.name));
            }
        }
    }
    Ok(())
}
