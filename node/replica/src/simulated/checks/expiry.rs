//! Records expire by the true time, whatever some clocks show: never early, and in the end all.

use std::time::Duration;

/// A floor may be ahead of the truth by the part of the time by which `docs/expiry.md` lets fast clocks carry it along,
const FAST_PART: i64 = 16;

/// and by this: the clock's last small step, and the time between a clock and its report.
const SLACK_NS: i64 = 2_000_000_000;

/// The times of a herd, in ns since the epoch or in ns.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Times {
    pub(in super::super) true_ns: i64,
    /// Since the herd began.
    pub(in super::super) passed_ns: i64,
    pub(in super::super) expire_after: Duration,
}

/// # Errors
/// The floor has taken records that were not old.
pub(in super::super) fn is_not_early(floor_ns: i64, times: Times) -> Result<(), String> {
    let after_ns = nanoseconds(times.expire_after);
    let latest_ns = times.true_ns - after_ns + times.passed_ns / FAST_PART + SLACK_NS;
    if floor_ns > latest_ns {
        let early_ms = (floor_ns - latest_ns) / 1_000_000;
        return Err(format!(
            "the floor is {early_ms} ms ahead of the latest time"
        ));
    }
    Ok(())
}

/// To be asked of a herd whose clocks are right, and to which nobody has reported for twice the time after which records
/// expire: a server that has started since may wait for all of that time once.
///
/// # Errors
/// Records that should have left.
pub(in super::super) fn nothing_stays(records: usize) -> Result<(), String> {
    match records {
        0 => Ok(()),
        records => Err(format!("{records} records have outlived their time")),
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[test]
fn floors_that_are_early_and_records_that_stay_are_found() {
    let second = 1_000_000_000;
    let times = Times {
        true_ns: 1_000 * second,
        passed_ns: 16 * second,
        expire_after: Duration::from_secs(100),
    };
    assert_eq!(is_not_early(903 * second, times), Ok(()));
    assert!(is_not_early(904 * second, times).is_err());
    assert_eq!(nothing_stays(0), Ok(()));
    assert!(nothing_stays(1).is_err());
}
