//! A report gets the error reply only where a rule says so: its time is too far ahead of the server's clock, or it
//! could not be made as safe as the level asks.

use std::time::Duration;

use super::super::record::nanoseconds;
use super::super::{Call, ClientCommand, ClientReply, HarmKind, History, ServerIndex};
use super::{Finding, about};

/// A server may be this much earlier with its refusal than a client measures.
const CLOCK_SLACK: Duration = Duration::from_millis(50);

/// Wall clock and monotonic clock of the machine may drift by this during a run.
const DRIFT_NS: i128 = 2_000_000_000;

pub(super) fn check(history: &History) -> Vec<Finding> {
    let refused = history
        .calls
        .iter()
        .filter(|call| matches!(call.reply, ClientReply::Refused(_)));
    let mut found = Vec::new();
    for call in refused {
        let ClientCommand::Report { time, .. } = &call.command else {
            continue; // The checkers of promises look at these.
        };
        let time_ns = nanoseconds(time.as_bytes());
        if !is_ahead(history, call, time_ns) && !is_unsafe(history, call) {
            let text = format!("refused for no reason\n{}", call.show(&history.names));
            found.push(about("refusals", call.command.client(), text));
        }
    }
    found
}

/// Whether the report came from too far ahead of the server's clock at any time of the call.
fn is_ahead(history: &History, call: &Call, time_ns: Option<i128>) -> bool {
    let mut ahead_s = vec![0];
    for harm in history
        .harms
        .iter()
        .filter(|harm| harm.server == call.process.server)
    {
        if let HarmKind::ClockSet(s) = harm.kind
            && harm.from <= call.completed
        {
            if harm.to < call.invoked {
                ahead_s.clear();
            }
            ahead_s.push(s);
        }
    }
    let behind_most = ahead_s.into_iter().min().unwrap_or(0);
    let clock_ns = history.began_ns
        + call.invoked.as_nanos() as i128
        + i128::from(behind_most) * 1_000_000_000;
    let allowed_ns = clock_ns + history.clock_skew_max.as_nanos() as i128 - DRIFT_NS;
    time_ns.is_none_or(|time_ns| time_ns > allowed_ns)
}

/// Whether the report may not have been made safe: the time for it was over, or a disk that it needs had failed.
fn is_unsafe(history: &History, call: &Call) -> bool {
    let level = history.level;
    let waited = call.completed.saturating_sub(call.invoked) + CLOCK_SLACK;
    let server = call.process.server;
    let is_late = (level.needs_disk() || level.needs_peer()) && waited >= history.ack_timeout;
    let own_failed = level.needs_disk() && has_failed(history, server, call);
    let all_others_failed = level.needs_disk()
        && level.needs_peer()
        && history
            .neighbours(server)
            .any(|neighbour| has_failed(history, neighbour, call));
    is_late || own_failed || all_others_failed
}

/// Whether a server's store may have failed, or the server was about to stop, during the call.
fn has_failed(history: &History, server: ServerIndex, call: &Call) -> bool {
    history.harms.iter().any(|harm| {
        harm.server == server
            && matches!(
                harm.kind,
                HarmKind::DiskFull | HarmKind::PowerLost | HarmKind::Stopped
            )
            && harm.from <= call.completed
            && harm.to >= call.invoked
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::Level;
    use super::super::super::samples::Sample;
    use super::*;

    fn refused(level: Level, time: &str) -> Sample {
        let mut sample = Sample::new();
        sample.history.level = level;
        sample.report(0, 1, 10_000, time, None);
        sample
    }

    #[test]
    fn a_refusal_for_no_reason_is_found() {
        for level in Level::ALL {
            assert_eq!(check(&refused(level, "2").history).len(), 1, "{level}");
        }
    }

    #[test]
    fn a_time_too_far_ahead_is_a_reason() {
        // The sample begins at 1,000,000 s, and the report is 10 s later.
        for (time, found) in [("1007208", 1), ("1007211", 0)] {
            let sample = refused(Level::Memory, time);
            assert_eq!(check(&sample.history).len(), found, "{time}");
        }
        let mut sample = refused(Level::Memory, "1000500");
        sample.harm(0, 2_000, HarmKind::ClockSet(-7_200));
        assert_eq!(check(&sample.history), []);
        sample.harm(0, 3_000, HarmKind::ClockSet(7_200));
        assert_eq!(check(&sample.history).len(), 1);
    }

    #[test]
    fn a_late_error_reply_is_excused_where_there_is_a_level() {
        for (level, found) in Level::ALL.into_iter().zip([1, 0, 0, 0]) {
            let mut sample = refused(level, "2");
            sample.history.calls[0].completed += Duration::from_secs(2);
            assert_eq!(check(&sample.history).len(), found, "{level}");
        }
    }

    #[test]
    fn a_disk_that_has_failed_is_a_reason_where_the_level_needs_it() {
        for (server, expected) in [(0, [1, 0, 1, 0]), (1, [1, 1, 1, 0])] {
            for (level, found) in Level::ALL.into_iter().zip(expected) {
                let mut sample = refused(level, "2");
                sample.harm(server, 9_000, HarmKind::DiskFull);
                let full = sample.history.harms.last_mut().unwrap();
                full.to = Duration::MAX;
                assert_eq!(check(&sample.history).len(), found, "{level}");
            }
        }
    }
}
