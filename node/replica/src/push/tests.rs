//! When news may be pushed, and what a neighbour is presumed to have.

use super::*;
use crate::report::Applied;

fn incarnation(server: &str) -> Incarnation {
    Incarnation {
        server: server.into(),
        generation: 7,
    }
}

fn report(versions: &[(&str, u64)]) -> AppliedReport {
    AppliedReport::new(versions.iter().map(|&(server, merged)| {
        let applied = Applied { merged, durable: 0 };
        (incarnation(server), applied)
    }))
}

/// Of each server its version here, and the neighbour's.
fn comparison(versions: &[(&str, u64, u64)]) -> Comparison {
    let node = |&(server, own_version, neighbours_version): &(&str, _, _)| NodeVersions {
        incarnation: incarnation(server),
        own_version,
        neighbours_version,
    };
    Comparison(versions.iter().map(node).collect())
}

const CHANNEL: Channel = Channel {
    connection: 3,
    dropped: 0,
};

/// What it took part in tells what reports leave open: who knows whom at all.
#[test]
fn the_first_round_of_a_connection_comes_before_any_push() {
    let mut pushed = Pushed::default();
    assert!(!pushed.may_push(CHANNEL));
    pushed.note_round(CHANNEL);
    assert!(pushed.may_push(CHANNEL));
    let another = Channel {
        connection: 4,
        ..CHANNEL
    };
    assert!(!pushed.may_push(another));
    pushed.forget();
    assert!(!pushed.may_push(CHANNEL));
}

#[test]
fn what_is_on_its_way_is_not_pushed_again() {
    let mut pushed = Pushed::default();
    pushed.note_round(CHANNEL);
    pushed.note_pushed(&comparison(&[("Hill", 9, 4), ("Smith", 2, 2)]));
    let of = |pushed: &Pushed, versions, server| {
        pushed.presumed(
            &report(versions),
            &incarnation("Jaquez"),
            &incarnation(server),
        )
    };
    assert_eq!(of(&pushed, &[("Hill", 4)], "Hill"), Some(9), "on its way");
    assert_eq!(
        of(&pushed, &[("Hill", 12)], "Hill"),
        Some(12),
        "from others"
    );
    assert_eq!(of(&pushed, &[("Hill", 4)], "Smith"), None, "never heard of");
    assert_eq!(of(&pushed, &[], "Jaquez"), Some(EVERYTHING), "its own");
    pushed.note_round(CHANNEL);
    assert_eq!(of(&pushed, &[("Hill", 4)], "Hill"), Some(9));
    let another = Channel {
        connection: 4,
        ..CHANNEL
    };
    pushed.note_round(another);
    assert_eq!(
        of(&pushed, &[("Hill", 4)], "Hill"),
        Some(4),
        "lost with its connection"
    );
}

/// Else a link that stands still would be fed until its queue drops what is older, such as answers to the neighbour.
#[test]
fn pushes_stop_at_a_silent_or_lossy_neighbour() {
    let mut pushed = Pushed::default();
    pushed.note_round(CHANNEL);
    for version in 1..=PUSHES_AHEAD_MAX as u64 {
        assert!(pushed.may_push(CHANNEL));
        pushed.note_pushed(&comparison(&[("Hill", version, version - 1)]));
        pushed.note_report(&report(&[("Hill", 0)]));
    }
    assert!(!pushed.may_push(CHANNEL));
    pushed.note_report(&report(&[("Hill", PUSHES_AHEAD_MAX as u64)]));
    assert!(pushed.may_push(CHANNEL), "it has all");
    assert!(pushed.versions.is_empty());
    let dropped = Channel {
        dropped: 1,
        ..CHANNEL
    };
    assert!(!pushed.may_push(dropped));
    pushed.note_round(dropped);
    assert!(pushed.may_push(dropped));
}
