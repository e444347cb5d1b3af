//! `NEARBY` and `WITHIN`: which clients are here?

use std::cmp::Ordering;

use herd_crdt::Location;

use super::command::{Fields, InvalidOperand, check_client};
use super::whatsat::{Radius, parse_bound};

/// The largest radius, in kilometres: more than half of the earth's circumference.
pub const REACH_KM_MAX: u32 = 20_100;

/// The largest limit on the number of clients.
pub const CLIENTS_MAX: usize = 1_000;

/// The radius that stands for none.
const ANY_RADIUS: &[u8] = b"*";

/// The checked operands of a `NEARBY`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nearby<'a> {
    /// The center of the search.
    pub center: Center<'a>,
    /// How far; `None` for no bound.
    pub radius: Option<Radius>,
    /// How many clients at most, 0 to [`CLIENTS_MAX`].
    pub limit: usize,
}

/// The center of a `NEARBY`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Center<'a> {
    /// A point.
    Point(Location<'a>),
    /// A client, by its ID.
    Client(&'a [u8]),
}

/// The checked operands of a `WITHIN`: two corners, the first not north of the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within<'a> {
    /// The southwestern corner, the text of a [`Location`].
    pub southwest: &'a [u8],
    /// The northeastern corner.
    pub northeast: &'a [u8],
    /// How many clients at most, 0 to [`CLIENTS_MAX`].
    pub limit: usize,
}

impl<'a> Nearby<'a> {
    /// Reads the operands, behind the command word.
    ///
    /// # Errors
    /// Says which operand is wrong.
    pub(super) fn parse(mut operands: Fields<'a>) -> Result<Self, InvalidOperand> {
        let kind = operands.next().ok_or(InvalidOperand::Count)?;
        let [center, radius, limit] = operands.three()?;
        let center = match kind {
            b"POINT" => Center::Point(Location::parse(center)?),
            b"CLIENT" => {
                check_client(center)?;
                Center::Client(center)
            }
            _ => return Err(InvalidOperand::Center),
        };
        Ok(Nearby {
            center,
            radius: parse_reach(radius)?,
            limit: parse_limit(limit)?,
        })
    }
}

impl<'a> Within<'a> {
    /// Reads the operands, behind the command word.
    ///
    /// # Errors
    /// Says which operand is wrong.
    pub(super) fn parse(operands: Fields<'a>) -> Result<Self, InvalidOperand> {
        let [southwest, northeast, limit] = operands.three()?;
        check_corners(southwest, northeast)?;
        Ok(Within {
            southwest,
            northeast,
            limit: parse_limit(limit)?,
        })
    }
}

/// Reads a radius in kilometres, 0 to [`REACH_KM_MAX`], or a star for no bound.
///
/// # Errors
/// [`InvalidOperand::Reach`].
pub fn parse_reach(text: &[u8]) -> Result<Option<Radius>, InvalidOperand> {
    if text == ANY_RADIUS {
        return Ok(None);
    }
    let radius = Radius::parse_up_to(text, REACH_KM_MAX);
    radius.map(Some).ok_or(InvalidOperand::Reach)
}

/// Checks two corners of a box, the southwestern one first.
///
/// # Errors
/// One is no location, or the first lies north of the second.
pub fn check_corners(southwest: &[u8], northeast: &[u8]) -> Result<(), InvalidOperand> {
    let (south, north) = (Location::parse(southwest)?, Location::parse(northeast)?);
    if south.latitude().compare(&north.latitude()) == Ordering::Greater {
        return Err(InvalidOperand::UpsideDown);
    }
    Ok(())
}

/// Reads how many clients are wanted at most, 0 to [`CLIENTS_MAX`].
///
/// # Errors
/// [`InvalidOperand::Limit`].
pub fn parse_limit(text: &[u8]) -> Result<usize, InvalidOperand> {
    parse_bound(text, CLIENTS_MAX).ok_or(InvalidOperand::Limit)
}

#[cfg(test)]
mod tests {
    use herd_crdt::InvalidLocation;

    use super::*;

    fn nearby(text: &'static str) -> Result<Nearby<'static>, InvalidOperand> {
        Nearby::parse(Fields::new(text.as_bytes()))
    }

    fn within(text: &'static str) -> Result<Within<'static>, InvalidOperand> {
        Within::parse(Fields::new(text.as_bytes()))
    }

    #[test]
    fn a_point_or_a_client_is_looked_around() {
        let point = nearby(" POINT +34.07-118.44\t10 20 ").unwrap();
        assert_eq!(
            point.center,
            Center::Point(Location::parse(b"+34.07-118.44").unwrap())
        );
        assert_eq!(point.radius.map(|radius| radius.metres()), Some(10_000.0));
        assert_eq!(point.limit, 20);
        let client = nearby("CLIENT POINT * 0").unwrap();
        assert_eq!(client.center, Center::Client(b"POINT"));
        assert_eq!((client.radius, client.limit), (None, 0));
        let far = nearby("CLIENT kiwi +20100.000 1000").unwrap();
        assert_eq!(far.radius.map(|radius| radius.metres()), Some(20_100_000.0));
    }

    #[test]
    fn operands_of_nearby_are_checked() {
        let malformed = InvalidOperand::Location(InvalidLocation::Malformed);
        for (text, invalid) in [
            ("", InvalidOperand::Count),
            ("POINT", InvalidOperand::Count),
            ("POINT +1+1 1", InvalidOperand::Count),
            ("POINT +1+1 1 1 1", InvalidOperand::Count),
            ("CLIENT kiwi 1 1 1", InvalidOperand::Count),
            ("point +1+1 1 1", InvalidOperand::Center),
            ("kiwi +1+1 1 1", InvalidOperand::Center),
            ("POINT 1+1 1 1", malformed),
            ("POINT +1+1/ 1 1", malformed),
            ("POINT +1+1 -1 1", InvalidOperand::Reach),
            ("POINT +1+1 1e3 1", InvalidOperand::Reach),
            ("POINT +1+1 ** 1", InvalidOperand::Reach),
            (
                "POINT +1+1 20100.00000000000000000001 1",
                InvalidOperand::Reach,
            ),
            ("POINT +1+1 1 1001", InvalidOperand::Limit),
            ("POINT +1+1 1 +1", InvalidOperand::Limit),
            ("POINT +1+1 1 1.0", InvalidOperand::Limit),
            ("POINT +1+1 1 *", InvalidOperand::Limit),
        ] {
            assert_eq!(nearby(text), Err(invalid), "{text}");
        }
        let long = [b"CLIENT ", &[b'a'; 8_193][..], b" 1 1"].concat();
        assert_eq!(
            Nearby::parse(Fields::new(&long)),
            Err(InvalidOperand::Client)
        );
    }

    #[test]
    fn a_box_has_its_southern_corner_first() {
        let some = within("+34-119 +35-118 1000").unwrap();
        assert_eq!(
            (some.southwest, some.northeast),
            (&b"+34-119"[..], &b"+35-118"[..])
        );
        assert!(within("+1+170 +2-170 1").is_ok(), "it crosses 180 degrees");
        assert!(within("-0+1 +0+2 1").is_ok() && within("+0+1 -0+2 1").is_ok());
        let upside_down = Err(InvalidOperand::UpsideDown);
        assert_eq!(within("+2+1 +1+2 1"), upside_down);
        assert_eq!(within("+1.00000000000000000001+1 +1+2 1"), upside_down);
        assert_eq!(within("+1+1 +2+2"), Err(InvalidOperand::Count));
        assert_eq!(within("+1+1 +2+2 1 1"), Err(InvalidOperand::Count));
        assert_eq!(within("+1+1 +2+2 1001"), Err(InvalidOperand::Limit));
        let out = InvalidOperand::Location(InvalidLocation::OutOfRange);
        assert_eq!(within("+1+1 +91+2 1"), Err(out));
    }
}
