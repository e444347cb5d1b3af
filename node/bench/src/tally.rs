//! The counts of a running load.

use super::latency::Latencies;
use super::target::Kind;
use herd_text::printable::Printable;

/// How many replies that were not good are kept to be shown.
const SAMPLES_MAX: usize = 5;

/// How much of each is kept, in bytes.
const SAMPLE_BYTES_MAX: usize = 200;

/// How late a request may go out through the fault of the load generator before it is counted.
pub(super) const LATE_NS: u64 = 10_000_000;

/// The result of one kind of request, without the warm-up.
#[derive(Clone, Debug, Default)]
pub(super) struct KindTally {
    /// Those answered as asked, with their latencies.
    pub(super) good: Latencies,
    /// Bytes of all their replies.
    pub(super) reply_bytes: u64,
}

/// The failures, in the warm-up too.
#[derive(Clone, Debug, Default)]
pub(super) struct Errors {
    /// Requests that the server refused.
    pub(super) refused: u64,
    /// Requests that got a reply to something else.
    pub(super) wrong: u64,
    /// Requests whose connection was lost before they were answered.
    pub(super) lost: u64,
    /// Requests that were not answered when the run was over.
    pub(super) unanswered: u64,
    /// Connections that failed, and attempts to open them that did.
    pub(super) connections_failed: u64,
    /// Connections that were not tried again any more.
    pub(super) connections_given_up: u64,
    /// The first few, in words.
    pub(super) samples: Vec<String>,
}

/// The counts of one thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) reports: KindTally,
    pub(super) look_ups: KindTally,
    pub(super) searches: KindTally,
    pub(super) errors: Errors,
    /// Replies of a measured request of any verdict.
    pub(super) answered: u64,
    /// When the last of them came, in nanoseconds since the run began.
    pub(super) last_answer_ns: u64,
    /// Requests that were due and never sent, in an open loop.
    pub(super) missed: u64,
    /// Requests that went out late though there was room for them.
    pub(super) late: u64,
    /// How late at most.
    pub(super) late_ns_max: u64,
    /// When the run was told to end, if it did not end by itself.
    pub(super) stopped_ns: Option<u64>,
}

impl Tally {
    pub(super) fn of(&mut self, kind: Kind) -> &mut KindTally {
        match kind {
            Kind::Report => &mut self.reports,
            Kind::LookUp => &mut self.look_ups,
            Kind::Search => &mut self.searches,
        }
    }

    /// Counts how late a request went out after it could have.
    pub(super) fn sent_late(&mut self, late_ns: u64) {
        if late_ns > LATE_NS {
            self.late += 1;
        }
        self.late_ns_max = self.late_ns_max.max(late_ns);
    }

    pub(super) fn add(&mut self, other: &Self) {
        for kind in [Kind::Report, Kind::LookUp, Kind::Search] {
            let from = match kind {
                Kind::Report => &other.reports,
                Kind::LookUp => &other.look_ups,
                Kind::Search => &other.searches,
            };
            let to = self.of(kind);
            to.good.add(&from.good);
            to.reply_bytes += from.reply_bytes;
        }
        self.errors.add(&other.errors);
        self.answered += other.answered;
        self.last_answer_ns = self.last_answer_ns.max(other.last_answer_ns);
        self.missed += other.missed;
        self.late += other.late;
        self.late_ns_max = self.late_ns_max.max(other.late_ns_max);
        self.stopped_ns = self.stopped_ns.max(other.stopped_ns);
    }
}

impl Errors {
    /// Keeps a message, if it is one of the first.
    pub(super) fn sample(&mut self, message: impl FnOnce() -> String) {
        if self.samples.len() < SAMPLES_MAX {
            let message = message();
            if !self.samples.contains(&message) {
                self.samples.push(message);
            }
        }
    }

    /// Keeps the beginning of a reply, if it is one of the first.
    pub(super) fn sample_reply(&mut self, what: &str, reply: &[u8]) {
        self.sample(|| {
            let shown = reply.get(..SAMPLE_BYTES_MAX).unwrap_or(reply);
            format!("{what}: {}", Printable(shown.trim_ascii_end()))
        });
    }

    fn add(&mut self, other: &Self) {
        self.refused += other.refused;
        self.wrong += other.wrong;
        self.lost += other.lost;
        self.unanswered += other.unanswered;
        self.connections_failed += other.connections_failed;
        self.connections_given_up += other.connections_given_up;
        for sample in &other.samples {
            self.sample(|| sample.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up() {
        let mut all = Tally::default();
        for part in 1..=3 {
            let mut tally = Tally::default();
            tally.of(Kind::Report).good.record(part * 1_000);
            tally.errors.refused = part;
            tally.errors.sample(|| "the same".to_owned());
            tally.answered = part;
            tally.last_answer_ns = 10 - part;
            tally.sent_late(part * LATE_NS);
            tally.missed = part;
            all.add(&tally);
        }
        assert_eq!(all.reports.good.len(), 3);
        assert!(all.look_ups.good.is_empty());
        assert_eq!((all.errors.refused, all.answered, all.missed), (6, 6, 6));
        assert_eq!(all.errors.samples, ["the same"]);
        assert_eq!(all.last_answer_ns, 9);
        assert_eq!((all.late, all.late_ns_max), (2, 3 * LATE_NS));
    }

    #[test]
    fn few_samples_are_kept_and_not_much_of_each() {
        let mut errors = Errors::default();
        for number in 0..100 {
            errors.sample_reply(
                "refused",
                format!("? {number} {}\n", "x".repeat(999)).as_bytes(),
            );
        }
        assert_eq!(errors.samples.len(), SAMPLES_MAX);
        assert!(errors.samples.iter().all(|sample| sample.len() < 220));
        let mut errors = Errors::default();
        errors.sample_reply("refused", "? é\u{1b}[2J\u{202e}\n".as_bytes());
        assert_eq!(errors.samples, ["refused: ? é\\x1b[2J\\xe2\\x80\\xae"]);
    }
}
