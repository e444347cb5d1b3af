//! The next requests of one connection.

use super::choice::{Choice, Random};
use super::positions::POSITIONS_COUNT;
use super::spread::{Movement, Spot, Spread};

/// A client of the load, counted from 0.
pub(crate) type ClientNumber = u64;

/// A client says where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// The client.
    pub(crate) client: ClientNumber,
    /// Where.
    pub(crate) position: At,
    /// When, in nanoseconds since 1970: later than in any report of this client before.
    pub(crate) time_ns: i64,
}

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// An index of [`super::positions::positions`].
    Table(usize),
    /// A place of its own.
    Spot(Spot),
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A client says where it is.
    Report(Report),
    /// Someone asks where this client is.
    LookUp(ClientNumber),
    /// Someone asks which clients are around a place.
    Search(Spot),
}

/// The clients of one connection: `count` of them, `first` and then every `step`-th.
///
/// Each client belongs to one connection, as it would in life. So no report can overtake an earlier
/// one of the same client, and every report is an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    first: u64,
    step: u64,
    count: u64,
}

impl Share {
    /// The share of connection `connection` when `connections` divide `clients` between them.
    #[must_use]
    pub(crate) fn new(clients: u64, connections: u64, connection: u64) -> Self {
        Share {
            first: connection,
            step: connections,
            count: clients
                .saturating_sub(connection)
                .div_ceil(connections.max(1)),
        }
    }

    /// The client of this place in the share.
    #[must_use]
    pub(crate) fn client(self, place: u64) -> ClientNumber {
        self.first + self.step * place
    }
}

/// The requests of one connection, without end.
#[derive(Debug)]
pub(crate) struct Workload {
    share: Share,
    choice: Choice,
    look_ups_per_mille: u64,
    random: Random,
    last_time_ns: i64,
    position: usize,
    /// Where clients are, if they are searched for.
    spread: Option<Spread>,
}

impl Workload {
    /// Requests for the clients of `share`, chosen with `skew` (see [`Choice::new`]), of which
    /// `look_ups_per_mille` in a thousand are look-ups.
    #[must_use]
    pub(crate) fn new(share: Share, skew: f64, look_ups_per_mille: u64, seed: u64) -> Self {
        let mut random = Random::new(seed ^ share.first.wrapping_mul(0x2545_f491_4f6c_dd1d));
        Workload {
            share,
            choice: Choice::new(share.count, skew),
            look_ups_per_mille,
            position: random.below(POSITIONS_COUNT as u64) as usize,
            random,
            last_time_ns: 0,
            spread: None,
        }
    }

    /// The same with searches in the place of look-ups, for clients that move like this.
    #[must_use]
    pub(crate) fn with_searches(self, movement: Movement) -> Self {
        Workload {
            spread: Some(Spread::new(movement)),
            ..self
        }
    }

    /// The next request. `wall_ns` is the wall clock, in nanoseconds since 1970.
    pub(crate) fn next(&mut self, wall_ns: i64) -> Request {
        let place = self.choice.choose(&mut self.random);
        let asks = match self.look_ups_per_mille {
            0 => false,
            1_000.. => true,
            per_mille => self.random.below(1_000) < per_mille,
        };
        match (asks, &self.spread) {
            (true, Some(_)) => Request::Search(Spot::center(&mut self.random)),
            (true, None) => Request::LookUp(self.share.client(place)),
            (false, _) => Request::Report(self.report(place, wall_ns)),
        }
    }

    /// How many clients the requests are about.
    #[must_use]
    pub(crate) fn clients(&self) -> u64 {
        self.share.count
    }

    /// The first report of each client of the share, by its place in it.
    pub(crate) fn first_report(&mut self, place: u64, wall_ns: i64) -> Option<Report> {
        (place < self.share.count).then(|| self.report(place, wall_ns))
    }

    fn report(&mut self, place: u64, wall_ns: i64) -> Report {
        let client = self.share.client(place);
        self.last_time_ns = wall_ns.max(self.last_time_ns.saturating_add(1));
        self.position = (self.position + 1) % POSITIONS_COUNT;
        let position = match &mut self.spread {
            Some(spread) => At::Spot(spread.next(place, client, &mut self.random)),
            None => At::Table(self.position),
        };
        Report {
            client,
            position,
            time_ns: self.last_time_ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn shares_divide_the_clients_without_rest_or_overlap() {
        for (clients, connections) in [(10, 3), (3, 3), (100, 7), (5, 1)] {
            let mut all = Vec::new();
            for connection in 0..connections {
                let share = Share::new(clients, connections, connection);
                all.extend((0..share.count).map(|place| share.client(place)));
            }
            all.sort_unstable();
            assert_eq!(all, (0..clients).collect::<Vec<_>>());
        }
    }

    #[test]
    fn times_rise_though_the_clock_stands_or_goes_back() {
        let mut workload = Workload::new(Share::new(10, 1, 0), 0.0, 0, 1);
        let mut last = 0;
        for wall_ns in [1_000, 1_000, 500, 1_001, 2_000] {
            let Request::Report(report) = workload.next(wall_ns) else {
                panic!("not a report");
            };
            assert!(report.time_ns > last && report.time_ns >= wall_ns);
            last = report.time_ns;
        }
        assert_eq!(last, 2_000);
    }

    #[test]
    fn the_mix_is_close_to_its_shares() {
        for per_mille in [0, 100, 1_000] {
            let mut workload = Workload::new(Share::new(10, 1, 0), 0.0, per_mille, 1);
            let requests = (0..10_000).map(|_| workload.next(0));
            let look_ups = requests.filter(|next| matches!(next, Request::LookUp(_)));
            let look_ups = look_ups.count() as u64;
            assert!(look_ups.abs_diff(10 * per_mille) <= per_mille, "{look_ups}");
        }
    }

    #[test]
    fn only_clients_of_the_share_appear_and_all_do() {
        let share = Share::new(20, 4, 1);
        let mut workload = Workload::new(share, 0.5, 1_000, 1);
        let mut seen = BTreeSet::new();
        for _ in 0..10_000 {
            let Request::LookUp(client) = workload.next(0) else {
                panic!("not a look-up");
            };
            seen.insert(client);
        }
        assert_eq!(seen, BTreeSet::from([1, 5, 9, 13, 17]));
    }
}
