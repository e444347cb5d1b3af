//! All that lies between two corners.

use std::cmp::Ordering;

use herd_crdt::{InvalidLocation, Location};

use super::area::{Column, Row};
use super::cell::EDGE_DEGREES;
use super::sphere::{POLE_DEGREES, turn};

/// All that lies between a southwestern and a northeastern corner, edges included. It crosses 180 degrees if the
/// southwestern longitude is greater than the northeastern one.
#[derive(Clone, Debug)]
pub struct Rectangle {
    southwest: Corner,
    northeast: Corner,
    crosses: bool,
    /// The middle of its longitudes, and half of their span, in degrees.
    middle_degrees: f64,
    half_degrees: f64,
}

/// Why two locations make no rectangle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRectangle {
    /// See [`InvalidLocation`].
    #[error(transparent)]
    Corner(#[from] InvalidLocation),
    /// The first corner lies north of the second.
    #[error("the southwestern corner lies north of the northeastern one")]
    UpsideDown,
}

/// The meridian that has two names, under both.
const ANTIMERIDIAN: [&[u8]; 2] = [b"+0+180", b"+0-180"];

/// A corner as it was given. Decimals that no double can tell apart are compared digit by digit.
#[derive(Clone, Debug)]
struct Corner {
    text: Box<[u8]>,
    latitude_degrees: f64,
    longitude_degrees: f64,
}

impl Corner {
    fn new(text: &[u8]) -> Result<Self, InvalidLocation> {
        let at = Location::parse(text)?.coordinates();
        Ok(Corner {
            text: text.into(),
            latitude_degrees: at.latitude_degrees,
            longitude_degrees: at.longitude_degrees,
        })
    }

    /// How a location's latitude compares with the corner's.
    fn latitude_of(&self, location: &Location<'_>) -> Ordering {
        let degrees = location.coordinates().latitude_degrees;
        self.compare(degrees, self.latitude_degrees, |own| {
            location.latitude().compare(&own.latitude())
        })
    }

    /// How a location's longitude compares with the corner's.
    fn longitude_of(&self, location: &Location<'_>) -> Ordering {
        let degrees = location.coordinates().longitude_degrees;
        self.compare(degrees, self.longitude_degrees, |own| {
            location.longitude().compare(&own.longitude())
        })
    }

    fn compare(
        &self,
        degrees: f64,
        own_degrees: f64,
        exact: impl FnOnce(&Location<'_>) -> Ordering,
    ) -> Ordering {
        match degrees.partial_cmp(&own_degrees) {
            // The greater of two decimals is never the lesser double.
            Some(told @ (Ordering::Less | Ordering::Greater)) => told,
            _ => Location::parse(&self.text).map_or(Ordering::Equal, |own| exact(&own)),
        }
    }
}

impl Rectangle {
    /// Squares that overlap have the bound 0, others one that is greater.
    pub(crate) const BOUND_MAX: f64 = 0.0;

    /// The rectangle of these corners, as texts of locations.
    ///
    /// # Errors
    /// See [`InvalidRectangle`].
    pub fn new(southwest: &[u8], northeast: &[u8]) -> Result<Self, InvalidRectangle> {
        let (southwest, northeast) = (Corner::new(southwest)?, Corner::new(northeast)?);
        let north = Location::parse(&northeast.text)?;
        if southwest.latitude_of(&north) == Ordering::Less {
            return Err(InvalidRectangle::UpsideDown);
        }
        let (west, east) = (southwest.longitude_degrees, northeast.longitude_degrees);
        let crosses = southwest.longitude_of(&north) == Ordering::Less;
        let span = if crosses {
            east - west + 360.0
        } else {
            east - west
        };
        let middle = west + span / 2.0;
        Ok(Rectangle {
            crosses,
            middle_degrees: if middle > 180.0 {
                middle - 360.0
            } else {
                middle
            },
            half_degrees: span / 2.0,
            southwest,
            northeast,
        })
    }

    /// Whether a location lies in it.
    #[must_use]
    pub fn contains(&self, location: &Location<'_>) -> bool {
        if self.southwest.latitude_of(location) == Ordering::Less
            || self.northeast.latitude_of(location) == Ordering::Greater
        {
            return false;
        }
        if location.is_pole() {
            return true;
        }
        if location.longitude().is_antimeridian() {
            let mut names = ANTIMERIDIAN
                .iter()
                .filter_map(|text| Location::parse(text).ok());
            return names.any(|name| self.spans_longitude_of(&name));
        }
        self.spans_longitude_of(location)
    }

    fn spans_longitude_of(&self, location: &Location<'_>) -> bool {
        let is_east_of_west = self.southwest.longitude_of(location) != Ordering::Less;
        let is_west_of_east = self.northeast.longitude_of(location) != Ordering::Greater;
        if self.crosses {
            is_east_of_west || is_west_of_east
        } else {
            is_east_of_west && is_west_of_east
        }
    }

    /// Whether rows between these latitudes hold any of it.
    pub(crate) fn row(&self, (south, north): (f64, f64)) -> Row {
        let from = self.southwest.latitude_degrees;
        let to = self.northeast.latitude_degrees;
        let overlaps = north >= from && south <= to;
        let has_south_pole = from <= -POLE_DEGREES && south <= -POLE_DEGREES;
        let has_north_pole = to >= POLE_DEGREES && north >= POLE_DEGREES;
        Row {
            fixed: if overlaps { 0.0 } else { f64::INFINITY },
            // At a pole every longitude is the pole.
            factor: if has_south_pole || has_north_pole {
                0.0
            } else {
                1.0
            },
        }
    }

    /// Whether columns between these longitudes hold any of it.
    pub(crate) fn column(&self, (west, east): (f64, f64)) -> Column {
        let apart = turn(f64::midpoint(west, east), self.middle_degrees);
        let overlaps = apart <= (east - west) / 2.0 + self.half_degrees + EDGE_DEGREES;
        Column {
            factor: if overlaps { 0.0 } else { 1.0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(southwest: &str, northeast: &str, location: &str) -> bool {
        let rectangle = Rectangle::new(southwest.as_bytes(), northeast.as_bytes()).unwrap();
        rectangle.contains(&Location::parse(location.as_bytes()).unwrap())
    }

    #[test]
    fn edges_belong_to_it_to_the_last_digit() {
        let (southwest, northeast) = ("+1-2", "+3+4");
        for inside in ["+1-2", "+3+4", "+2+0", "+1.0-2.00", "+3+0", "+2+4"] {
            assert!(holds(southwest, northeast, inside), "{inside}");
        }
        for outside in [
            "+0.99999999999999999999+0",
            "+3.00000000000000000001+0",
            "+2-2.00000000000000000001",
            "+2+4.00000000000000000001",
            "-2+0",
        ] {
            assert!(!holds(southwest, northeast, outside), "{outside}");
        }
        assert!(holds("+1+1", "+1+1", "+1+1"));
        assert!(holds("-0-0", "+0+0", "+0-0"));
    }

    #[test]
    fn it_crosses_180_degrees_if_west_is_greater_than_east() {
        for inside in ["+0+170", "+0+175", "+0+180", "+0-180", "+0-175", "+0-170"] {
            assert!(holds("-1+170", "+1-170", inside), "{inside}");
        }
        for outside in ["+0+169.9", "+0-169.9", "+0+0"] {
            assert!(!holds("-1+170", "+1-170", outside), "{outside}");
        }
    }

    #[test]
    fn the_antimeridian_has_two_names() {
        for (west, east) in [
            ("+170", "+180"),
            ("-180", "-170"),
            ("+180", "-170"),
            ("-180", "+180"),
        ] {
            let corner = |longitude: &str| format!("+0{longitude}");
            for name in ["+0+180", "+0-180", "+0-180.000"] {
                assert!(
                    holds(&corner(west), &corner(east), name),
                    "{west} {east} {name}"
                );
            }
        }
        assert!(holds("+0+180", "+0-180", "+0+180") && !holds("+0+180", "+0-180", "+0+0"));
        assert!(holds("+0-180", "+0+180", "+0+0"));
        assert!(!holds("+0+170", "+0+179.9", "+0-180"));
    }

    #[test]
    fn a_pole_is_at_every_longitude() {
        assert!(holds("+80+10", "+90+20", "+90-77"));
        assert!(holds("-90+10", "-80+20", "-90.0+180"));
        assert!(!holds("+80+10", "+89.9+20", "+90+15"));
        assert!(!holds("+80+10", "+90+20", "+89.9-77"));
    }

    #[test]
    fn the_first_corner_lies_not_north_of_the_second() {
        let upside_down = Some(InvalidRectangle::UpsideDown);
        let error = |southwest: &[u8], northeast: &[u8]| Rectangle::new(southwest, northeast).err();
        assert_eq!(error(b"+1+1", b"+0.9+2"), upside_down);
        assert_eq!(error(b"+1.00000000000000000001+1", b"+1+2"), upside_down);
        assert_eq!(error(b"+1+1", b"+1.0+2"), None);
        let malformed = InvalidRectangle::Corner(InvalidLocation::Malformed);
        assert_eq!(error(b"1+1", b"+1+2"), Some(malformed));
    }
}
