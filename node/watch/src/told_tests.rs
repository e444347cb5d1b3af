//! What a record is to a watcher.

use herd_crdt::Location;

use super::super::budget::Budget;
use super::super::subject::Around;
use super::*;

fn told(subject: Subject) -> Told {
    Told::new(subject, Budget::new(1_000).share())
}

fn record(client: &str, location: &str) -> Record {
    let (client, location) = (client.as_bytes(), location.as_bytes());
    Record::new(client, location, b"1", "Hill".into(), 0).unwrap()
}

fn look(told: &mut Told, client: &str, location: &str) -> Option<Verdict> {
    told.look(client.as_bytes(), Some(&record(client, location)))
}

#[test]
fn a_client_is_gone_only_if_it_was_told() {
    let mut told = told(Subject::Client(b"kiwi"[..].into()));
    assert_eq!(told.look(b"kiwi", None), None);
    assert_eq!(look(&mut told, "kiwi", "+1+1"), Some(Verdict::At));
    assert_eq!(look(&mut told, "emu", "+1+1"), None);
    assert_eq!(told.look(b"kiwi", None), Some(Verdict::Gone));
    assert_eq!(told.look(b"kiwi", None), None);
}

#[test]
fn a_client_that_wavers_at_the_border_is_told_once() {
    let center = Location::parse(b"+0+0").unwrap().coordinates();
    // A degree is 111.195 km.
    let mut told = told(Subject::Area(WatchedArea::circle(
        center,
        Some(111_200.0),
        2_000.0,
    )));
    assert_eq!(look(&mut told, "emu", "+1.001+0"), None);
    assert_eq!(look(&mut told, "emu", "+1+0"), Some(Verdict::Enter));
    for _ in 0..3 {
        assert_eq!(look(&mut told, "emu", "+1.01+0"), Some(Verdict::At));
        assert_eq!(look(&mut told, "emu", "+1+0"), Some(Verdict::At));
    }
    assert_eq!(look(&mut told, "emu", "+1.02+0"), Some(Verdict::Leave));
    assert_eq!(
        look(&mut told, "emu", "+1.01+0"),
        None,
        "not inside by the radius"
    );
    assert_eq!(look(&mut told, "emu", "+1+0"), Some(Verdict::Enter));
    assert_eq!(told.look(b"emu", None), Some(Verdict::Gone));
    assert_eq!(told.look(b"emu", None), None);
    assert_eq!(told.inside(), 0);
}

#[test]
fn a_centre_takes_its_area_along() {
    let mut told = told(Subject::Around(Around {
        client: b"van"[..].into(),
        radius_m: Some(1_000.0),
        margin_m: 0.0,
    }));
    assert_eq!(look(&mut told, "emu", "+1+1"), None, "nowhere yet");
    assert_eq!(told.look_at_centre(None), None);
    assert_eq!(
        told.look_at_centre(Some(&record("van", "+1+1"))),
        Some(Verdict::Centre)
    );
    assert_eq!(
        look(&mut told, "van", "+1+1"),
        None,
        "it is not inside itself"
    );
    assert_eq!(look(&mut told, "emu", "+1+1"), Some(Verdict::Enter));
    assert_eq!(
        told.look_at_centre(Some(&record("van", "+2+2"))),
        Some(Verdict::Centre)
    );
    assert_eq!(look(&mut told, "emu", "+1+1"), Some(Verdict::Leave));
    assert_eq!(look(&mut told, "emu", "+2+2"), Some(Verdict::Enter));
    assert_eq!(told.look_at_centre(None), Some(Verdict::Gone));
    assert_eq!(look(&mut told, "emu", "+2+2"), Some(Verdict::Leave));
    assert_eq!(told.look_at_centre(None), None);
}

#[test]
fn clients_inside_have_a_bound() {
    use super::super::budget::UNCOUNTED_UNITS;
    let center = Location::parse(b"+0+0").unwrap().coordinates();
    let area = || Subject::Area(WatchedArea::circle(center, None, 0.0));
    let budget = Budget::new(1);
    let mut told = Told::new(area(), budget.share());
    for number in 0..=UNCOUNTED_UNITS {
        look(&mut told, &number.to_string(), "+1+1");
        assert!(told.has_room());
    }
    look(&mut told, "one_more", "+1+1");
    assert!(!told.has_room());
    drop(told);
    assert_eq!(budget.units(), 0);
    // Long IDs are fewer.
    let mut told = Told::new(area(), budget.share());
    let long = "x".repeat(herd_crdt::CLIENT_ID_BYTES_MAX);
    look(&mut told, &long, "+1+1");
    look(&mut told, "a", "+1+1");
    assert!(told.has_room());
    told.look(long.as_bytes(), None);
    look(&mut told, &long[1..], "+1+1");
    assert!(told.has_room());
    look(&mut told, &long, "+1+1");
    assert!(!told.has_room());
}
