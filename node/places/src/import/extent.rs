//! The box around the points of something, and the place that stands for it.

/// The box around points on the sphere. Across the antimeridian the narrower of two boxes counts:
/// one that is split at 180 degrees, and one that is split at 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Extent {
    ranges: Option<Ranges>,
    /// A point that is not on Earth, latitude and longitude: then the position of the box is unknown.
    beyond: Option<(f64, f64)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Ranges {
    latitude: (f64, f64),
    /// From -180 to 180.
    longitude: (f64, f64),
    /// The same points from 0 to 360.
    longitude_eastward: (f64, f64),
}

impl Extent {
    /// The box of one point, in degrees.
    pub(super) fn of_point(latitude: f64, longitude: f64) -> Self {
        let eastward = if longitude < 0.0 {
            longitude + 360.0
        } else {
            longitude
        };
        let is_on_earth = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        Extent {
            ranges: Some(Ranges {
                latitude: (latitude, latitude),
                longitude: (longitude, longitude),
                longitude_eastward: (eastward, eastward),
            }),
            beyond: (!is_on_earth).then_some((latitude, longitude)),
        }
    }

    /// Takes in another box.
    pub(super) fn add(&mut self, other: Extent) {
        self.beyond = self.beyond.or(other.beyond);
        self.ranges = match (self.ranges, other.ranges) {
            (Some(a), Some(b)) => Some(Ranges {
                latitude: union(a.latitude, b.latitude),
                longitude: union(a.longitude, b.longitude),
                longitude_eastward: union(a.longitude_eastward, b.longitude_eastward),
            }),
            (one, None) | (None, one) => one,
        };
    }

    /// The middle of the box, latitude and longitude in degrees; `None` without points. If one of the points is not on
    /// Earth it is that one, which no table takes.
    pub(super) fn middle(&self) -> Option<(f64, f64)> {
        if let Some(beyond) = self.beyond {
            return Some(beyond);
        }
        let ranges = self.ranges?;
        let middle = |(low, high): (f64, f64)| low + (high - low) / 2.0;
        let width = |(low, high): (f64, f64)| high - low;
        let longitude = if width(ranges.longitude) <= width(ranges.longitude_eastward) {
            middle(ranges.longitude)
        } else {
            let eastward = middle(ranges.longitude_eastward);
            if eastward > 180.0 {
                eastward - 360.0
            } else {
                eastward
            }
        };
        Some((middle(ranges.latitude), longitude))
    }
}

fn union(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (a.0.min(b.0), a.1.max(b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn middle(points: &[(f64, f64)]) -> Option<(f64, f64)> {
        let mut extent = Extent::default();
        for &(latitude, longitude) in points {
            extent.add(Extent::of_point(latitude, longitude));
        }
        extent.middle()
    }

    #[test]
    fn the_middle_of_points() {
        assert_eq!(middle(&[]), None);
        assert_eq!(middle(&[(60.1, -24.9)]), Some((60.1, -24.9)));
        assert_eq!(
            middle(&[(1.0, 2.0), (3.0, 6.0), (2.0, 3.0)]),
            Some((2.0, 4.0))
        );
        assert_eq!(middle(&[(0.0, -1.0), (0.0, 1.0)]), Some((0.0, 0.0)));
    }

    #[test]
    fn one_point_that_is_nowhere_spoils_the_middle() {
        for beyond in [(0.0, 190.0), (-90.5, 0.0), (f64::INFINITY, 0.0)] {
            assert_eq!(middle(&[(1.0, 2.0), beyond, (3.0, 4.0)]), Some(beyond));
        }
        assert!(middle(&[(1.0, 2.0), (f64::NAN, 3.0)]).unwrap().0.is_nan());
    }

    #[test]
    fn across_the_antimeridian() {
        assert_eq!(
            middle(&[(-17.0, 179.0), (-16.0, -179.0)]),
            Some((-16.5, 180.0))
        );
        assert_eq!(middle(&[(0.0, 179.5), (0.0, -178.5)]), Some((0.0, -179.5)));
    }
}
