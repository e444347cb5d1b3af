//! What a watcher was told, folded, is what its server answers.

use herd_locations::StreamFault;

/// `checked` is the comparison of a stream with the map of its server.
///
/// # Errors
/// What the watcher knows otherwise.
pub(in super::super) fn tells_what_is_so(
    server: &str,
    checked: Result<(), StreamFault>,
) -> Result<(), String> {
    checked.map_err(|fault| format!("a watcher of {server}: {fault}"))
}

#[test]
fn a_client_that_goes_without_a_notification_is_found() {
    use herd_crdt::Record;
    use herd_locations::{CheckedWatch, Locations, Progress};
    use herd_watch::Subject;

    use super::super::floor::at_once;

    let locations = Locations::default();
    let record = |client: &[u8], time: &[u8]| {
        let record = Record::new(client, b"+1+1", time, "Hill".into(), 0);
        locations.report(record.unwrap());
    };
    record(b"kiwi", b"1");
    record(b"emu", b"2");
    let mut watch = CheckedWatch::begin(&locations, Subject::All, 9);
    for (second, is_lost) in [(2, false), (3, true)] {
        let floor_ns = second * herd_crdt::NANOSECONDS_PER_SECOND;
        assert_eq!(watch.catch_up(&locations), Progress::Idle);
        assert_eq!(tells_what_is_so("Hill", watch.check(&locations)), Ok(()));
        at_once(locations.raise_floor(floor_ns));
        assert!(!is_lost || watch.lose_a_mark());
        assert_eq!(watch.catch_up(&locations), Progress::Idle);
        let told = tells_what_is_so("Hill", watch.check(&locations));
        assert_eq!(told.is_err(), is_lost);
    }
}
