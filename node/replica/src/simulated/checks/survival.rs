//! Every client has the greatest of its reports: to be asked where every record had a server or a disk that kept it.

use super::super::herd::Herd;
use super::acknowledged::are_there;
use super::order::{order_key, words};

/// # Errors
/// A record that is lost.
pub(in super::super) fn nothing_is_lost(herd: &Herd) -> Result<(), String> {
    let servers = herd.servers.iter().flatten();
    let floors = servers.map(|server| server.map.floor_ns());
    let floor_ns = floors.max().unwrap_or(i64::MIN);
    for server in herd.servers.iter().flatten() {
        for (client, records) in &herd.reported {
            let greatest = records.iter().max_by_key(|record| order_key(record));
            let Some(greatest) = greatest.filter(|record| record.time().ns() >= floor_ns) else {
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

/// To be asked where every disk is back.
///
/// # Errors
/// A record that is lost although its server had acknowledged it when it was on disk.
pub(in super::super) fn no_acknowledged_report_is_lost(herd: &Herd) -> Result<(), String> {
    let acknowledged = herd.places.iter().flat_map(|place| &place.acknowledged);
    for server in herd.servers.iter().flatten() {
        let floor_ns = server.map.floor_ns();
        let acknowledged = acknowledged.clone();
        let expected = acknowledged.filter(|record| record.time().ns() >= floor_ns);
        let expected: Vec<_> = expected.cloned().collect();
        let clients = herd.reported.keys();
        let there: Vec<_> = clients
            .filter_map(|client| server.map.held(client))
            .collect();
        are_there(&expected, there.iter()).map_err(|found| format!("{}: {found}", server.name))?;
    }
    Ok(())
}
