//! `WATCH`: tell me when it changes.

use herd_crdt::Location;

use super::command::{Fields, InvalidOperand, check_client};
use super::nearby::{REACH_KM_MAX, check_corners, parse_reach};
use super::whatsat::Radius;

/// The checked operands of a `WATCH`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Watch<'a> {
    /// One client, by its ID.
    Client(&'a [u8]),
    /// All clients whose IDs begin so.
    Prefix(&'a [u8]),
    /// All clients.
    All,
    /// The clients around a point.
    Point {
        /// The point.
        center: Location<'a>,
        /// How far; `None` for no bound.
        radius: Option<Radius>,
        /// How much farther a client has to be to leave; `None` for nothing.
        margin: Option<Radius>,
    },
    /// The clients in a box.
    Within {
        /// The southwestern corner, the text of a [`Location`].
        southwest: &'a [u8],
        /// The northeastern corner, not south of it.
        northeast: &'a [u8],
    },
    /// The clients around a client, which moves.
    Nearby {
        /// The client in the middle, by its ID.
        client: &'a [u8],
        /// As for a point.
        radius: Option<Radius>,
        /// As for a point.
        margin: Option<Radius>,
    },
}

impl<'a> Watch<'a> {
    /// Reads the operands, behind the command word.
    ///
    /// # Errors
    /// Says which operand is wrong.
    pub(super) fn parse(mut operands: Fields<'a>) -> Result<Self, InvalidOperand> {
        let subject = operands.next().ok_or(InvalidOperand::Count)?;
        let first = operands.next();
        let second = operands.next();
        let third = operands.next();
        if operands.next().is_some() {
            return Err(InvalidOperand::Count);
        }
        match (subject, first, second, third) {
            (b"CLIENT", Some(client), None, None) => {
                check_client(client)?;
                Ok(Watch::Client(client))
            }
            (b"PREFIX", Some(prefix), None, None) => {
                check_client(prefix)?;
                Ok(Watch::Prefix(prefix))
            }
            (b"ALL", None, None, None) => Ok(Watch::All),
            (b"POINT", Some(center), Some(radius), margin) => Ok(Watch::Point {
                center: Location::parse(center)?,
                radius: parse_reach(radius)?,
                margin: margin.map(parse_margin).transpose()?,
            }),
            (b"WITHIN", Some(southwest), Some(northeast), None) => {
                check_corners(southwest, northeast)?;
                Ok(Watch::Within {
                    southwest,
                    northeast,
                })
            }
            (b"NEARBY", Some(client), Some(radius), margin) => {
                check_client(client)?;
                Ok(Watch::Nearby {
                    client,
                    radius: parse_reach(radius)?,
                    margin: margin.map(parse_margin).transpose()?,
                })
            }
            (b"CLIENT" | b"PREFIX" | b"ALL" | b"POINT" | b"WITHIN" | b"NEARBY", ..) => {
                Err(InvalidOperand::Count)
            }
            _ => Err(InvalidOperand::Subject),
        }
    }
}

/// Reads a margin in kilometres, 0 to [`REACH_KM_MAX`].
///
/// # Errors
/// [`InvalidOperand::Margin`].
pub fn parse_margin(text: &[u8]) -> Result<Radius, InvalidOperand> {
    Radius::parse_up_to(text, REACH_KM_MAX).ok_or(InvalidOperand::Margin)
}

#[cfg(test)]
mod tests {
    use herd_crdt::InvalidLocation;

    use super::*;

    fn watch(text: &'static str) -> Result<Watch<'static>, InvalidOperand> {
        Watch::parse(Fields::new(text.as_bytes()))
    }

    fn metres(radius: Option<Radius>) -> Option<f64> {
        radius.map(|radius| radius.metres())
    }

    #[test]
    fn six_kinds_can_be_watched() {
        assert_eq!(watch(" CLIENT kiwi "), Ok(Watch::Client(b"kiwi")));
        assert_eq!(watch("CLIENT CLIENT"), Ok(Watch::Client(b"CLIENT")));
        assert_eq!(watch("PREFIX van-"), Ok(Watch::Prefix(b"van-")));
        assert_eq!(watch("ALL"), Ok(Watch::All));
        match watch("POINT +34-118 5 0.25") {
            Ok(Watch::Point {
                center,
                radius,
                margin,
            }) => {
                assert_eq!(center, Location::parse(b"+34-118").unwrap());
                assert_eq!(
                    (metres(radius), metres(margin)),
                    (Some(5_000.0), Some(250.0))
                );
            }
            other => panic!("{other:?}"),
        }
        match watch("NEARBY kiwi *") {
            Ok(Watch::Nearby {
                client,
                radius,
                margin,
            }) => {
                assert_eq!((client, radius, margin), (&b"kiwi"[..], None, None));
            }
            other => panic!("{other:?}"),
        }
        let (southwest, northeast) = (&b"+1+170"[..], &b"+2-170"[..]);
        let within = Watch::Within {
            southwest,
            northeast,
        };
        assert_eq!(watch("WITHIN +1+170 +2-170"), Ok(within));
    }

    #[test]
    fn operands_of_watch_are_checked() {
        let malformed = InvalidOperand::Location(InvalidLocation::Malformed);
        for (text, invalid) in [
            ("", InvalidOperand::Count),
            ("CLIENT", InvalidOperand::Count),
            ("CLIENT a b", InvalidOperand::Count),
            ("PREFIX", InvalidOperand::Count),
            ("ALL clients", InvalidOperand::Count),
            ("POINT +1+1", InvalidOperand::Count),
            ("POINT +1+1 1 1 1", InvalidOperand::Count),
            ("WITHIN +1+1", InvalidOperand::Count),
            ("WITHIN +1+1 +2+2 1", InvalidOperand::Count),
            ("NEARBY kiwi", InvalidOperand::Count),
            ("NEARBY kiwi 1 1 1", InvalidOperand::Count),
            ("client kiwi", InvalidOperand::Subject),
            ("kiwi", InvalidOperand::Subject),
            ("POINT 1+1 1", malformed),
            ("POINT +1+1 -1", InvalidOperand::Reach),
            ("POINT +1+1 20100.1", InvalidOperand::Reach),
            ("POINT +1+1 1 *", InvalidOperand::Margin),
            ("NEARBY kiwi 1 -0", InvalidOperand::Margin),
            ("WITHIN +2+1 +1+2", InvalidOperand::UpsideDown),
        ] {
            assert_eq!(watch(text), Err(invalid), "{text}");
        }
        let long = [b"PREFIX ", &[b'a'; 8_193][..]].concat();
        assert_eq!(
            Watch::parse(Fields::new(&long)),
            Err(InvalidOperand::Client)
        );
    }
}
