use super::*;
use crate::testing::{AllLive, record};

#[test]
fn a_heard_record_is_found_and_pending_once() {
    let locations = Locations::default();
    assert_eq!(locations.report(record("kiwi", "1")), Outcome::New);
    assert_eq!(locations.report(record("kiwi", "2")), Outcome::Newer);
    assert_eq!(locations.report(record("kiwi", "1")), Outcome::Stale);
    assert_eq!(locations.find(b"kiwi").unwrap().time_text(), b"2");
    assert!(locations.find(b"kiw").is_none());
    assert_eq!(locations.pending_len(), 1);
    assert_eq!(locations.take_work().pending.len(), 1);
    assert_eq!(locations.pending_len(), 0);
}

#[test]
fn a_batch_is_counted_at_its_end_and_found_before() {
    let locations = Locations::default();
    let mut reports = locations.begin_reports();
    assert_eq!(reports.report(record("kiwi", "1")), Outcome::New);
    assert_eq!(reports.report(record("emu", "1")), Outcome::New);
    assert!(locations.find(b"kiwi").is_some());
    // A publisher that looks meanwhile has them, and the count is right in the end.
    assert_eq!(locations.take_work().pending.len(), 2);
    assert_eq!(locations.pending_len(), 0);
    assert_eq!(
        reports.report(record("kiwi", "2").borrowed()),
        Outcome::Newer
    );
    drop(reports);
    assert_eq!(locations.pending_len(), 0, "it is pending as it was");
    assert_eq!(locations.outcomes().get(Outcome::New), 2);
    assert_eq!(locations.outcomes().get(Outcome::Newer), 1);
    assert_eq!(locations.republish_all(), 2);
    assert_eq!(locations.take_backlog(9).len(), 2);
    assert_eq!(locations.pending_len(), 0);
}

#[test]
fn a_delivered_record_is_found_and_not_published() {
    let locations = Locations::default();
    let records = vec![record("kiwi", "1"), record("emu", "1"), record("emu", "1")];
    let delivery = locations.deliver(records, PublisherId(1), &AllLive);
    assert_eq!(
        delivery,
        Delivery {
            changed: 2,
            unchanged: 1,
            given_up: 0,
        }
    );
    assert_eq!(locations.len(), 2);
    assert_eq!(locations.pending_len(), 0);
    assert_eq!(locations.relying_on(PublisherId(1)), 2);
    assert_eq!(locations.adopt(|record, _| record.client() == b"emu"), 1);
    assert_eq!(locations.take_backlog(9).len(), 1);
    assert_eq!(locations.outcomes().get(Outcome::Same), 1);
}

#[tokio::test]
async fn a_record_below_the_floor_is_not_found() {
    let locations = Locations::default();
    for second in 0..1_000 {
        let client = format!("client{second}");
        locations.report(record(&client, &second.to_string()));
    }
    let mut map = &locations;
    for hash in locations.take_work().pending {
        map.place_pending(hash, &mut |_| SlotId(3));
    }
    let floor_ns = 400 * herd_crdt::NANOSECONDS_PER_SECOND;
    assert_eq!(locations.raise_floor(floor_ns).await, 400);
    assert_eq!(locations.raise_floor(0).await, 0, "it never falls");
    assert_eq!(locations.floor_ns(), floor_ns);
    assert_eq!(locations.len(), 600);
    assert_eq!(locations.take_work().deaths.len(), 400);
    assert!(locations.find(b"client399").is_none());
    assert!(locations.find(b"client400").is_some());
    assert_eq!(locations.report(record("kiwi", "399")), Outcome::Expired);
    assert_eq!(locations.outcomes().get(Outcome::Expired), 1);
    assert_eq!(locations.pending_len(), 0);
}
