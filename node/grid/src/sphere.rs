//! Distances on the sphere, and bounds below them that cost a few multiplications.

use herd_crdt::Coordinates;

/// The mean radius of the earth, in metres (IUGG).
pub const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// The latitude of a pole, in degrees.
pub(crate) const POLE_DEGREES: f64 = 90.0;

/// A point, with the cosine that all distances from it need.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) latitude_degrees: f64,
    pub(crate) longitude_degrees: f64,
    latitude_cos: f64,
}

impl Point {
    /// At a pole every longitude is the pole.
    pub(crate) fn new(at: Coordinates) -> Self {
        let is_pole = at.latitude_degrees.abs() >= POLE_DEGREES;
        Point {
            latitude_degrees: at.latitude_degrees,
            longitude_degrees: if is_pole { 0.0 } else { at.longitude_degrees },
            latitude_cos: if is_pole {
                0.0
            } else {
                at.latitude_degrees.to_radians().cos()
            },
        }
    }

    /// The haversine of the angle to another point: half the chord, squared. It grows with the distance.
    pub(crate) fn haversine_to(&self, other: &Point) -> f64 {
        let latitude = self.latitude_degrees - other.latitude_degrees;
        let longitude = turn(self.longitude_degrees, other.longitude_degrees);
        let half_sin = |degrees: f64| (degrees.to_radians() / 2.0).sin();
        let (across, along) = (half_sin(latitude), half_sin(longitude));
        across * across + self.latitude_cos * other.latitude_cos * along * along
    }

    /// The cosine of the latitude; 0 at a pole.
    pub(crate) fn coordinates(&self) -> Coordinates {
        Coordinates {
            latitude_degrees: self.latitude_degrees,
            longitude_degrees: self.longitude_degrees,
        }
    }

    pub(crate) fn latitude_cos(&self) -> f64 {
        self.latitude_cos
    }
}

/// How far two longitudes are apart, in degrees, 0 to 180.
#[inline]
pub(crate) fn turn(a_degrees: f64, b_degrees: f64) -> f64 {
    let apart = (a_degrees - b_degrees).abs();
    if apart > 180.0 { 360.0 - apart } else { apart }
}

/// The distance in metres that a haversine stands for.
pub(crate) fn haversine_to_metres(haversine: f64) -> f64 {
    2.0 * EARTH_RADIUS_M * haversine.clamp(0.0, 1.0).sqrt().asin()
}

/// The haversine that a distance in metres stands for; beyond half the earth's circumference that of the antipode.
pub(crate) fn metres_to_haversine(metres: f64) -> f64 {
    let half_angle = (metres / (2.0 * EARTH_RADIUS_M)).min(std::f64::consts::FRAC_PI_2);
    half_angle.sin() * half_angle.sin()
}

/// The coefficients of the squared sine's series in the square of the angle, behind the first: without their signs, which
/// alternate. The last one is taken away.
const SQUARED_SINE: [f64; 7] = [
    1.0 / 3.0,
    2.0 / 45.0,
    1.0 / 315.0,
    2.0 / 14_175.0,
    2.0 / 467_775.0,
    4.0 / 42_567_525.0,
    1.0 / 638_512_875.0,
];

/// The same of the cosine's series.
const COSINE: [f64; 7] = [
    1.0 / 2.0,
    1.0 / 24.0,
    1.0 / 720.0,
    1.0 / 40_320.0,
    1.0 / 3_628_800.0,
    1.0 / 479_001_600.0,
    1.0 / 87_178_291_200.0,
];

/// Below this square of half an angle, some 400 km, two terms of the series are the bound: 1e-7 of it is cut off at most.
const NEAR_SQUARE: f64 = 1e-3;

/// `1 - c0 square + c1 square^2 - ...`. Where the terms get smaller, a series that is cut off behind one that is taken
/// away is no greater than all of it.
fn alternating(square: f64, coefficients: &[f64; 7]) -> f64 {
    let sum = |sum: f64, coefficient: &f64| coefficient - square * sum;
    1.0 - square * coefficients.iter().rfold(0.0, sum)
}

/// At most the haversine of an angle of 0 to 180 degrees, and close to it.
#[inline]
pub(crate) fn haversine_at_least(degrees: f64) -> f64 {
    let half = degrees.to_radians() / 2.0;
    let square = half * half;
    if square < NEAR_SQUARE {
        return square * (1.0 - square * SQUARED_SINE[0]);
    }
    square * alternating(square, &SQUARED_SINE)
}

/// At most the cosine of a latitude, and close to it; never below 0.
pub(crate) fn cosine_at_least(latitude_degrees: f64) -> f64 {
    let radians = latitude_degrees.to_radians();
    alternating(radians * radians, &COSINE).max(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn point(latitude_degrees: f64, longitude_degrees: f64) -> Point {
        Point::new(Coordinates {
            latitude_degrees,
            longitude_degrees,
        })
    }

    fn metres(from: (f64, f64), to: (f64, f64)) -> f64 {
        let haversine = point(from.0, from.1).haversine_to(&point(to.0, to.1));
        haversine_to_metres(haversine)
    }

    /// The distance from the points' unit vectors: another way to it.
    fn metres_by_vectors(from: (f64, f64), to: (f64, f64)) -> f64 {
        let vector = |(latitude, longitude): (f64, f64)| {
            let (latitude, longitude) = (latitude.to_radians(), longitude.to_radians());
            let across = latitude.cos();
            [
                across * longitude.cos(),
                across * longitude.sin(),
                latitude.sin(),
            ]
        };
        let (a, b) = (vector(from), vector(to));
        let chord: f64 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
        2.0 * EARTH_RADIUS_M * (chord.sqrt() / 2.0).clamp(0.0, 1.0).asin()
    }

    #[test]
    fn a_place_with_two_names_is_one_place() {
        assert_eq!(metres((12.5, 180.0), (12.5, -180.0)), 0.0);
        assert_eq!(metres((90.0, 12.0), (90.0, -77.0)), 0.0);
        assert_eq!(metres((-90.0, 180.0), (-90.0, 0.0)), 0.0);
        assert_eq!(metres((34.0, -118.25), (34.0, -118.25)), 0.0);
    }

    #[test]
    fn known_distances() {
        let quarter = EARTH_RADIUS_M * std::f64::consts::FRAC_PI_2;
        assert!((metres((90.0, 12.0), (0.0, -77.0)) - quarter).abs() < 1e-6);
        assert!((metres((0.0, 90.0), (0.0, 0.0)) - quarter).abs() < 1e-6);
        assert!((metres((0.0, 0.0), (0.0, 180.0)) - 2.0 * quarter).abs() < 1e-6);
        let degree = quarter / 90.0;
        assert!((metres((0.0, 179.5), (0.0, -179.5)) - degree).abs() < 1e-6);
        assert_eq!(metres_to_haversine(20_100_000.0), 1.0);
    }

    proptest! {
        #[test]
        fn distances_agree_with_those_of_vectors(
            from in (-90.0_f64..=90.0, -180.0_f64..=180.0),
            to in (-90.0_f64..=90.0, -180.0_f64..=180.0),
        ) {
            let difference = metres(from, to) - metres_by_vectors(from, to);
            // Near the antipode a chord says little of the angle.
            let tolerance = if metres(from, to) > 19_900_000.0 { 1.0 } else { 1e-3 };
            prop_assert!(difference.abs() < tolerance, "{}", difference);
            prop_assert_eq!(metres(from, to), metres(to, from));
        }

        #[test]
        fn bounds_are_below_and_near(degrees in 0.0_f64..=180.0, latitude in -90.0_f64..=90.0) {
            let sin = (degrees.to_radians() / 2.0).sin();
            let bound = haversine_at_least(degrees);
            prop_assert!(bound <= sin * sin + 1e-15 && bound >= sin * sin - 1e-7);
            let bound = cosine_at_least(latitude);
            let cos = latitude.to_radians().cos();
            prop_assert!(bound <= cos + 1e-15 && bound >= cos - 1e-9);
        }

        #[test]
        fn metres_and_haversines_are_inverse(metres in 0.0_f64..20_000_000.0) {
            let again = haversine_to_metres(metres_to_haversine(metres));
            prop_assert!((again - metres).abs() < 1e-6 * metres.max(1.0));
        }
    }
}
