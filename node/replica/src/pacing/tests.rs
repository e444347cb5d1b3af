//! Pushes and rounds over time, without a runtime.

use super::*;
use crate::push::NodeVersions;
use crate::report::Applied;
use crate::timing::BUSY_FOR;

const MS: Duration = Duration::from_millis(1);

const CHANNEL: Channel = Channel {
    connection: 1,
    dropped: 0,
};

fn ended(answered: Option<bool>, delta_bytes: usize, progress: u64) -> RoundEnd {
    RoundEnd {
        answered,
        channel: CHANNEL,
        delta_bytes,
        progress,
    }
}

/// A pacer whose first round was answered, and the time since when.
fn after_a_round(dials: bool) -> (Pacing, Instant) {
    let start = crate::testing::start();
    let mut pacing = Pacing::new(dials, start);
    pacing.note_woken(false, false, start);
    let now = start + ROUND_GAP;
    assert_eq!(pacing.next(now, LinkView::default()), Step::Round);
    assert!(pacing.note_round(ended(Some(true), 0, 1), now));
    (pacing, now)
}

fn news() -> Comparison {
    Comparison(vec![NodeVersions {
        incarnation: Incarnation {
            server: "Hill".into(),
            generation: 1,
        },
        own_version: 5,
        neighbours_version: 3,
    }])
}

fn report(merged: u64) -> AppliedReport {
    let hill = Incarnation {
        server: "Hill".into(),
        generation: 1,
    };
    AppliedReport::new([(hill, Applied { merged, durable: 0 })])
}

#[test]
fn without_news_a_round_begins_now_and_then() {
    let (mut pacing, now) = after_a_round(true);
    let until = now + IDLE_ROUND;
    assert_eq!(pacing.next(now, LinkView::default()), Step::Rest { until });
    pacing.note_woken(false, false, until);
    assert_eq!(pacing.next(until, LinkView::default()), Step::Round);
}

#[test]
fn news_are_pushed_and_a_question_takes_a_round() {
    let (mut pacing, now) = after_a_round(true);
    let now = now + 10 * MS;
    pacing.note_woken(true, false, now);
    assert_eq!(pacing.next(now, LinkView::default()), Step::Push);
    assert!(pacing.may_push(&report(3), CHANNEL));
    pacing.note_push(Some(true), 10, &news(), 1, now);
    let rest =
        |pacing: &mut Pacing| matches!(pacing.next(now, LinkView::default()), Step::Rest { .. });
    assert!(rest(&mut pacing));
    pacing.note_woken(true, true, now);
    assert_eq!(pacing.next(now, LinkView::default()), Step::Round);
}

#[test]
fn the_next_push_waits_longer_until_the_last_one_is_reported() {
    let (mut pacing, now) = after_a_round(true);
    let now = now + 10 * MS;
    pacing.note_woken(true, false, now);
    assert_eq!(pacing.next(now, LinkView::default()), Step::Push);
    pacing.note_push(Some(true), 10, &news(), 1, now);
    pacing.note_woken(true, false, now);
    let (before, after) = (report(3), report(5));
    let view = |report| LinkView {
        report: Some(report),
        ..LinkView::default()
    };
    let until = now + ROUND_GAP;
    assert_eq!(pacing.next(now, view(&before)), Step::Sleep { until });
    let until = now + PUSH_GAP;
    assert_eq!(pacing.next(now, view(&after)), Step::Sleep { until });
    assert_eq!(pacing.next(until, view(&after)), Step::Push);
}

#[test]
fn what_was_not_sent_whole_is_up_to_a_round() {
    for (sent, delta_bytes) in [(None, 0), (Some(false), 0), (Some(true), FULL_DELTA_BYTES)] {
        let (mut pacing, now) = after_a_round(true);
        let now = now + ROUND_GAP;
        pacing.note_woken(true, false, now);
        assert_eq!(pacing.next(now, LinkView::default()), Step::Push);
        pacing.note_push(sent, delta_bytes, &news(), 1, now);
        assert_eq!(pacing.next(now, LinkView::default()), Step::Round);
        assert!(!pacing.may_push(&report(3), CHANNEL), "only a round tells");
    }
}

#[test]
fn behind_a_full_delta_nothing_is_pushed() {
    let start = crate::testing::start();
    let now = start + ROUND_GAP;
    let may_push_after = |delta_bytes| {
        let mut pacing = Pacing::new(false, start);
        pacing.note_woken(false, false, start);
        assert_eq!(pacing.next(now, LinkView::default()), Step::Round);
        pacing.note_round(ended(Some(true), delta_bytes, 1), now);
        pacing.may_push(&report(3), CHANNEL)
    };
    assert!(may_push_after(FULL_DELTA_BYTES - 1));
    assert!(
        !may_push_after(FULL_DELTA_BYTES),
        "more may be left than was sent"
    );
}

#[test]
fn on_a_busy_link_the_side_that_connected_it_begins_rounds() {
    for dials in [true, false] {
        let (mut pacing, start) = after_a_round(dials);
        let busy = LinkView {
            busy_until: Some(start + BUSY_FOR),
            theirs_last_began: Some(start),
            ..LinkView::default()
        };
        let now = start + ROUND_GAP;
        pacing.note_woken(true, false, now);
        let until = start + BUSY_ROUND_GAP;
        assert_eq!(pacing.next(now, busy), Step::Sleep { until }, "no push");
        let theirs = start + BUSY_TURN_GAP;
        let expected = match dials {
            true => Step::Round,
            false => Step::Sleep { until: theirs },
        };
        assert_eq!(pacing.next(until, busy), expected);
        if !dials {
            assert_eq!(pacing.next(theirs, busy), Step::Round, "it began none");
        }
    }
}

#[test]
fn full_deltas_follow_each_other_until_they_bring_nothing() {
    let (mut pacing, now) = after_a_round(true);
    let now = now + IDLE_ROUND;
    pacing.note_woken(false, false, now);
    let view = |progress| LinkView {
        progress,
        ..LinkView::default()
    };
    for progress in 1..100 {
        assert_eq!(pacing.next(now, view(progress)), Step::Round);
        pacing.note_round(ended(Some(true), FULL_DELTA_BYTES, progress + 1), now);
    }
    let mut fruitless = 0;
    while pacing.next(now, view(100)) == Step::Round {
        fruitless += 1;
        pacing.note_round(ended(Some(true), FULL_DELTA_BYTES, 100), now);
    }
    assert_eq!(fruitless, FRUITLESS_ROUNDS_MAX + 1);
}

#[test]
fn a_late_answer_confirms_no_later_question() {
    let (mut pacing, now) = after_a_round(true);
    let now = now + IDLE_ROUND;
    pacing.note_woken(false, true, now);
    assert_eq!(pacing.next(now, LinkView::default()), Step::Round);
    assert!(!pacing.note_round(ended(None, 0, 1), now));
    pacing.note_woken(false, true, now);
    let later = now + ROUND_GAP;
    assert_eq!(pacing.next(later, LinkView::default()), Step::Round);
    assert!(
        !pacing.note_round(ended(Some(true), 0, 1), later),
        "it may be the first one's"
    );
}
