//! Lines to commands: an accepted report is a record, and its AT line makes the same record.

use herd_crdt::{Location, Record, ReportTime};
use herd_grid::Rectangle;
use herd_protocol::{AtLine, CLIENTS_MAX, Command, Fields, RESULTS_MAX, Reply, Watch};
use herd_server::control::{parse_record, write_record};

pub(super) fn run(line: &[u8]) {
    match Command::parse(line) {
        Ok(Some(Command::Iamat(iamat))) => {
            let operands = &iamat.operands;
            let record = Record::new(
                operands.client(),
                operands.location(),
                operands.time(),
                "Hill".into(),
                1,
            );
            let Ok(record) = record else {
                panic!("a command that is not a record");
            };
            let mut at = Vec::new();
            AtLine::of(&record).write(&mut at);
            // The form of a dump; a difference that no clock can have made is no record there.
            let again = parse_record(&at, |name| name.into());
            assert_eq!(again.as_ref(), Ok(&record));
            let center = record.location().map(|location| location.coordinates());
            let Some(center) = center else {
                panic!("a record without a location");
            };
            assert!(center.latitude_degrees.abs() <= 90.0);
            assert!(center.longitude_degrees.abs() <= 180.0);
        }
        Ok(Some(Command::Whatsat(whatsat))) => {
            assert!((0.0..=50_000.0).contains(&whatsat.radius.metres()));
            assert!(whatsat.results_max <= RESULTS_MAX);
        }
        Ok(Some(Command::Nearby(nearby))) => {
            let metres = nearby.radius.map_or(0.0, |radius| radius.metres());
            assert!((0.0..=20_100_000.0).contains(&metres));
            assert!(nearby.limit <= CLIENTS_MAX);
        }
        Ok(Some(Command::Within(within))) => {
            holds_its_corners(within.southwest, within.northeast);
            assert!(within.limit <= CLIENTS_MAX);
        }
        Ok(Some(Command::Watch(watch))) => watched(&watch),
        Ok(Some(Command::Unwatch)) => {
            let mut fields = Fields::new(line);
            assert_eq!(
                (fields.next(), fields.next()),
                (Some(&b"UNWATCH"[..]), None)
            );
        }
        Ok(Some(Command::Forget(forget))) => check_forget(forget.client),
        Ok(None) => assert!(line.iter().all(|&byte| herd_crdt::is_blank(byte))),
        Err(_) => {
            let mut reply = Vec::new();
            Reply::Invalid(line).write(&mut reply);
            assert_eq!(reply.len(), line.len() + 3);
        }
    }
}

fn holds_its_corners(southwest: &[u8], northeast: &[u8]) {
    let Ok(rectangle) = Rectangle::new(southwest, northeast) else {
        panic!("a box that is none");
    };
    for corner in [southwest, northeast] {
        let corner = Location::parse(corner);
        assert!(corner.is_ok_and(|corner| rectangle.contains(&corner)));
    }
}

fn watched(watch: &Watch<'_>) {
    match watch {
        Watch::Client(id) | Watch::Prefix(id) => assert!(!id.is_empty()),
        Watch::All => {}
        Watch::Within {
            southwest,
            northeast,
        } => holds_its_corners(southwest, northeast),
        Watch::Point { radius, margin, .. } | Watch::Nearby { radius, margin, .. } => {
            for distance in [radius, margin] {
                let metres = distance.map_or(0.0, |distance| distance.metres());
                assert!((0.0..=20_100_000.0).contains(&metres));
            }
        }
    }
}

/// A client that may be forgotten has a tombstone, whose line in a dump makes the same tombstone.
fn check_forget(client: &[u8]) {
    let tombstone = Record::tombstone(client, ReportTime::of_ns(1), "Hill".into(), 1);
    let Ok(tombstone) = tombstone else {
        panic!("a client that cannot be forgotten");
    };
    let mut gone = Vec::new();
    write_record(&tombstone, &mut gone);
    gone.pop();
    let again = parse_record(&gone, |name| name.into());
    assert_eq!(again.as_ref(), Ok(&tombstone));
}
