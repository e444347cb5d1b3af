//! Clients that are spread around cities and move, for searches: each has a place of its own.

use super::choice::Random;
use super::digits::push_digits;
use super::positions::CITIES;

/// How far around their cities clients are: the standard deviation to each side, in degrees.
const SIGMA_DEGREES: f64 = 0.15;

/// How far from the middle of a city searches ask at most, to each side, in degrees.
const CENTER_DEGREES: f64 = 0.02;

/// A degree of latitude in metres.
const DEGREE_METRES: f64 = 111_195.0;

const MICRODEGREES: f64 = 1e6;

/// A place in millionths of degrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    latitude: i32,
    longitude: i32,
}

/// How clients move from one report to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Movement {
    /// To anywhere around their cities.
    Jump,
    /// This number of metres straight on.
    Drive(f64),
}

/// Where the clients of one connection are.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    movement: Movement,
    /// Of those that reported, by their places in the share.
    spots: Vec<Spot>,
}

impl Spot {
    /// In degrees that are within the bounds of locations by far.
    pub(crate) fn of_degrees(latitude: f64, longitude: f64) -> Self {
        Spot {
            latitude: (latitude * MICRODEGREES).round() as i32,
            longitude: (longitude * MICRODEGREES).round() as i32,
        }
    }

    /// Somewhere around a city: normally distributed.
    fn around(city: (f64, f64), random: &mut Random) -> Self {
        // Box and Muller, "A note on the generation of random normal deviates" (1958).
        let distance = SIGMA_DEGREES * (-2.0 * (1.0 - random.unit()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * random.unit()).sin_cos();
        Spot::of_degrees(city.0 + distance * sin, city.1 + distance * cos)
    }

    /// Somewhere in the middle of a city.
    pub(crate) fn center(random: &mut Random) -> Self {
        let (latitude, longitude) = city(random.below(CITIES.len() as u64));
        let mut aside = || CENTER_DEGREES * (2.0 * random.unit() - 1.0);
        Spot::of_degrees(latitude + aside(), longitude + aside())
    }

    /// This number of metres on, in a direction that follows from `direction`.
    fn driven(self, metres: f64, direction: u64) -> Self {
        let degrees = metres / DEGREE_METRES;
        let (sin, cos) = (direction as f64).sin_cos();
        let latitude = f64::from(self.latitude) / MICRODEGREES;
        let longitude = f64::from(self.longitude) / MICRODEGREES;
        let narrowing = latitude.to_radians().cos().max(0.1);
        Spot::of_degrees(
            latitude + degrees * cos,
            longitude + degrees * sin / narrowing,
        )
    }

    /// Appends it as a location of the text protocol.
    pub(crate) fn push_iso(self, out: &mut Vec<u8>) {
        for (number, is_positive) in [
            (self.latitude, self.latitude >= 0),
            (self.longitude, self.longitude >= 0),
        ] {
            out.push(if is_positive { b'+' } else { b'-' });
            push_degrees(out, number);
        }
    }

    /// Its longitude and its latitude as plain numbers.
    pub(crate) fn plain(self) -> [Vec<u8>; 2] {
        [self.longitude, self.latitude].map(|number| {
            let mut text = Vec::with_capacity(11);
            if number < 0 {
                text.push(b'-');
            }
            push_degrees(&mut text, number);
            text
        })
    }
}

/// Appends the magnitude of millionths of degrees.
fn push_degrees(out: &mut Vec<u8>, number: i32) {
    let magnitude = u64::from(number.unsigned_abs());
    push_digits::<3>(out, magnitude / 1_000_000);
    out.push(b'.');
    push_digits::<6>(out, magnitude % 1_000_000);
}

/// The city of a client.
fn city(client: u64) -> (f64, f64) {
    CITIES[(client % CITIES.len() as u64) as usize]
}

impl Spread {
    pub(crate) fn new(movement: Movement) -> Self {
        Spread {
            movement,
            spots: Vec::new(),
        }
    }

    /// Where the client is now that has this place in the share. Before any client reports the second time, all report the
    /// first time in their order.
    pub(crate) fn next(&mut self, place: u64, client: u64, random: &mut Random) -> Spot {
        let Some(spot) = self.spots.get_mut(place as usize) else {
            let spot = Spot::around(city(client), random);
            self.spots.push(spot);
            return spot;
        };
        *spot = match self.movement {
            Movement::Jump => Spot::around(city(client), random),
            Movement::Drive(metres) => spot.driven(metres, client),
        };
        *spot
    }
}

#[cfg(test)]
mod tests {
    use herd_crdt::Location;

    use super::*;

    fn location(spot: Spot) -> (f64, f64) {
        let mut text = Vec::new();
        spot.push_iso(&mut text);
        let at = Location::parse(&text).unwrap().coordinates();
        (at.latitude_degrees, at.longitude_degrees)
    }

    #[test]
    fn clients_are_around_their_cities_and_drive_straight_on() {
        let mut random = Random::new(1);
        let mut spread = Spread::new(Movement::Drive(15.0));
        let first: Vec<Spot> = (0..1_000)
            .map(|place| spread.next(place, place, &mut random))
            .collect();
        let within = |spot: &Spot, client: u64, degrees: f64| {
            let ((latitude, longitude), city) = (location(*spot), city(client));
            (latitude - city.0).hypot(longitude - city.1) < degrees
        };
        assert!((0..1_000).all(|client| within(&first[client as usize], client, 1.0)));
        let near = (0..1_000).filter(|&client| within(&first[client as usize], client, 0.15));
        // The integral of the normal distribution up to one standard deviation, in two dimensions.
        assert!((350..440).contains(&near.count()));
        for client in 0..1_000 {
            let before = location(first[client as usize]);
            let now = location(spread.next(client, client, &mut random));
            let north = now.0 - before.0;
            let east = (now.1 - before.1) * before.0.to_radians().cos();
            let metres = north.hypot(east) * DEGREE_METRES;
            assert!((14.7..15.3).contains(&metres), "{metres}");
        }
    }

    #[test]
    fn jumps_lead_anywhere_and_centers_lie_in_the_middle() {
        let mut random = Random::new(1);
        let mut spread = Spread::new(Movement::Jump);
        let spots: Vec<Spot> = (0..3).map(|_| spread.next(0, 8, &mut random)).collect();
        assert!(spots[0] != spots[1] && spots[1] != spots[2]);
        for _ in 0..100 {
            let center = location(Spot::center(&mut random));
            let near = CITIES
                .iter()
                .map(|city| (center.0 - city.0).hypot(center.1 - city.1));
            assert!(near.fold(f64::MAX, f64::min) < 0.03);
        }
        let plain = Spot {
            latitude: -1_500_000,
            longitude: 5,
        }
        .plain();
        assert_eq!(plain, [b"000.000005".to_vec(), b"-001.500000".to_vec()]);
    }
}
