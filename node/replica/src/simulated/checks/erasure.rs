//! The locations of clients that are forgotten leave gossip in time: every group of every copy that a server has.

use std::collections::BTreeMap;

use herd_crdt::group::GroupFormat;
use herd_crdt::{Record, ServerName};

use super::super::herd::Herd;
use super::super::server::Server;
use crate::changes::Change;

/// To be asked when the time for erasing is over since all servers have the tombstones. What these servers published, which
/// are `down`, may be left.
///
/// # Errors
/// A location that a server's map or gossip still holds, though its client is forgotten.
pub(in super::super) fn nobody_forgotten_is_shown(
    herd: &Herd,
    down: &[ServerName],
) -> Result<(), String> {
    let tombstones = tombstones(herd);
    for server in herd.servers.iter().flatten() {
        for client in tombstones.keys() {
            if let Some(found) = server.map.find(client) {
                return Err(format!(
                    "{} answers {found:?} of the forgotten",
                    server.name
                ));
            }
        }
        for (incarnation, change) in server.gossip.groups() {
            if down.contains(&incarnation.server) {
                continue;
            }
            if let Some(found) = shown(change, server.format, &tombstones) {
                let name = &server.name;
                return Err(format!(
                    "gossip of {name} shows {found:?}, of {incarnation}"
                ));
            }
        }
    }
    Ok(())
}

/// The tombstones that all servers hold, as far as one of them says so.
fn tombstones(herd: &Herd) -> BTreeMap<Vec<u8>, Record> {
    let server: Option<&Server> = herd.servers.iter().flatten().next();
    let clients = herd.reported.keys();
    let held = clients.filter_map(|client| Some((client.clone(), server?.map.held(client)?)));
    held.filter(|(_, record)| record.is_tombstone()).collect()
}

/// A location in a group whose client has a later tombstone.
fn shown(
    change: &Change,
    format: GroupFormat,
    tombstones: &BTreeMap<Vec<u8>, Record>,
) -> Option<Record> {
    let Change::Group {
        group: Some(group), ..
    } = change
    else {
        return None;
    };
    let records: Vec<Record> = format.decode(group).ok()?;
    records.into_iter().find(|record| {
        let tombstone = tombstones.get(record.client());
        !record.is_tombstone() && tombstone.is_some_and(|t| record.time() <= t.time())
    })
}

#[test]
fn a_location_before_a_tombstone_is_found() {
    use bytes::Bytes;
    use herd_crdt::SlotId;
    use herd_crdt::group::GroupBuilder;

    let location = |time: &str| {
        let record = Record::new(b"kiwi", b"+1+1", time.as_bytes(), "Hill".into(), 0);
        let mut builder = GroupBuilder::default();
        assert!(builder.try_push(&record.unwrap()));
        Change::Group {
            slot: SlotId(0),
            version: 1,
            group: Some(Bytes::from(builder.finish())),
        }
    };
    let tombstone = Record::tombstone_of(b"kiwi", b"5", "Hill".into(), 0).unwrap();
    let forgotten = [(b"kiwi".to_vec(), tombstone)].into();
    let is_found = |time| shown(&location(time), GroupFormat::PRESENT, &forgotten).is_some();
    assert!(is_found("4") && is_found("5.0"));
    assert!(!is_found("5.000000001"));
    assert!(shown(&location("4"), GroupFormat::PRESENT, &BTreeMap::new()).is_none());
}
