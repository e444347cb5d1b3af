//! The rule, one case after the other, and that it never believes a time that nobody has.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const SECOND_NS: i64 = 1_000_000_000;
const YEAR_NS: i64 = 365 * 24 * 3_600 * SECOND_NS;
/// The true time at the start.
const TRUE_NS: i64 = 1_700_000_000 * SECOND_NS;

/// A server whose clock is off by so many nanoseconds, `wait_s` seconds after the last look.
struct Server {
    clock: FloorClock,
    start: Instant,
    seconds: u64,
    off_ns: i64,
}

impl Server {
    fn new(has_neighbours: bool, off_ns: i64) -> Self {
        let start = Instant::now();
        Server {
            clock: FloorClock::new(start, has_neighbours),
            start,
            seconds: 0,
            off_ns,
        }
    }

    fn look(&mut self, wait_s: u64, offsets_ns: &[i64]) -> Look {
        self.seconds += wait_s;
        let now = self.start + Duration::from_secs(self.seconds);
        self.clock
            .look(now, self.true_ns() + self.off_ns, offsets_ns)
    }

    /// What is believed, as its distance from the true time.
    fn believed(&mut self, wait_s: u64, offsets_ns: &[i64]) -> Option<i64> {
        let believed_ns = self.look(wait_s, offsets_ns).believed_ns;
        believed_ns.map(|ns| ns - self.true_ns())
    }

    fn true_ns(&self) -> i64 {
        TRUE_NS + self.seconds as i64 * SECOND_NS
    }
}

#[test]
fn the_own_clock_counts_only_as_far_as_the_middle_of_the_neighbours() {
    for (off_ns, offsets_ns, believed) in [
        (0, vec![0, 0], 0),
        (0, vec![5, 9], 0),
        (0, vec![-7], -7),
        (YEAR_NS, vec![-YEAR_NS, -YEAR_NS, 3], 0),
        (YEAR_NS, vec![-YEAR_NS, 0], 0),
        (-YEAR_NS, vec![YEAR_NS, YEAR_NS], -YEAR_NS),
        (0, vec![YEAR_NS, YEAR_NS], 0),
    ] {
        let mut server = Server::new(true, off_ns);
        assert_eq!(
            server.believed(1, &offsets_ns),
            Some(believed),
            "{offsets_ns:?}"
        );
    }
}

#[test]
fn a_server_that_starts_waits_for_a_neighbour_and_then_believes_itself() {
    let mut server = Server::new(true, YEAR_NS);
    assert_eq!(server.believed(1, &[]), None);
    assert_eq!(server.believed(58, &[]), None);
    assert_eq!(server.believed(0, &[-YEAR_NS]), Some(0));
    let mut alone = Server::new(true, 5);
    assert_eq!(alone.believed(59, &[]), None);
    assert_eq!(alone.believed(1, &[]), Some(5));
    let mut only = Server::new(false, 5);
    assert_eq!(only.believed(0, &[]), Some(5));
}

#[test]
fn alone_a_jump_forwards_is_not_followed_until_a_neighbour_confirms_it() {
    let mut server = Server::new(true, 0);
    assert_eq!(server.believed(1, &[0]), Some(0));
    server.off_ns = YEAR_NS;
    let look = server.look(10, &[]);
    assert_eq!(look.jump, Some(Jump(i128::from(YEAR_NS))));
    assert_eq!(look.believed_ns, Some(server.true_ns()));
    assert_eq!(server.believed(3_600, &[]), Some(0), "nor later");
    assert_eq!(server.believed(10, &[0]), Some(YEAR_NS), "they have it too");
    // Set back, it is followed at once, and a jump forwards after that is not.
    server.off_ns = 0;
    let look = server.look(10, &[]);
    assert!(look.jump.unwrap().is_backwards());
    assert_eq!(look.believed_ns, Some(server.true_ns()));
    server.off_ns = YEAR_NS;
    assert_eq!(server.believed(10, &[]), Some(0));
    server.off_ns = 0;
    assert_eq!(server.believed(10, &[]), Some(0), "it was set right");
}

#[test]
fn a_jump_while_neighbours_are_waited_for_is_not_believed() {
    let mut server = Server::new(true, 0);
    assert_eq!(server.believed(1, &[]), None);
    server.off_ns = YEAR_NS;
    assert_eq!(server.believed(59, &[]), None);
    // Nobody says otherwise: it is as if it had started with that clock.
    assert_eq!(server.believed(1, &[]), Some(YEAR_NS));
}

#[test]
fn small_steps_are_no_jumps() {
    let mut server = Server::new(false, 0);
    for step in 0..100 {
        server.off_ns = step * SECOND_NS / 2;
        let look = server.look(1, &[]);
        assert_eq!(look.jump, None);
        assert_eq!(look.believed_ns, Some(server.true_ns() + server.off_ns));
    }
}

#[test]
fn differences_from_before_a_jump_do_not_count() {
    let mut server = Server::new(true, 0);
    server.look(1, &[0, 0]);
    server.off_ns = YEAR_NS;
    // The neighbours' clocks are still known as equal to what ours was.
    for _ in 0..OFFSETS_SETTLE.as_secs() {
        assert_eq!(server.believed(1, &[0, 0]), Some(0));
    }
    assert_eq!(server.believed(1, &[-YEAR_NS, -YEAR_NS]), Some(0));
}

proptest! {
    /// However clocks jump: what is believed is never ahead of our own clock, and, once there is a
    /// neighbour, never ahead of the true time while most clocks of the neighbours are right.
    #[test]
    fn a_clock_that_jumps_takes_nobody_into_the_future(
        steps in vec((1..100_u64, -3..3_i64, any::<bool>()), 1..50),
    ) {
        let mut server = Server::new(true, 0);
        server.look(1, &[0, 0]);
        for (wait_s, off_years, connected) in steps {
            server.off_ns = off_years * YEAR_NS;
            let own_ns = server.off_ns;
            let offsets_ns = if connected {
                vec![-own_ns, YEAR_NS - own_ns, -own_ns]
            } else {
                Vec::new()
            };
            let believed = server.believed(wait_s, &offsets_ns).unwrap();
            prop_assert!(believed <= own_ns.max(0));
            prop_assert!(believed <= 0, "{believed} ns ahead");
        }
    }

    #[test]
    fn no_clock_is_too_far_off(wall_ns: i64, offsets_ns in vec(any::<i64>(), 0..4), later: i64) {
        let start = Instant::now();
        let mut clock = FloorClock::new(start, true);
        let look = clock.look(start, wall_ns, &offsets_ns);
        prop_assert!(look.believed_ns.is_none_or(|ns| ns <= wall_ns));
        clock.look(start + Duration::from_secs(1 << 32), later, &offsets_ns);
    }
}
