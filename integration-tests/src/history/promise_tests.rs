use super::super::samples::{Sample, at};
use super::super::{Harm, Level};
use super::*;

/// When the report of these tests was acknowledged, long after the beginning.
const AT_MS: u64 = 100_000;

/// Smith, with Hill and Campbell for neighbours, acknowledged a report; these befell servers.
fn levels(has_disks: bool, harms: &[(ServerIndex, u64, HarmKind)]) -> [bool; 4] {
    Level::ALL.map(|level| {
        let mut sample = Sample::new();
        sample.history.level = level;
        sample.history.has_disks = has_disks;
        let line = at("Smith", "kiwi", "2");
        sample.report(1, 1, AT_MS, "2", Some(&line));
        for &(server, at_ms, kind) in harms {
            sample.harm(server, at_ms, kind);
        }
        let promises = Promises::at(&sample.history, Duration::MAX);
        let record = Record::parse(line.as_bytes()).unwrap();
        promises.promised(&sample.history.calls[0], &record)
    })
}

#[test]
fn memory_promises_nothing_that_ends_the_server_at_once() {
    use HarmKind::{PowerLost, ProcessEnded};
    assert_eq!(levels(true, &[]), [true; 4]);
    for kind in [ProcessEnded, PowerLost] {
        let harms = [(1, AT_MS + 200, kind)];
        assert_eq!(levels(true, &harms), [false, true, true, true]);
        // The client read its reply only when the server was gone.
        let harms = [(1, AT_MS + 50, kind)];
        assert_eq!(levels(true, &harms), [false, true, true, true]);
    }
    let harms = [(1, AT_MS + 3_000, ProcessEnded)];
    assert_eq!(levels(true, &harms), [true; 4], "it was with the system");
    let harms = [(1, AT_MS + 3_000, PowerLost)];
    assert_eq!(levels(true, &harms), [false, true, true, true]);
    let harms = [(1, AT_MS + 6_000, PowerLost)];
    assert_eq!(levels(true, &harms), [true; 4], "it was synced");
}

#[test]
fn peer_levels_survive_the_loss_of_one_disk_only() {
    use HarmKind::{DiskLost, ProcessEnded};
    let lost = [
        (1, AT_MS + 5_000, ProcessEnded),
        (1, AT_MS + 5_100, DiskLost),
    ];
    assert_eq!(levels(true, &lost), [false, false, true, true]);
    let one_more = [&lost[..], &[(0, AT_MS + 150, ProcessEnded)]].concat();
    assert_eq!(levels(true, &one_more), [false, false, false, true]);
    let both = [&one_more[..], &[(0, AT_MS + 160, DiskLost)]].concat();
    assert_eq!(levels(true, &both), [false; 4]);
}

#[test]
fn without_disks_a_crash_loses_the_memory() {
    for kind in [HarmKind::ProcessEnded, HarmKind::Stopped] {
        let harms = [(1, AT_MS + 60_000, kind)];
        assert!(!levels(false, &harms)[0], "{kind:?}");
        assert!(levels(false, &harms)[2], "{kind:?}");
        let harms = [(1, AT_MS + 60_000, kind), (2, AT_MS + 70_000, kind)];
        assert!(!levels(false, &harms)[2], "{kind:?}");
    }
}

#[test]
fn an_orderly_stop_takes_nothing_from_a_disk() {
    let harms = [(1, AT_MS + 200, HarmKind::Stopped)];
    assert_eq!(levels(true, &harms), [true; 4]);
}

#[test]
fn a_neighbour_that_ended_just_before_may_have_been_the_one() {
    use HarmKind::ProcessEnded;
    let harms = [
        (1, AT_MS + 200, ProcessEnded),
        (0, AT_MS - 1_000, ProcessEnded),
    ];
    assert_eq!(levels(true, &harms), [false, true, false, true]);
}

#[test]
fn a_fresh_or_a_paused_process_writes_nothing() {
    use HarmKind::{ProcessBegan, ProcessEnded};
    let harms = [
        (1, AT_MS - 100, ProcessBegan(2)),
        (1, AT_MS + 4_000, ProcessEnded),
    ];
    assert_eq!(levels(true, &harms), [false, true, true, true]);
    let mut sample = Sample::new();
    sample.report(1, 1, AT_MS, "2", Some(&at("Smith", "kiwi", "2")));
    sample.history.harms.push(Harm {
        server: 1,
        from: Duration::from_millis(AT_MS),
        to: Duration::from_millis(AT_MS + 3_000),
        kind: HarmKind::Stalled,
    });
    sample.harm(1, AT_MS + 4_000, ProcessEnded);
    let promises = Promises::at(&sample.history, Duration::MAX);
    let had = Had {
        from: Duration::from_millis(AT_MS),
        by: Duration::from_millis(AT_MS + 100),
    };
    assert!(!promises.holds(1, had, RecordSafety::Merged));
    assert!(promises.holds(1, had, RecordSafety::Synced));
}

#[test]
fn a_full_disk_takes_nothing_more() {
    use HarmKind::{DiskFull, ProcessEnded};
    let harms = [
        (1, AT_MS + 1_000, DiskFull),
        (1, AT_MS + 60_000, ProcessEnded),
    ];
    assert_eq!(levels(true, &harms), [false, true, true, true]);
    let harms = [
        (1, AT_MS + 30_000, DiskFull),
        (1, AT_MS + 60_000, ProcessEnded),
    ];
    assert_eq!(levels(true, &harms), [true; 4], "it was written before");
}

#[test]
fn a_report_replaced_during_a_crash_of_all_is_excused() {
    let mut sample = Sample::new();
    sample.history.level = Level::DiskAndPeer;
    let line = at("Smith", "kiwi", "2");
    sample.report(1, 1, AT_MS, "2", Some(&line));
    for server in 0..3 {
        sample.harm(server, AT_MS + 40_000, HarmKind::ProcessEnded);
    }
    sample.harm(1, AT_MS + 40_100, HarmKind::DiskLost);
    let record = Record::parse(line.as_bytes()).unwrap();
    let promised = |sample: &Sample| {
        let promises = Promises::at(&sample.history, Duration::MAX);
        promises.promised(&sample.history.calls[0], &record)
    };
    assert!(promised(&sample));
    sample.report(
        2,
        1,
        AT_MS + 39_000,
        "3",
        Some(&at("Campbell", "kiwi", "3")),
    );
    assert!(!promised(&sample));
    sample.history.calls[1].invoked -= Duration::from_secs(20);
    sample.history.calls[1].completed -= Duration::from_secs(20);
    assert!(promised(&sample), "the other is as safe by then");
}
