//! The location of a report: ISO 6709 decimal degrees, latitude then longitude.

use std::cmp::Ordering;

use crate::decimal::{Decimal, whole_number};
use crate::quantized::{DEGREE_DECIMALS, QuantizedLocation};

/// The longest location text, in bytes.
pub const LOCATION_BYTES_MAX: usize = 64;

const LATITUDE_DEGREES_MAX: u32 = 90;
const LONGITUDE_DEGREES_MAX: u32 = 180;

/// Why a text is not a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLocation {
    /// More than [`LOCATION_BYTES_MAX`] bytes.
    #[error("location is longer than {LOCATION_BYTES_MAX} bytes")]
    TooLong,
    /// Not sign, digits, optional fraction, twice, with nothing between or after.
    #[error("location is not a signed latitude followed by a signed longitude")]
    Malformed,
    /// A latitude beyond 90 or a longitude beyond 180 degrees.
    #[error("location lies outside +-90, +-180 degrees")]
    OutOfRange,
}

/// A point on the sphere, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coordinates {
    /// Degrees north, -90 to 90.
    pub latitude_degrees: f64,
    /// Degrees east, -180 to 180.
    pub longitude_degrees: f64,
}

/// A checked location text such as `+34.068930-118.445127`. It borrows the text, which herd stores, compares and
/// echoes; coordinates are computed on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location<'a> {
    latitude: Degrees<'a>,
    longitude: Degrees<'a>,
}

/// One number of a location, with its sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Degrees<'a> {
    negative: bool,
    magnitude: Decimal<'a>,
}

impl<'a> Location<'a> {
    /// Checks `text`, byte by byte.
    ///
    /// # Errors
    /// Says which rule the text breaks; see [`InvalidLocation`].
    pub fn parse(text: &'a [u8]) -> Result<Self, InvalidLocation> {
        if text.len() > LOCATION_BYTES_MAX {
            return Err(InvalidLocation::TooLong);
        }
        let (latitude, rest) = take_signed(text).ok_or(InvalidLocation::Malformed)?;
        let (longitude, rest) = take_signed(rest).ok_or(InvalidLocation::Malformed)?;
        if !rest.is_empty() {
            return Err(InvalidLocation::Malformed);
        }
        if !latitude.magnitude.is_at_most(LATITUDE_DEGREES_MAX)
            || !longitude.magnitude.is_at_most(LONGITUDE_DEGREES_MAX)
        {
            return Err(InvalidLocation::OutOfRange);
        }
        Ok(Location {
            latitude,
            longitude,
        })
    }

    /// Degrees north.
    #[must_use]
    pub fn latitude(&self) -> Degrees<'a> {
        self.latitude
    }

    /// Degrees east.
    #[must_use]
    pub fn longitude(&self) -> Degrees<'a> {
        self.longitude
    }

    /// Whether this is one of the poles, at which every longitude is the pole.
    #[must_use]
    pub fn is_pole(&self) -> bool {
        self.latitude.has_magnitude(LATITUDE_DEGREES_MAX)
    }

    /// About where it is.
    #[must_use]
    #[inline]
    pub fn quantized(&self) -> QuantizedLocation {
        QuantizedLocation::of_units(self.latitude.units(), self.longitude.units())
    }

    /// The point as doubles, for distances.
    #[must_use]
    pub fn coordinates(&self) -> Coordinates {
        Coordinates {
            latitude_degrees: self.latitude.to_f64(),
            longitude_degrees: self.longitude.to_f64(),
        }
    }
}

impl Degrees<'_> {
    /// Compares two of them as decimals; `-0` is `+0`.
    #[must_use]
    pub fn compare(&self, other: &Degrees<'_>) -> Ordering {
        match (self.is_below_zero(), other.is_below_zero()) {
            (false, false) => self.magnitude.compare(&other.magnitude),
            (true, true) => other.magnitude.compare(&self.magnitude),
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
        }
    }

    /// Whether it is +180 or -180: as longitudes these are one meridian.
    #[must_use]
    pub fn is_antimeridian(&self) -> bool {
        self.has_magnitude(LONGITUDE_DEGREES_MAX)
    }

    fn is_below_zero(&self) -> bool {
        self.negative && !self.magnitude.is_zero()
    }

    /// Of a number that is at most this.
    fn has_magnitude(&self, degrees: u32) -> bool {
        whole_number(self.magnitude.whole) == Some(u64::from(degrees))
    }

    fn units(self) -> i64 {
        // The units of a checked location always fit.
        let units = self.magnitude.fixed_point(DEGREE_DECIMALS).unwrap_or(0) as i64;
        if self.negative { -units } else { units }
    }

    fn to_f64(self) -> f64 {
        let magnitude = self.magnitude.to_f64();
        if self.negative { -magnitude } else { magnitude }
    }
}

/// Reads a mandatory sign and a decimal.
fn take_signed(bytes: &[u8]) -> Option<(Degrees<'_>, &[u8])> {
    let (&sign, rest) = bytes.split_first()?;
    let negative = match sign {
        b'+' => false,
        b'-' => true,
        _ => return None,
    };
    let (magnitude, rest) = Decimal::take(rest)?;
    Some((
        Degrees {
            negative,
            magnitude,
        },
        rest,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_locations() {
        for (text, latitude, longitude) in [
            ("+34.068930-118.445127", 34.06893, -118.445127),
            ("+34.06893-118.445127", 34.06893, -118.445127),
            ("+12-118", 12.0, -118.0),
            ("+27.5916+086.5640", 27.5916, 86.564),
            ("-90.000+180.0", -90.0, 180.0),
            ("-0-0", 0.0, 0.0),
        ] {
            let location = Location::parse(text.as_bytes()).unwrap().coordinates();
            assert_eq!(location.latitude_degrees, latitude, "{text}");
            assert_eq!(location.longitude_degrees, longitude, "{text}");
        }
    }

    #[test]
    fn degrees_are_compared_as_decimals() {
        let compare = |a: &str, b: &str| {
            let (a, b) = (format!("{a}+0"), format!("{b}+0"));
            let (a, b) = (Location::parse(a.as_bytes()), Location::parse(b.as_bytes()));
            a.unwrap().latitude().compare(&b.unwrap().latitude())
        };
        let ascending = [
            "-90",
            "-1.00000000000000000001",
            "-1",
            "-0.5",
            "+0",
            "+0.5",
            "+1",
            "+1.00000000000000000001",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} against {b}");
            }
        }
        assert_eq!(compare("-0.00", "+0"), Ordering::Equal);
        assert_eq!(compare("+001.50", "+1.5"), Ordering::Equal);
    }

    #[test]
    fn poles_and_the_antimeridian_are_told_from_what_is_near_them() {
        let parse = |text: &'static str| Location::parse(text.as_bytes()).unwrap();
        assert!(parse("+90.00+7").is_pole() && parse("-090-7").is_pole());
        assert!(!parse("+89.99999999999999999999+7").is_pole());
        let antimeridian = |text| parse(text).longitude().is_antimeridian();
        assert!(antimeridian("+0+180") && antimeridian("+0-180.0"));
        assert!(!antimeridian("+0+179.99999999999999999999") && !antimeridian("+0+18"));
    }

    #[test]
    fn malformed_locations() {
        for text in [
            "",
            "+",
            "+1",
            "34.0-118.4",
            "+34.0118.4",
            "+34.-118",
            "+.5-118",
            "+34-118/",
            "+34-118+10",
            "+34e1-118",
            "+34 -118",
            "+34-",
            "++34-118",
            "+34--118",
            "+nan-118",
            "+34-118CRSWGS_84/",
        ] {
            assert_eq!(
                Location::parse(text.as_bytes()),
                Err(InvalidLocation::Malformed),
                "{text}"
            );
        }
    }

    #[test]
    fn out_of_range_by_less_than_a_double_can_tell() {
        let out = Err(InvalidLocation::OutOfRange);
        assert_eq!(Location::parse(b"+90.0000000000000000000000001+0"), out);
        assert_eq!(Location::parse(b"+0-180.0000000000000000000000001"), out);
        assert_eq!(Location::parse(b"+0+181"), out);
    }

    #[test]
    fn length_is_bounded() {
        let mut text = b"+0.".to_vec();
        text.resize(LOCATION_BYTES_MAX - 2, b'0');
        text.extend_from_slice(b"+0");
        assert!(Location::parse(&text).is_ok());
        text.push(b'0');
        assert_eq!(Location::parse(&text), Err(InvalidLocation::TooLong));
    }
}
