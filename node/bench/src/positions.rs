//! Where the clients of a load are: in and around large cities, so that there is something near them.

use super::choice::Random;

/// Latitude and longitude of cities on all continents, in degrees.
pub(crate) const CITIES: [(f64, f64); 24] = [
    (34.05, -118.24),
    (40.71, -74.01),
    (41.88, -87.63),
    (19.43, -99.13),
    (4.71, -74.07),
    (-23.55, -46.63),
    (-34.60, -58.38),
    (-12.05, -77.04),
    (51.51, -0.13),
    (48.86, 2.35),
    (52.52, 13.41),
    (40.42, -3.70),
    (60.17, 24.94),
    (55.76, 37.62),
    (41.01, 28.98),
    (30.04, 31.24),
    (6.52, 3.38),
    (-1.29, 36.82),
    (-26.20, 28.05),
    (19.08, 72.88),
    (28.61, 77.21),
    (31.23, 121.47),
    (35.68, 139.69),
    (-33.87, 151.21),
];

/// How far around a city its clients are, in degrees, to each side.
const AROUND_DEGREES: f64 = 0.1;

/// One place where a client may be, in the words of each protocol.
#[derive(Clone, Debug)]
pub(crate) struct BenchPosition {
    /// Latitude and longitude as ISO 6709 has them: `+34.068930-118.445127`.
    pub(crate) iso: Vec<u8>,
    /// The latitude in degrees.
    pub(crate) latitude: Vec<u8>,
    /// The longitude in degrees.
    pub(crate) longitude: Vec<u8>,
}

/// How many different positions there are; a power of two.
pub(crate) const POSITIONS_COUNT: usize = 1 << 12;

/// All positions, the same in every run.
#[must_use]
pub(crate) fn positions() -> Vec<BenchPosition> {
    let mut random = Random::new(0);
    let mut around = |degrees: f64| degrees + AROUND_DEGREES * (2.0 * random.unit() - 1.0);
    let cities = CITIES.iter().cycle().take(POSITIONS_COUNT);
    cities
        .map(|&(latitude, longitude)| {
            let (latitude, longitude) = (around(latitude), around(longitude));
            BenchPosition {
                iso: format!("{latitude:+.6}{longitude:+.6}").into_bytes(),
                latitude: format!("{latitude:.6}").into_bytes(),
                longitude: format!("{longitude:.6}").into_bytes(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use herd_crdt::Location;

    use super::*;

    #[test]
    fn every_position_is_a_location_of_the_protocol() {
        let all = positions();
        assert_eq!(all.len(), POSITIONS_COUNT);
        for position in all {
            assert!(Location::parse(&position.iso).is_ok(), "{position:?}");
        }
    }
}
