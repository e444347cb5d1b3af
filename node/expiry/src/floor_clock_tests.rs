//! The rule, one case after the other, and that it never believes a time that nobody has.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const SECOND_NS: i64 = 1_000_000_000;
const YEAR_NS: i64 = 365 * 24 * 3_600 * SECOND_NS;
/// The true time at the start.
const TRUE_NS: i64 = 1_700_000_000 * SECOND_NS;

/// A server whose clock is off by a number of nanoseconds.
struct Server {
    clock: FloorClock,
    start: Instant,
    seconds: u64,
    off_ns: i64,
}

impl Server {
    /// One that had come to the true time when it ran last.
    fn new(has_neighbours: bool, off_ns: i64) -> Self {
        Server::borne(has_neighbours, off_ns, Some(TRUE_NS))
    }

    fn borne(has_neighbours: bool, off_ns: i64, borne_ns: Option<i64>) -> Self {
        let start = Instant::now();
        Server {
            clock: FloorClock::new(start, has_neighbours, borne_ns),
            start,
            seconds: 0,
            off_ns,
        }
    }

    /// Looks `wait_s` seconds after the last look.
    fn look(&mut self, wait_s: u64, offsets_ns: &[i64]) -> Look {
        self.seconds += wait_s;
        let now = self.start + Duration::from_secs(self.seconds);
        self.clock
            .look(now, self.true_ns() + self.off_ns, offsets_ns)
    }

    /// The believed time, as its distance from the true time, where no client has reported anything.
    fn believed(&mut self, wait_s: u64, offsets_ns: &[i64]) -> Option<i64> {
        let believed_ns = self.look(wait_s, offsets_ns).believed_ns;
        believed_ns.map(|ns| ns - self.true_ns())
    }

    /// The same where clients report times that are off.
    fn borne_out(&mut self, wait_s: u64, offsets_ns: &[i64], reported_off_ns: i64) -> Option<i64> {
        let look = self.look(wait_s, offsets_ns);
        let believed_ns = if look.asks_clients {
            self.clock.bear_out(self.true_ns() + reported_off_ns)
        } else {
            look.believed_ns
        };
        believed_ns.map(|ns| ns - self.true_ns())
    }

    fn true_ns(&self) -> i64 {
        TRUE_NS + self.seconds as i64 * SECOND_NS
    }
}

#[test]
fn the_own_clock_counts_up_to_the_median_of_the_neighbours() {
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
        // Reports of clients do not raise it, even nine years ahead.
        let found = server.borne_out(1, &offsets_ns, 9 * YEAR_NS);
        assert_eq!(found, Some(believed), "{offsets_ns:?}");
    }
}

#[test]
fn all_clocks_together_carry_nobody_ahead_without_clients() {
    let mut server = Server::new(true, 0);
    assert_eq!(server.believed(1, &[0, 0]), Some(0));
    server.off_ns = YEAR_NS;
    for _ in 0..4_000 {
        let look = server.look(1, &[0, 0]);
        assert_eq!(look.believed_ns, Some(server.true_ns()));
    }
    // Clients that go on to report true times change nothing.
    for _ in 0..40 {
        assert_eq!(server.borne_out(1, &[0, 0], -5), Some(0));
    }
    // So do none, for longer than anything is kept.
    assert_eq!(server.believed(40 * 24 * 3_600, &[0, 0]), Some(0));
    server.off_ns = 0;
    assert_eq!(server.believed(60, &[0, 0]), Some(0), "as if nothing was");
}

#[test]
fn reports_beyond_the_clocks_bear_nothing_out() {
    const AHEAD_NS: i64 = 10 * SECOND_NS;
    let mut server = Server::new(false, AHEAD_NS);
    assert_eq!(server.borne_out(1, &[], YEAR_NS), Some(AHEAD_NS));
    server.off_ns = YEAR_NS;
    assert_eq!(server.believed(1, &[]), Some(AHEAD_NS), "nobody reports");
}

#[test]
fn a_jump_is_followed_as_far_as_clients_report_it() {
    // All slept for an hour, and their monotonic clocks did.
    const HOUR_NS: i64 = 3_600 * SECOND_NS;
    let mut server = Server::new(true, 0);
    server.look(1, &[0]);
    server.off_ns = HOUR_NS;
    assert_eq!(server.borne_out(1, &[0], HOUR_NS), Some(0), "not at once");
    assert_eq!(server.borne_out(3, &[0], 0), Some(0));
    let almost = HOUR_NS - 9 * SECOND_NS;
    assert_eq!(server.borne_out(3, &[0], almost), Some(almost));
    assert_eq!(server.believed(60, &[0]), Some(almost), "from then on");
    let ahead = HOUR_NS + 7_200 * SECOND_NS;
    assert_eq!(server.borne_out(3, &[0], ahead), Some(HOUR_NS));
}

#[test]
fn a_server_that_starts_goes_on_from_where_it_was() {
    // It was off for a year.
    let mut server = Server::borne(false, 0, Some(TRUE_NS - YEAR_NS));
    assert_eq!(server.believed(0, &[]), Some(-YEAR_NS));
    assert_eq!(server.believed(3_600, &[]), Some(-YEAR_NS), "time passes");
    let just_now = -3 * SECOND_NS;
    assert_eq!(server.borne_out(10, &[], just_now), Some(just_now));
    // Its clock is wrong.
    for off_ns in [YEAR_NS, -YEAR_NS] {
        let mut server = Server::new(false, off_ns);
        assert_eq!(server.borne_out(10, &[], 0), Some(off_ns.min(0)));
    }
}

#[test]
fn a_new_server_believes_nothing_that_no_client_has_said() {
    for off_ns in [0, 20 * YEAR_NS] {
        let mut server = Server::borne(false, off_ns, None);
        assert_eq!(server.believed(0, &[]), None);
        assert_eq!(server.believed(3_600, &[]), None);
        let just_now = -5 * SECOND_NS;
        assert_eq!(server.borne_out(1, &[], just_now), Some(just_now));
        assert_eq!(server.believed(60, &[]), Some(just_now));
    }
    // One whose clock was never set.
    let mut server = Server::borne(false, -TRUE_NS, None);
    assert_eq!(server.borne_out(1, &[], 0), Some(-TRUE_NS));
}

#[test]
fn a_server_that_starts_waits_for_a_neighbour_and_not_for_ever() {
    let mut server = Server::new(true, YEAR_NS);
    assert_eq!(server.believed(1, &[]), None);
    assert_eq!(server.believed(58, &[]), None);
    assert_eq!(server.believed(0, &[-YEAR_NS]), Some(0));
    let mut alone = Server::new(true, 0);
    assert_eq!(alone.believed(59, &[]), None);
    assert_eq!(alone.believed(1, &[]), Some(0));
}

#[test]
fn a_clock_that_goes_back_and_returns_is_followed() {
    let mut server = Server::new(true, 0);
    server.look(1, &[0]);
    server.off_ns = -YEAR_NS;
    let look = server.look(10, &[]);
    assert!(look.jump.unwrap().is_backwards());
    assert_eq!(look.believed_ns, Some(server.true_ns() - YEAR_NS));
    assert_eq!(server.believed(3_600, &[]), Some(-YEAR_NS));
    server.off_ns = 0;
    let look = server.look(10, &[]);
    assert_eq!(look.jump, Some(Jump(i128::from(YEAR_NS))));
    assert_eq!(look.believed_ns, Some(server.true_ns()));
}

#[test]
fn small_steps_are_no_jumps_and_carry_nobody_far() {
    let mut server = Server::new(false, 0);
    for step in 0..100 {
        server.off_ns = step * SECOND_NS / 20;
        let look = server.look(1, &[]);
        assert_eq!(look.jump, None);
        assert_eq!(look.believed_ns, Some(server.true_ns() + server.off_ns));
    }
    let off_ns = server.off_ns;
    for step in 0..100 {
        server.off_ns = off_ns + step * SECOND_NS;
        assert!(server.believed(1, &[]).unwrap() <= off_ns);
    }
}

#[test]
fn differences_from_before_a_jump_do_not_count() {
    let mut server = Server::new(true, 0);
    server.look(1, &[0, 0]);
    server.off_ns = YEAR_NS;
    // The neighbours' clocks are still known as equal to the server's old clock, and clients' clocks jumped with ours.
    for _ in 0..OFFSETS_SETTLE.as_secs() {
        assert_eq!(server.borne_out(1, &[0, 0], YEAR_NS), Some(0));
    }
    let settled = server.borne_out(1, &[-YEAR_NS, -YEAR_NS], YEAR_NS);
    assert_eq!(settled, Some(0));
}

proptest! {
    /// However clocks jump and whoever is connected: nothing beyond the true time is believed that clients have not
    /// reported, or that a clock which runs a little fast does not explain.
    #[test]
    fn clocks_that_jump_take_nobody_into_the_future(
        steps in vec((1..100_u64, -3..3_i64, 0..4_usize, -2..2_i64), 1..50),
    ) {
        let mut server = Server::new(true, 0);
        server.look(1, &[0, 0]);
        let mut reported = 0;
        for (wait_s, off_years, connected, reported_years) in steps {
            server.off_ns = off_years * YEAR_NS;
            let own_ns = server.off_ns;
            reported = reported.max(reported_years * YEAR_NS);
            // All others have the same wrong clock.
            let offsets_ns = vec![0; connected];
            let believed = server.borne_out(wait_s, &offsets_ns, reported_years * YEAR_NS).unwrap();
            prop_assert!(believed <= own_ns);
            prop_assert!(believed <= reported, "{believed} ns ahead");
        }
    }

    #[test]
    fn no_clock_is_too_far_off(
        wall_ns: i64, offsets_ns in vec(any::<i64>(), 0..4), later: i64, borne_ns: Option<i64>, said_ns: i64,
    ) {
        let start = Instant::now();
        let mut clock = FloorClock::new(start, true, borne_ns);
        let look = clock.look(start, wall_ns, &offsets_ns);
        prop_assert!(look.believed_ns.is_none_or(|ns| ns <= wall_ns));
        clock.bear_out(said_ns);
        clock.look(start + Duration::from_secs(1 << 32), later, &offsets_ns);
        let believed_ns = clock.bear_out(said_ns);
        prop_assert!(believed_ns.is_none_or(|ns| ns <= later));
    }
}
