use super::*;

fn record(server: &str, location: &str, time: &str, received_ns: i64) -> Record {
    Record::new(
        b"kiwi",
        location.as_bytes(),
        time.as_bytes(),
        server.into(),
        received_ns,
    )
    .unwrap()
}

fn tombstone(server: &str, time: &str, received_ns: i64) -> Record {
    let time = ReportTime::parse(time.as_bytes()).unwrap();
    Record::tombstone(b"kiwi", time, server.into(), received_ns).unwrap()
}

#[test]
fn the_order_is_time_tombstone_server_location_text_difference() {
    let ascending = [
        record("Smith", "+9+9", "1.5", 10),
        record("Hill", "+1+1", "1.500000001", 0),
        record("Jaquez", "+1+1", "1.500000001", 9),
        record("Jaquez", "+1+2", "1.500000001", 9),
        record("Jaquez", "+1+2", "2", 9),
        record("Jaquez", "+1+2", "2.0", 9),
        record("Jaquez", "+1+2", "2.0", 8),
        tombstone("Hill", "2", 9),
        tombstone("Jaquez", "2", 9),
        tombstone("Jaquez", "2", 8),
        record("Hill", "+1+1", "2.000000001", 9),
    ];
    for (i, a) in ascending.iter().enumerate() {
        for (j, b) in ascending.iter().enumerate() {
            assert_eq!(a.order(b), i.cmp(&j), "{a:?} against {b:?}");
        }
    }
}

#[test]
fn a_tombstone_has_no_place_and_outlives_the_floor() {
    let tombstone = tombstone("Hill", "-1.5", 7);
    assert!(tombstone.is_tombstone() && tombstone.borrowed().is_tombstone());
    assert_eq!(tombstone.quantized(), None);
    assert!(tombstone.location().is_none() && tombstone.location_text().is_empty());
    assert_eq!(tombstone.time_text(), b"-1.500000000");
    assert_eq!(tombstone.expires_ns(), TOMBSTONE_SLACK_NS - 1_500_000_000);
    let last = Record::tombstone(b"kiwi", ReportTime::of_ns(i64::MAX), "Hill".into(), 0);
    assert_eq!(last.unwrap().expires_ns(), i64::MAX);
    let located = record("Hill", "+1+1", "2", 7);
    assert!(!located.is_tombstone());
    assert_eq!(located.expires_ns(), located.time().ns());
}

#[test]
fn a_difference_may_exceed_64_bits() {
    let record = record("Hill", "+1+1", "-9223372036.854775808", i64::MAX);
    assert_eq!(
        record.difference_ns(),
        i128::from(i64::MAX) - i128::from(i64::MIN)
    );
}

#[test]
fn texts_come_back_byte_for_byte() {
    let record = Record::new(b"\xff\x00", b"+1.0-2", b"+3.50", "Hill".into(), 7).unwrap();
    assert_eq!(record.client(), b"\xff\x00");
    assert_eq!(record.location_text(), b"+1.0-2");
    assert_eq!(record.time_text(), b"+3.50");
}

#[test]
fn an_assigned_record_equals_its_source() {
    let others = [
        record("Hill", "+1+10", "2", 7),
        record("Hill", "+10+1", "3", 8),
        record("Hill", "+1+1", "4.0", 9),
        record("Smith", "+1+1.25", "5.000", 10),
        record("Smith", "+1+1", "6", 11),
        tombstone("Smith", "7", 12),
        tombstone("Hill", "8", 12),
        record("Hill", "+1+1", "9", 13),
    ];
    let mut taken_over = record("Hill", "+1+1", "1", 0);
    for other in others {
        other.borrowed().replace(&mut taken_over);
        assert_eq!(taken_over, other);
        let quantized = other.location().map(|location| location.quantized());
        assert_eq!(taken_over.quantized(), quantized);
        assert_eq!(taken_over.location_text(), other.location_text());
        assert_eq!(taken_over.difference_ns(), other.difference_ns());
        assert_eq!(other.borrowed().into_record(), other);
    }
}

#[test]
fn about_where_it_is_takes_no_room() {
    assert!(size_of::<Record>() <= 56);
}

#[test]
fn every_text_is_checked() {
    let new = |client: &[u8], location: &[u8], time: &[u8], server: &str| {
        Record::new(client, location, time, server.into(), 0).unwrap_err()
    };
    let long = vec![b'a'; CLIENT_ID_BYTES_MAX + 1];
    assert_eq!(new(b"", b"+1+1", b"1", "Hill"), InvalidRecord::ClientLength);
    assert_eq!(
        new(&long, b"+1+1", b"1", "Hill"),
        InvalidRecord::ClientLength
    );
    assert_eq!(
        new(b"a\x0bb", b"+1+1", b"1", "Hill"),
        InvalidRecord::ClientBlank
    );
    assert_eq!(new(b"a", b"+1+1", b"1", ""), InvalidRecord::ServerLength);
    assert_eq!(new(b"a", b"+1+1", b"1", "H ll"), InvalidRecord::ServerText);
    assert!(matches!(
        new(b"a", b"+91+1", b"1", "Hill"),
        InvalidRecord::Location(_)
    ));
    assert!(matches!(
        new(b"a", b"+1+1", b"1e3", "Hill"),
        InvalidRecord::Time(_)
    ));
}
