//! When the requests of one connection go out.

/// The trigger of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RequestPace {
    /// The replies to the last ones: a closed loop.
    Closed,
    /// The clock: an open loop. The first goes out at `first_ns`, each next one `gap_ns` later.
    Open {
        /// When the first request is due.
        first_ns: f64,
        /// The time between two.
        gap_ns: f64,
    },
}

/// The schedule of one connection. All times are in nanoseconds since the run began.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pace: RequestPace,
    pipeline: usize,
    measure_from_ns: u64,
    end_ns: u64,
    /// How many requests may yet be sent of those that are measured.
    left: u64,
    taken: u64,
    /// In a closed loop, how many of the batch may yet be sent.
    batch_left: usize,
}

impl Schedule {
    /// At most `pipeline` requests unanswered at a time, until `end_ns` or until `count_max` that
    /// were due from `measure_from_ns` on.
    #[must_use]
    pub(crate) fn new(
        pace: RequestPace,
        pipeline: usize,
        measure_from_ns: u64,
        end_ns: u64,
        count_max: u64,
    ) -> Self {
        Schedule {
            pace,
            pipeline,
            measure_from_ns,
            end_ns,
            left: count_max,
            taken: 0,
            batch_left: 0,
        }
    }

    /// When the next request is due, if the room is there; `None` in a closed loop, or at the end.
    #[must_use]
    pub(crate) fn next_ns(&self) -> Option<u64> {
        match self.pace {
            RequestPace::Closed => None,
            RequestPace::Open { first_ns, gap_ns } => {
                let due_ns = (first_ns + gap_ns * self.taken as f64) as u64;
                (self.left > 0 && due_ns < self.end_ns).then_some(due_ns)
            }
        }
    }

    /// Whether another request may begin while `unanswered` are.
    #[must_use]
    pub(crate) fn has_room(&self, unanswered: usize) -> bool {
        unanswered < self.pipeline
    }

    /// Whether nothing will be due any more.
    #[must_use]
    pub(crate) fn is_over(&self, now_ns: u64) -> bool {
        self.left == 0 || now_ns >= self.end_ns
    }

    /// Takes the request that is due at `now_ns`, if one is and there is room, and returns when it was due.
    /// In a closed loop a batch goes out when the last one is answered, as `redis-benchmark` does it.
    pub(crate) fn take(&mut self, now_ns: u64, unanswered: usize) -> Option<u64> {
        if !self.has_room(unanswered) || self.is_over(now_ns) {
            return None;
        }
        let due_ns = match self.pace {
            RequestPace::Closed => {
                if unanswered == 0 {
                    self.batch_left = self.pipeline;
                }
                self.batch_left = self.batch_left.checked_sub(1)?;
                now_ns
            }
            RequestPace::Open { .. } => self.next_ns().filter(|&due_ns| due_ns <= now_ns)?,
        };
        self.taken += 1;
        if due_ns >= self.measure_from_ns {
            self.left -= 1;
        }
        Some(due_ns)
    }

    /// How many requests that are measured were due until `until_ns` and never taken: an open loop
    /// that could not keep up. Nothing in a closed one.
    #[must_use]
    pub(crate) fn missed(&self, until_ns: u64) -> u64 {
        let RequestPace::Open { first_ns, gap_ns } = self.pace else {
            return 0;
        };
        let due = |from_ns: u64| {
            let due = ((from_ns as f64 - first_ns) / gap_ns).ceil();
            due.max(0.0) as u64
        };
        let first = due(self.measure_from_ns).max(self.taken);
        due(until_ns.min(self.end_ns))
            .saturating_sub(first)
            .min(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOREVER: u64 = u64::MAX;

    #[test]
    fn a_closed_loop_waits_for_all_replies_of_a_batch() {
        let mut schedule = Schedule::new(RequestPace::Closed, 3, 0, FOREVER, FOREVER);
        for begun in 0..3 {
            assert_eq!(schedule.take(10, begun), Some(10));
        }
        assert_eq!(schedule.take(10, 3), None);
        assert_eq!(schedule.take(20, 1), None);
        assert_eq!(schedule.take(30, 0), Some(30));
        assert_eq!(schedule.next_ns(), None);
        assert_eq!(schedule.missed(FOREVER), 0);
    }

    #[test]
    fn an_open_loop_keeps_to_the_clock_and_to_its_room() {
        let pace = RequestPace::Open {
            first_ns: 5.0,
            gap_ns: 10.0,
        };
        let mut schedule = Schedule::new(pace, 2, 0, 100, FOREVER);
        assert_eq!(schedule.take(4, 0), None);
        assert_eq!(schedule.take(40, 0), Some(5));
        assert_eq!(schedule.take(40, 1), Some(15));
        assert_eq!(schedule.take(40, 2), None);
        // Late, and still counted from when it should have gone out.
        assert_eq!(schedule.take(60, 0), Some(25));
        assert_eq!(schedule.next_ns(), Some(35));
        assert_eq!(schedule.take(100, 0), None);
        // Due at 35, 45, ... 95, and those until 60.
        assert_eq!(schedule.missed(FOREVER), 7);
        assert_eq!(schedule.missed(60), 3);
    }

    #[test]
    fn only_measured_requests_count_towards_the_end() {
        let mut schedule = Schedule::new(RequestPace::Closed, 1, 100, FOREVER, 2);
        for now_ns in [0, 50, 99, 100, 101] {
            assert_eq!(schedule.take(now_ns, 0), Some(now_ns));
        }
        assert_eq!(schedule.take(102, 0), None);
        assert!(schedule.is_over(102));
        let pace = RequestPace::Open {
            first_ns: 0.0,
            gap_ns: 10.0,
        };
        let mut schedule = Schedule::new(pace, 9, 20, FOREVER, 2);
        let taken: Vec<u64> = std::iter::from_fn(|| schedule.take(90, 0)).collect();
        assert_eq!(taken, [0, 10, 20, 30]);
        assert_eq!(schedule.missed(90), 0);
    }
}
