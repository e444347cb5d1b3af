//! Distances on the sphere, and the box of degrees that a circle fits in.

use herd_crdt::Coordinates;

/// The mean radius of the earth, in metres (IUGG).
pub const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// How many units a degree of a stored coordinate has.
pub(crate) const UNITS_PER_DEGREE: f64 = 1e7;
pub(crate) const LATITUDE_UNITS_MAX: i32 = 900_000_000;
pub(crate) const LONGITUDE_UNITS_MAX: i32 = 1_800_000_000;

/// The margin of a box around its circle on each side: 11 m of latitude. The exact distance is computed for every
/// place in the box, so this only has to cover all rounding.
const MARGIN_UNITS: f64 = 1_000.0;

/// Degrees as the units of a table, or `None` if they are no number or lie beyond `units_max`.
pub(crate) fn to_units(degrees: f64, units_max: i32) -> Option<i32> {
    let units = (degrees * UNITS_PER_DEGREE).round();
    // A NaN is in no range. The cast is exact: the limits lie within an i32.
    (-f64::from(units_max)..=f64::from(units_max))
        .contains(&units)
        .then_some(units as i32)
}

/// Units of a table as degrees: the double nearest to the decimal number, which therefore prints
/// with at most seven decimals.
pub(crate) fn to_degrees(units: i32) -> f64 {
    f64::from(units) / UNITS_PER_DEGREE
}

/// A circle on the sphere, with the terms that all distances from its centre share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circle {
    center: Coordinates,
    radius_radians: f64,
    latitude_cos: f64,
}

/// The box of a circle in table units, bounds included. Longitudes are one range, or two where the
/// circle crosses the antimeridian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) latitudes: (i32, i32),
    pub(crate) longitudes: [Option<(i32, i32)>; 2],
}

impl Circle {
    /// `None` if a coordinate or the radius is not a number, or the radius is negative.
    pub(crate) fn new(center: Coordinates, radius_m: f64) -> Option<Self> {
        let latitude = center.latitude_degrees;
        let longitude = center.longitude_degrees;
        if !latitude.is_finite() || !longitude.is_finite() || radius_m.is_nan() || radius_m < 0.0 {
            return None;
        }
        Some(Circle {
            center,
            radius_radians: (radius_m / EARTH_RADIUS_M).min(std::f64::consts::PI),
            latitude_cos: latitude.to_radians().cos(),
        })
    }

    /// The haversine of the angle between the centre and a point: half the chord, squared. It grows
    /// with the distance and costs less, so places are compared by it.
    #[inline]
    pub(crate) fn haversine_to(&self, latitude_degrees: f64, longitude_degrees: f64) -> f64 {
        let latitude_difference = latitude_degrees - self.center.latitude_degrees;
        let longitude_difference = longitude_degrees - self.center.longitude_degrees;
        let latitude_sin = (latitude_difference.to_radians() / 2.0).sin();
        let longitude_sin = (longitude_difference.to_radians() / 2.0).sin();
        let cosines = self.latitude_cos * latitude_degrees.to_radians().cos();
        latitude_sin * latitude_sin + cosines * longitude_sin * longitude_sin
    }

    /// The haversine of the radius: places with at most this lie in the circle.
    pub(crate) fn haversine_max(&self) -> f64 {
        let sin = (self.radius_radians / 2.0).sin();
        sin * sin
    }

    /// The box that holds the circle.
    pub(crate) fn window(&self) -> Window {
        let latitude = self.center.latitude_degrees * UNITS_PER_DEGREE;
        let latitude_reach = self.radius_radians.to_degrees() * UNITS_PER_DEGREE + MARGIN_UNITS;
        let (south, north) = (latitude - latitude_reach, latitude + latitude_reach);
        // Casts of doubles to integers saturate.
        let latitudes = (south.floor() as i32, north.ceil() as i32);

        let pole = f64::from(LATITUDE_UNITS_MAX);
        let all = Window {
            latitudes,
            longitudes: [Some((-LONGITUDE_UNITS_MAX, LONGITUDE_UNITS_MAX)), None],
        };
        if north >= pole || south <= -pole {
            return all;
        }
        // Where the meridians touch the circle. No pole is in it, so this is below 1.
        let ratio = (self.radius_radians.sin() / self.latitude_cos).min(1.0);
        let longitude_reach = ratio.asin().to_degrees() * UNITS_PER_DEGREE + MARGIN_UNITS;
        let longitude = self.center.longitude_degrees * UNITS_PER_DEGREE;
        let (west, east) = (longitude - longitude_reach, longitude + longitude_reach);

        let edge = f64::from(LONGITUDE_UNITS_MAX);
        let range = |from: f64, to: f64| Some((from.floor() as i32, to.ceil() as i32));
        // Two ranges never overlap, rounding included, or a place would be found twice.
        let longitudes = if east - west + 2.0 >= 2.0 * edge {
            return all;
        } else if west < -edge {
            [range(west + 2.0 * edge, edge), range(-edge, east)]
        } else if east > edge {
            [range(west, edge), range(-edge, east - 2.0 * edge)]
        } else {
            [range(west, east), None]
        };
        Window {
            latitudes,
            longitudes,
        }
    }
}

/// The distance in metres that a haversine stands for.
pub(crate) fn haversine_to_metres(haversine: f64) -> f64 {
    2.0 * EARTH_RADIUS_M * haversine.clamp(0.0, 1.0).sqrt().asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circle(latitude_degrees: f64, longitude_degrees: f64, radius_m: f64) -> Circle {
        let center = Coordinates {
            latitude_degrees,
            longitude_degrees,
        };
        Circle::new(center, radius_m).unwrap()
    }

    /// The angle between two points from their unit vectors, an independent way to the distance.
    fn distance_by_vectors_m(from: (f64, f64), to: (f64, f64)) -> f64 {
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
        let cross = [
            a[1] * b[2] - a[2] * b[1],
            a[2] * b[0] - a[0] * b[2],
            a[0] * b[1] - a[1] * b[0],
        ];
        let sin = cross.iter().map(|x| x * x).sum::<f64>().sqrt();
        let cos = a.iter().zip(&b).map(|(x, y)| x * y).sum::<f64>();
        EARTH_RADIUS_M * sin.atan2(cos)
    }

    proptest::proptest! {
        #[test]
        fn distances_agree_with_unit_vectors(
            from in (-90.0..=90.0, -180.0..=180.0),
            to in (-90.0..=90.0, -180.0..=180.0),
        ) {
            let haversine = circle(from.0, from.1, 0.0).haversine_to(to.0, to.1);
            let difference = haversine_to_metres(haversine) - distance_by_vectors_m(from, to);
            // Haversines are coarse near the antipode, where no query looks.
            let tolerance_m = if haversine > 0.99 { 1.0 } else { 1e-3 };
            proptest::prop_assert!(difference.abs() < tolerance_m, "{difference}");
        }
    }

    #[test]
    fn a_known_distance() {
        // Half of the way from pole to pole.
        let haversine = circle(90.0, 12.0, 0.0).haversine_to(0.0, -77.0);
        let expected = EARTH_RADIUS_M * std::f64::consts::FRAC_PI_2;
        assert!((haversine_to_metres(haversine) - expected).abs() < 1e-3);
        // Across the antimeridian, one degree of the equator.
        let haversine = circle(0.0, 179.5, 0.0).haversine_to(0.0, -179.5);
        let expected = EARTH_RADIUS_M * 1_f64.to_radians();
        assert!((haversine_to_metres(haversine) - expected).abs() < 1e-3);
    }

    #[test]
    fn windows_split_at_the_antimeridian_and_open_at_the_poles() {
        let all = [Some((-LONGITUDE_UNITS_MAX, LONGITUDE_UNITS_MAX)), None];
        assert_eq!(circle(90.0, 0.0, 0.0).window().longitudes, all);
        assert_eq!(circle(-89.9, 33.0, 50_000.0).window().longitudes, all);
        assert_ne!(circle(-89.5, 33.0, 50_000.0).window().longitudes, all);
        for longitude in [180.0, -180.0, 179.99, -179.99] {
            let window = circle(10.0, longitude, 10_000.0).window();
            assert!(window.longitudes[1].is_some(), "{longitude}");
        }
        let window = circle(10.0, 179.0, 10_000.0).window();
        assert!(window.longitudes[1].is_none());
    }

    #[test]
    fn invalid_circles_are_refused() {
        let at = |latitude_degrees| Coordinates {
            latitude_degrees,
            longitude_degrees: 0.0,
        };
        assert!(Circle::new(at(f64::NAN), 1.0).is_none());
        assert!(Circle::new(at(f64::INFINITY), 1.0).is_none());
        assert!(Circle::new(at(1.0), f64::NAN).is_none());
        assert!(Circle::new(at(1.0), -1.0).is_none());
        assert!(Circle::new(at(1.0), f64::INFINITY).is_some());
    }

    #[test]
    fn units_and_degrees() {
        assert_eq!(to_units(-90.0, LATITUDE_UNITS_MAX), Some(-900_000_000));
        assert_eq!(to_units(90.000_000_1, LATITUDE_UNITS_MAX), None);
        assert_eq!(to_units(f64::NAN, LATITUDE_UNITS_MAX), None);
        assert_eq!(to_units(-180.0, LONGITUDE_UNITS_MAX), Some(-1_800_000_000));
        assert_eq!(to_degrees(-1_184_451_270).to_string(), "-118.445127");
    }
}
