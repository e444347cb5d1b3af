//! All that is at most so far from a point.

use herd_crdt::{Coordinates, Location};

use super::area::{Column, Row};
use super::cap::{Cap, Interior};
use super::sphere::{
    Point, cosine_at_least, haversine_at_least, haversine_to_metres, metres_to_haversine, turn,
};

/// Bounds below a haversine are lowered by this for all rounding; around a point that is 0.4 m.
const SLACK: f64 = 1e-15;

/// All that is at most so far from a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circle {
    center: Point,
    radius_m: f64,
    haversine_max: f64,
}

impl Circle {
    /// The circle around a point; without a radius, all of the earth.
    #[must_use]
    pub fn new(center: Coordinates, radius_m: Option<f64>) -> Self {
        let radius_m = radius_m.unwrap_or(f64::INFINITY);
        Circle {
            center: Point::new(center),
            radius_m,
            haversine_max: metres_to_haversine(radius_m) + SLACK,
        }
    }

    /// How far a location is from the centre, as metres and as a haversine, if it lies in the circle.
    #[must_use]
    pub fn distance(&self, location: &Location<'_>) -> Option<(f64, f64)> {
        let haversine = self
            .center
            .haversine_to(&Point::new(location.coordinates()));
        let metres = haversine_to_metres(haversine);
        (metres <= self.radius_m).then_some((metres, haversine))
    }

    /// Whether it reaches to the other side of the earth.
    #[must_use]
    pub(crate) fn is_everywhere(&self) -> bool {
        self.radius_m >= haversine_to_metres(1.0)
    }

    /// The same, to be asked often and about.
    #[must_use]
    pub fn cap(&self) -> Cap {
        Cap::new(self.center.coordinates(), self.radius_m)
    }

    /// The squares that lie wholly in it.
    pub(crate) fn interior(&self) -> Interior {
        Interior::new(self.center.coordinates(), self.radius_m)
    }

    pub(crate) fn haversine_max(&self) -> f64 {
        self.haversine_max
    }

    /// How near rows between these latitudes come, at least.
    #[inline]
    pub(crate) fn row(&self, (south, north): (f64, f64)) -> Row {
        let narrowest = cosine_at_least(south).min(cosine_at_least(north));
        Row {
            // The two parts of a haversine, each as small as it can be.
            fixed: self.fixed((south, north)),
            factor: self.center.latitude_cos() * narrowest,
        }
    }

    /// The part of [`Circle::row`] that does not depend on the column.
    #[inline]
    pub(crate) fn fixed(&self, (south, north): (f64, f64)) -> f64 {
        let latitude = self.center.latitude_degrees;
        let gap = (south - latitude).max(latitude - north).max(0.0);
        haversine_at_least(gap) - SLACK
    }

    /// How near columns between these longitudes come, at least.
    #[inline]
    pub(crate) fn column(&self, (west, east): (f64, f64)) -> Column {
        let middle = f64::midpoint(west, east);
        let gap = turn(self.center.longitude_degrees, middle) - (east - west) / 2.0;
        Column {
            factor: haversine_at_least(gap.max(0.0)),
        }
    }
}
