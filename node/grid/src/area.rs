//! The area of a search.

use herd_crdt::{Location, QuantizedLocation};

use super::cell::edges_of;
use super::centered_box::CenteredBox;
use super::circle::Circle;
use super::rectangle::Rectangle;

/// The area of a search.
#[derive(Clone, Debug)]
pub enum Area {
    /// Around a point, nearest first.
    Circle(Circle),
    /// Between two corners, in any order.
    Rectangle(Rectangle),
    /// Around a point, as wide and high as it is, nearest first.
    Box(CenteredBox),
}

/// The part of a row of squares in the bound on their distance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) fixed: f64,
    /// The factor of the column's part.
    pub(crate) factor: f64,
}

/// The part of a column of squares in the bound on their distance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) factor: f64,
}

impl Row {
    /// A bound on the distance of the square of this row and this column, as a haversine: no location in it is nearer.
    pub(crate) fn bound(self, column: Column) -> f64 {
        self.fixed + self.factor * column.factor
    }
}

impl Area {
    /// Whether both hold the same locations: the same circles, or two that reach around the earth. Others are taken for
    /// different ones.
    #[must_use]
    pub fn holds_as_much(&self, other: &Area) -> bool {
        match (self, other) {
            (Area::Circle(own), Area::Circle(other)) => {
                own == other || own.is_everywhere() && other.is_everywhere()
            }
            _ => false,
        }
    }

    /// A square whose bound is greater holds nothing of the area.
    #[must_use]
    pub fn bound_max(&self) -> f64 {
        match self {
            Area::Circle(circle) => circle.haversine_max(),
            Area::Rectangle(_) => Rectangle::BOUND_MAX,
            Area::Box(boxed) => boxed.circle().haversine_max(),
        }
    }

    /// A bound on the distance of a location at this knot, as a haversine: the location is not nearer.
    #[must_use]
    pub fn bound_at(&self, at: QuantizedLocation) -> f64 {
        let (latitudes, longitudes) = edges_of(at);
        self.row(latitudes).bound(self.column(longitudes))
    }

    /// As [`Area::bound_at`] of a location in one of the rows that are `around` it: about as good a bound, and found faster.
    #[inline]
    pub(crate) fn bound_within(&self, around: Row, at: QuantizedLocation) -> f64 {
        let (latitudes, longitudes) = edges_of(at);
        let column = self.column(longitudes);
        let circle = match self {
            Area::Circle(circle) => circle,
            Area::Box(boxed) => boxed.circle(),
            Area::Rectangle(rectangle) => return rectangle.row(latitudes).bound(column),
        };
        let row = Row {
            fixed: circle.fixed(latitudes),
            factor: around.factor,
        };
        row.bound(column)
    }

    /// How far a location is, as metres and as a haversine, if it lies in the area; 0 in a rectangle.
    #[must_use]
    pub fn distance(&self, location: &Location<'_>) -> Option<(f64, f64)> {
        match self {
            Area::Circle(circle) => circle.distance(location),
            Area::Rectangle(rectangle) => rectangle.contains(location).then_some((0.0, 0.0)),
            Area::Box(boxed) => boxed.distance(location),
        }
    }

    /// The row, unless each square in it has a greater bound than this.
    #[inline]
    pub(crate) fn row_within(&self, latitudes: (f64, f64), bound_max: f64) -> Option<Row> {
        if let Area::Circle(circle) = self
            && circle.fixed(latitudes) > bound_max
        {
            return None;
        }
        Some(self.row(latitudes)).filter(|row| row.fixed <= bound_max)
    }

    #[inline]
    pub(crate) fn row(&self, latitudes: (f64, f64)) -> Row {
        match self {
            Area::Circle(circle) => circle.row(latitudes),
            Area::Rectangle(rectangle) => rectangle.row(latitudes),
            Area::Box(boxed) => boxed.circle().row(latitudes),
        }
    }

    #[inline]
    pub(crate) fn column(&self, longitudes: (f64, f64)) -> Column {
        match self {
            Area::Circle(circle) => circle.column(longitudes),
            Area::Rectangle(rectangle) => rectangle.column(longitudes),
            Area::Box(boxed) => boxed.circle().column(longitudes),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::super::cell::{Cell, latitudes, longitudes};
    use super::*;

    /// Latitudes and longitudes as texts, with poles and the antimeridian among them.
    pub(crate) fn location() -> impl Strategy<Value = String> {
        let latitude = prop_oneof![
            4 => (-90.0_f64..90.0).prop_map(|degrees| format!("{degrees:+.8}")),
            1 => prop::sample::select(vec!["+90".to_owned(), "-90".to_owned(), "+0".to_owned()]),
        ];
        let longitude = prop_oneof![
            4 => (-180.0_f64..180.0).prop_map(|degrees| format!("{degrees:+.8}")),
            1 => prop::sample::select(vec!["+180".to_owned(), "-180".to_owned(), "+0".to_owned()]),
        ];
        (latitude, longitude).prop_map(|(latitude, longitude)| latitude + &longitude)
    }

    /// The bounds of all squares that a location lies in, the smallest first.
    fn bounds(area: &Area, at: QuantizedLocation) -> Vec<f64> {
        let cell = Cell::of(at);
        let mut bounds = vec![area.bound_at(at)];
        for bits in [0, 3, 6, 10] {
            let corner = |number: u16| number >> bits << bits;
            let row = area.row(latitudes(corner(cell.row), bits));
            bounds.push(area.bound_within(row, at));
            let column = area.column(longitudes(corner(cell.column), bits));
            bounds.push(row.bound(column));
        }
        bounds
    }

    proptest! {
        #[test]
        fn nothing_is_nearer_than_its_squares(center in location(), other in location()) {
            let center = Location::parse(center.as_bytes()).unwrap();
            let other = Location::parse(other.as_bytes()).unwrap();
            let area = Area::Circle(Circle::new(center.coordinates(), None));
            let (_, haversine) = area.distance(&other).unwrap();
            for bound in bounds(&area, other.quantized()) {
                prop_assert!(bound <= haversine, "{} beyond {}", bound, haversine);
            }
        }

        #[test]
        fn a_circle_holds_the_location_on_its_edge(center in location(), other in location()) {
            let center = Location::parse(center.as_bytes()).unwrap();
            let other = Location::parse(other.as_bytes()).unwrap();
            let all = Area::Circle(Circle::new(center.coordinates(), None));
            let (radius_m, _) = all.distance(&other).unwrap();
            let area = Area::Circle(Circle::new(center.coordinates(), Some(radius_m)));
            prop_assert!(area.distance(&other).is_some());
            for bound in bounds(&area, other.quantized()) {
                prop_assert!(bound <= area.bound_max());
            }
        }

        #[test]
        fn squares_of_what_a_rectangle_holds_overlap_it(corners in (location(), location()), other in location()) {
            let (one, two) = (corners.0.as_bytes(), corners.1.as_bytes());
            let rectangle = Rectangle::new(one, two).or_else(|_| Rectangle::new(two, one)).unwrap();
            let other = Location::parse(other.as_bytes()).unwrap();
            let area = Area::Rectangle(rectangle);
            if area.distance(&other).is_some() {
                for bound in bounds(&area, other.quantized()) {
                    prop_assert!(bound <= area.bound_max());
                }
            }
        }
    }
}
