//! Bytes to groups of records: a group that was read is written and read again, and merges.

use herd_crdt::group::{GroupBuilder, GroupFormat, decode_group};
use herd_locations::Locations;

pub(super) fn run(bytes: &[u8]) {
    let Ok(records) = decode_group(bytes) else {
        return;
    };
    let mut builder = GroupBuilder::new(GroupFormat::PRESENT);
    let mut again = Vec::new();
    for record in &records {
        if !builder.try_push(record) {
            again.extend(decoded(&builder.finish()));
            assert!(builder.try_push(record), "a record that fits no group");
        }
    }
    again.extend(decoded(&builder.finish()));
    assert_eq!(again, records);
    let locations = Locations::default();
    for record in records {
        let client = record.client().to_vec();
        locations.report(record);
        assert!(locations.held(&client).is_some());
    }
}

fn decoded(bytes: &[u8]) -> Vec<herd_crdt::Record> {
    match decode_group(bytes) {
        Ok(records) => records,
        Err(error) => panic!("a group of ours is not read: {error}"),
    }
}
