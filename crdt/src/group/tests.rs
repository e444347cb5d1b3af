use super::*;
use crate::report_time::ReportTime;

fn record(client: &str, server: &str) -> Record {
    Record::new(
        client.as_bytes(),
        b"+34.0-118.4",
        b"1520023934.9",
        server.into(),
        -5,
    )
    .unwrap()
}

#[test]
fn a_group_comes_back_as_it_was() {
    let records = [
        record("kiwi", "Hill"),
        record("\u{fe}x", "Smith"),
        record("a", "Hill"),
    ];
    let mut builder = GroupBuilder::default();
    for record in &records {
        assert!(builder.try_push(record));
    }
    let bytes = builder.finish();
    assert!(builder.is_empty());
    assert_eq!(decode_group(&bytes).unwrap(), records);
}

#[test]
fn golden_bytes_of_version_1() {
    let mut builder = GroupBuilder::default();
    assert!(builder.try_push(&record("kiwi", "Hill")));
    let expected: &[u8] = b"\x01\x01\x04Hill\x01\x04kiwi\x0b+34.0-118.4\x0c1520023934.9\x00\x09";
    assert_eq!(builder.finish(), expected);
    assert_eq!(empty_group(), b"\x01\x00\x00");
}

fn tombstone(client: &str, server: &str) -> Record {
    let time = ReportTime::parse(b"1520023934.9").unwrap();
    Record::tombstone(client.as_bytes(), time, server.into(), -5).unwrap()
}

#[test]
fn golden_bytes_of_version_2() {
    let mut builder = GroupBuilder::default();
    assert!(builder.try_push(&tombstone("kiwi", "Hill")));
    let expected: &[u8] = b"\x02\x01\x04Hill\x01\x04kiwi\x00\x141520023934.900000000\x00\x09";
    let group = builder.finish();
    assert_eq!(group, expected);
    assert_eq!(decode_group(&group).unwrap(), [tombstone("kiwi", "Hill")]);
    // The next group has none, and is of version 1 again.
    assert!(builder.try_push(&record("kiwi", "Hill")));
    assert_eq!(builder.finish()[0], 1);
}

#[test]
fn only_version_2_has_tombstones() {
    let records = [record("fig", "Smith"), tombstone("kiwi", "Hill")];
    let mut builder = GroupBuilder::default();
    assert!(records.iter().all(|record| builder.try_push(record)));
    let mut group = builder.finish();
    assert_eq!(decode_group(&group).unwrap(), records);
    let old = GroupFormat::before_tombstones();
    assert!(!old.has_tombstones() && GroupFormat::PRESENT.has_tombstones());
    let refused = old.decode(&group);
    assert!(matches!(refused, Err(GroupError::UnknownVersion(2))));
    // No server writes a record without a location in version 1.
    group[0] = 1;
    let refused = decode_group(&group);
    assert!(matches!(
        refused,
        Err(GroupError::Record(InvalidRecord::Location(_)))
    ));
}

#[test]
fn golden_bytes_of_the_version_to_come() {
    let mut builder = GroupBuilder::new(GroupFormat::next());
    assert!(builder.try_push(&record("kiwi", "Hill")));
    let expected: &[u8] =
        b"\x03\x01\x04Hill\x01\x04kiwi\x0b+34.0-118.4\x0c1520023934.9\x00\x09\x00";
    assert_eq!(builder.finish(), expected);
    assert_eq!(GroupFormat::next().empty_group(), b"\x03\x00\x00\x00");
    assert!(builder.try_push(&tombstone("kiwi", "Hill")));
    let group = builder.finish();
    assert_eq!(group[0], 3);
    let read = GroupFormat::ready_for_next().decode(&group).unwrap();
    assert_eq!(read, [tombstone("kiwi", "Hill")]);
}

#[test]
fn a_format_reads_older_ones_and_no_newer_ones() {
    let (present, next) = (GroupFormat::PRESENT, GroupFormat::next());
    let ready = GroupFormat::ready_for_next();
    let records = [record("kiwi", "Hill"), record("fig", "Smith")];
    for (writer, readers, blind) in [
        (present, vec![present, ready, next], vec![]),
        (ready, vec![present, ready, next], vec![]),
        (next, vec![ready, next], vec![present]),
    ] {
        let mut builder = GroupBuilder::new(writer);
        assert!(records.iter().all(|record| builder.try_push(record)));
        let group = builder.finish();
        for reader in readers {
            assert_eq!(reader.decode(&group).unwrap(), records);
            let cut = &group[..group.len() - 1];
            assert!(reader.decode(cut).is_err(), "cut off");
        }
        for reader in blind {
            let refused = reader.decode(&group);
            assert!(matches!(refused, Err(GroupError::UnknownVersion(3))));
            // Nor is it read by mistake, should the version be the only thing that is hidden.
            let mut disguised = group.clone();
            disguised[0] = 1;
            let refused = reader.decode(&disguised);
            assert!(matches!(refused, Err(GroupError::LeftOver(1))));
        }
        // The builder goes on in its format.
        assert_eq!(builder.finish()[0], writer.writes());
    }
}

#[test]
fn a_client_is_found_in_the_groups_that_have_it() {
    let records = [record("kiwi", "Hill"), tombstone("fig", "Smith")];
    for format in [GroupFormat::PRESENT, GroupFormat::next()] {
        let mut builder = GroupBuilder::new(format);
        assert!(records.iter().all(|record| builder.try_push(record)));
        let group = builder.finish();
        let has = |client: &str| {
            format
                .has_client(&group, |other| other == client.as_bytes())
                .unwrap()
        };
        assert!(has("kiwi") && has("fig"));
        // Other texts in it, such as a part of an ID, are nobody's ID.
        assert!(["kiw", "iwi", "Hill", "1520023934.9", ""].map(has) == [false; 5]);
        let empty = format.empty_group();
        assert!(!format.has_client(&empty, |_| true).unwrap());
        let cut = &group[..group.len() / 2];
        assert!(format.has_client(cut, |_| false).is_err());
        assert!(format.has_client(&[9, 0, 0], |_| true).is_err());
    }
}

#[test]
fn the_largest_record_fits_and_a_full_group_says_so() {
    let largest = Record::new(
        &vec![b'x'; CLIENT_ID_BYTES_MAX],
        format!("+0.{}-0", "0".repeat(LOCATION_BYTES_MAX - 5)).as_bytes(),
        "0".repeat(REPORT_TIME_BYTES_MAX).as_bytes(),
        "s".repeat(SERVER_NAME_BYTES_MAX).into(),
        i64::MIN,
    )
    .unwrap();
    for format in [GroupFormat::PRESENT, GroupFormat::next()] {
        let mut builder = GroupBuilder::new(format);
        assert!(builder.try_push(&largest));
        assert!(!builder.try_push(&largest));
        let mut count = 1;
        while builder.try_push(&record(&format!("client{count}"), "Hill")) {
            count += 1;
        }
        let bytes = builder.finish();
        assert!(bytes.len() <= GROUP_BYTES_MAX);
        assert_eq!(format.decode(&bytes).unwrap().len(), count);
    }
}

#[test]
fn bytes_that_are_no_group_are_refused_with_a_reason() {
    let mut good = GroupBuilder::default();
    assert!(good.try_push(&record("kiwi", "Hill")));
    let good = good.finish();
    let with = |i: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[i] = byte;
        decode_group(&bytes).unwrap_err()
    };
    assert!(matches!(decode_group(b""), Err(GroupError::NoVersion)));
    assert!(matches!(with(0, 3), GroupError::UnknownVersion(3)));
    assert!(matches!(
        with(good.len() - 2, 1),
        GroupError::UnknownServer(1)
    ));
    assert!(matches!(
        with(9, b' '),
        GroupError::Record(InvalidRecord::ClientBlank)
    ));
    let mut longer = good.clone();
    longer.push(0);
    assert!(matches!(
        decode_group(&longer),
        Err(GroupError::LeftOver(1))
    ));
    for cut in 1..good.len() {
        assert!(decode_group(&good[..cut]).is_err(), "cut at {cut}");
    }
    let mut huge = good;
    huge.resize(GROUP_BYTES_MAX + 1, 0);
    assert!(matches!(decode_group(&huge), Err(GroupError::TooLong(_))));
}
