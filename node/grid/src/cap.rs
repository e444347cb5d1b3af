//! A circle that is asked often whether it may hold a location: one product of vectors.

use herd_crdt::{Coordinates, QuantizedLocation};

use super::cell::{Cell, center_of, center_of_square};
use super::sphere::EARTH_RADIUS_M;

/// No location lies farther from the middle of its knot, in metres: half of the diagonal of 38 m, and a little for the
/// decimals that a knot leaves out.
const KNOT_SLACK_M: f64 = 30.0;

/// The half diagonal of a cell at the equator, in metres, and a little more.
const HALF_CELL_M: f64 = 870.0;

/// More than the rounding errors of a product of unit vectors.
const SLACK: f64 = 1e-14;

/// A point of the unit sphere.
#[derive(Clone, Copy, Debug)]
pub struct Direction([f64; 3]);

/// A circle, as all the directions that differ little from that of its center.
#[derive(Clone, Copy, Debug)]
pub struct Cap {
    center: Direction,
    /// The least product of the center with a direction in it.
    product_min: f64,
}

impl Direction {
    /// Of the middle of a knot.
    #[must_use]
    pub fn of(at: QuantizedLocation) -> Self {
        Direction::to(center_of(at))
    }

    pub(crate) fn to(at: Coordinates) -> Self {
        let (latitude_sin, latitude_cos) = at.latitude_degrees.to_radians().sin_cos();
        let (longitude_sin, longitude_cos) = at.longitude_degrees.to_radians().sin_cos();
        Direction([
            latitude_cos * longitude_cos,
            latitude_cos * longitude_sin,
            latitude_sin,
        ])
    }

    fn product(&self, other: &Direction) -> f64 {
        let (a, b) = (&self.0, &other.0);
        a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    }
}

impl Cap {
    /// All that is at most `radius_m` metres from `center`.
    pub(crate) fn new(center: Coordinates, radius_m: f64) -> Self {
        Cap {
            center: Direction::to(center),
            product_min: product_at(radius_m + KNOT_SLACK_M) - SLACK,
        }
    }

    /// Whether a location may lie in it, by the direction of its knot. Says yes to a few that lie up to 60 m outside.
    #[must_use]
    pub fn may_hold(&self, knot: &Direction) -> bool {
        self.center.product(knot) >= self.product_min
    }
}

/// The squares that lie wholly in a circle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interior {
    center: Direction,
    radius_m: f64,
}

impl Interior {
    pub(crate) fn new(center: Coordinates, radius_m: f64) -> Self {
        Interior {
            center: Direction::to(center),
            radius_m,
        }
    }

    /// Whether this square of `2^bits` cells lies wholly in it; says no to some that do.
    pub(crate) fn holds_square(&self, southwest: Cell, bits: u32) -> bool {
        let half_m = HALF_CELL_M * f64::from(1_u32 << bits);
        if half_m >= self.radius_m {
            return false;
        }
        let middle = Direction::to(center_of_square(southwest, bits));
        self.center.product(&middle) >= product_at(self.radius_m - half_m) + SLACK
    }
}

/// The product of two directions that are so far from each other.
fn product_at(metres: f64) -> f64 {
    let angle = metres / EARTH_RADIUS_M;
    if angle >= std::f64::consts::PI {
        // Everything.
        return -2.0;
    }
    angle.cos()
}

#[cfg(test)]
mod tests {
    use herd_crdt::Location;
    use proptest::prelude::*;

    use super::super::area::tests::location;
    use super::super::{Area, Circle};
    use super::*;

    fn coordinates(text: &str) -> Coordinates {
        Location::parse(text.as_bytes()).unwrap().coordinates()
    }

    proptest! {
        #[test]
        fn a_cap_may_hold_all_that_its_circle_holds(
            center in location(),
            other in location(),
            beyond_m in 0.0_f64..100_000.0,
        ) {
            let all = Area::Circle(Circle::new(coordinates(&center), None));
            let other = Location::parse(other.as_bytes()).unwrap();
            let (distance_m, _) = all.distance(&other).unwrap();
            let knot = Direction::of(other.quantized());
            let cap = Circle::new(coordinates(&center), Some(distance_m)).cap();
            prop_assert!(cap.may_hold(&knot));
            let near = Circle::new(coordinates(&center), Some((distance_m - 61.0 - beyond_m).max(0.0))).cap();
            if distance_m > 61.0 {
                prop_assert!(!near.may_hold(&knot), "{} m away", distance_m);
            }
        }

        #[test]
        fn squares_inside_a_circle_hold_nothing_beyond_it(
            center in location(),
            other in location(),
            radius_m in 0.0_f64..3_000_000.0,
            bits in 0_u32..11,
        ) {
            let other = Location::parse(other.as_bytes()).unwrap();
            let cell = Cell::of(other.quantized());
            let southwest = Cell { row: cell.row >> bits << bits, column: cell.column >> bits << bits };
            let circle = Circle::new(coordinates(&center), Some(radius_m));
            if Interior::new(coordinates(&center), radius_m).holds_square(southwest, bits) {
                prop_assert!(circle.distance(&other).is_some());
            }
        }
    }

    #[test]
    fn a_large_square_around_the_center_is_inside() {
        let center = coordinates("+34.07-118.44");
        let cell = Cell::of(Location::parse(b"+34.07-118.44").unwrap().quantized());
        assert!(Interior::new(center, 3_000.0).holds_square(cell, 0));
        assert!(!Interior::new(center, 800.0).holds_square(cell, 0));
        let block = Cell {
            row: cell.row >> 3 << 3,
            column: cell.column >> 3 << 3,
        };
        assert!(Interior::new(center, 30_000.0).holds_square(block, 3));
    }

    #[test]
    fn the_whole_earth_holds_everything() {
        let cap = Circle::new(coordinates("+0+0"), None).cap();
        let far = Location::parse(b"+0+180").unwrap().quantized();
        assert!(cap.may_hold(&Direction::of(far)));
    }
}
