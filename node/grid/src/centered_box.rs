//! All that is at most so far north or south of a point, and so far east or west.

use herd_crdt::{Coordinates, Location};

use super::circle::Circle;
use super::sphere::{Point, haversine_to_metres};

/// More than all rounding, in metres.
const SLACK_M: f64 = 1.0;

/// A box around a point, as Redis has it: a location lies in it if it is at most half of the height from the center's
/// parallel, and at most half of the width from the center's meridian, along the location's own parallel's great circle.
#[derive(Clone, Copy, Debug)]
pub struct CenteredBox {
    /// Holds all of the box.
    circle: Circle,
    center: Point,
    half_width_m: f64,
    half_height_m: f64,
}

impl CenteredBox {
    /// The box around a point.
    #[must_use]
    pub fn new(center: Coordinates, width_m: f64, height_m: f64) -> Self {
        let (half_width_m, half_height_m) = (width_m / 2.0, height_m / 2.0);
        CenteredBox {
            // No way is longer than one north or south and then one east or west.
            circle: Circle::new(center, Some(half_width_m + half_height_m + SLACK_M)),
            center: Point::new(center),
            half_width_m,
            half_height_m,
        }
    }

    /// How far a location is from the center, as metres and as a haversine, if it lies in the box.
    #[must_use]
    pub fn distance(&self, location: &Location<'_>) -> Option<(f64, f64)> {
        let at = location.coordinates();
        let corner = |latitude_degrees, longitude_degrees| {
            Point::new(Coordinates {
                latitude_degrees,
                longitude_degrees,
            })
        };
        let at = corner(at.latitude_degrees, at.longitude_degrees);
        let north = corner(at.latitude_degrees, self.center.longitude_degrees);
        let metres = |a: &Point, b: &Point| haversine_to_metres(a.haversine_to(b));
        let is_in = metres(&self.center, &north) <= self.half_height_m
            && metres(&north, &at) <= self.half_width_m;
        is_in.then(|| self.circle.distance(location)).flatten()
    }

    /// A circle that holds all of it.
    #[must_use]
    pub fn circle(&self) -> &Circle {
        &self.circle
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Area;
    use super::super::area::tests::location;
    use super::*;

    fn coordinates(text: &str) -> Coordinates {
        Location::parse(text.as_bytes()).unwrap().coordinates()
    }

    fn holds(center: &str, width_m: f64, height_m: f64, other: &str) -> bool {
        let area = CenteredBox::new(coordinates(center), width_m, height_m);
        let other = Location::parse(other.as_bytes()).unwrap();
        area.distance(&other).is_some()
    }

    #[test]
    fn width_is_east_and_west_and_height_is_north_and_south() {
        // A degree is 111 km long, and half of that east and west at 60 degrees north.
        assert!(holds("+0+0", 2.0, 224_000.0, "+1+0") && !holds("+0+0", 2.0, 222_000.0, "+1+0"));
        assert!(
            holds("+60+0", 112_000.0, 2.0, "+60+1") && !holds("+60+0", 110_000.0, 2.0, "+60+1")
        );
        assert!(holds("+0+180", 224_000.0, 2.0, "+0-179"));
    }

    proptest! {
        #[test]
        fn a_search_of_its_squares_misses_nothing(
            center in location(),
            other in location(),
            width_m in 0.0_f64..40_000_000.0,
            height_m in 0.0_f64..20_000_000.0,
        ) {
            let boxed = CenteredBox::new(coordinates(&center), width_m, height_m);
            let other = Location::parse(other.as_bytes()).unwrap();
            let at = Point::new(other.coordinates());
            let north = Point::new(Coordinates {
                latitude_degrees: at.latitude_degrees,
                longitude_degrees: boxed.center.longitude_degrees,
            });
            let metres = |a: &Point, b: &Point| haversine_to_metres(a.haversine_to(b));
            let is_in = metres(&boxed.center, &north) <= width_m.min(height_m) / 2.0
                && metres(&north, &at) <= width_m.min(height_m) / 2.0;
            if is_in {
                let (distance_m, haversine) = boxed.distance(&other).unwrap();
                let area = Area::Box(boxed);
                prop_assert!(area.bound_at(other.quantized()) <= haversine);
                prop_assert!(haversine <= area.bound_max(), "{} m away", distance_m);
            }
        }
    }
}
