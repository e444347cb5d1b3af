//! `WHATSAT client radius bound`: someone asks for the places near a client.

use herd_crdt::decimal::{Decimal, whole_number};

use super::command::{Fields, InvalidOperand, check_client};

/// The largest radius, in kilometres.
pub const RADIUS_KM_MAX: u32 = 50;

/// The largest bound on the number of places.
pub const RESULTS_MAX: usize = 20;

/// The checked operands of a `WHATSAT`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Whatsat<'a> {
    /// The client ID: any bytes but white space.
    pub client: &'a [u8],
    /// How far around the client.
    pub radius: Radius,
    /// How many places at most, 0 to [`RESULTS_MAX`].
    pub results_max: usize,
}

/// How far around a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Radius {
    metres: f64,
}

impl<'a> Whatsat<'a> {
    /// Reads the operands behind the command word.
    ///
    /// # Errors
    /// Says which operand is wrong.
    pub(super) fn parse(operands: Fields<'a>) -> Result<Self, InvalidOperand> {
        let [client, radius, bound] = operands.three()?;
        check_client(client)?;
        Ok(Whatsat {
            client,
            radius: Radius::parse(radius).ok_or(InvalidOperand::Radius)?,
            results_max: parse_results_max(bound)?,
        })
    }
}

impl Radius {
    /// Reads kilometres: a plain decimal number, 0 to 50, with an optional `+`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        Self::parse_up_to(text, RADIUS_KM_MAX)
    }

    /// The same up to another bound, in kilometres.
    pub(super) fn parse_up_to(text: &[u8], km_max: u32) -> Option<Self> {
        let kilometres = Decimal::parse(text.strip_prefix(b"+").unwrap_or(text))?;
        if !kilometres.is_at_most(km_max) {
            return None;
        }
        Some(Radius {
            metres: thousandfold(kilometres),
        })
    }

    /// The radius in metres.
    #[must_use]
    pub fn metres(&self) -> f64 {
        self.metres
    }

    /// Whether the radius is nothing, or too little for a double: no provider is asked then.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.metres == 0.0
    }
}

/// A thousand times a decimal, as the nearest double: the dot is moved, not a double multiplied.
fn thousandfold(decimal: Decimal<'_>) -> f64 {
    const PLACES: usize = 3;
    let mut whole = Vec::with_capacity(decimal.whole.len() + PLACES);
    whole.extend_from_slice(decimal.whole);
    let (moved, fraction) = decimal
        .fraction
        .split_at(decimal.fraction.len().min(PLACES));
    whole.extend_from_slice(moved);
    whole.resize(decimal.whole.len() + PLACES, b'0');
    if fraction.is_empty() {
        // The usual case: a few digits, exact in a double.
        if let Some(metres) = whole_number(&whole).and_then(|metres| u32::try_from(metres).ok()) {
            return f64::from(metres);
        }
    }
    Decimal {
        whole: &whole,
        fraction,
    }
    .to_f64()
}

/// Reads how many places are wanted at most, 0 to [`RESULTS_MAX`].
///
/// # Errors
/// [`InvalidOperand::Bound`].
pub fn parse_results_max(text: &[u8]) -> Result<usize, InvalidOperand> {
    parse_bound(text, RESULTS_MAX).ok_or(InvalidOperand::Bound)
}

/// Reads digits without a sign, 0 to `max`.
pub(super) fn parse_bound(text: &[u8], max: usize) -> Option<usize> {
    let decimal = Decimal::parse(text)?;
    if !decimal.fraction.is_empty() {
        return None;
    }
    let bound = usize::try_from(whole_number(decimal.whole)?).ok()?;
    (bound <= max).then_some(bound)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn metres(text: &str) -> Option<f64> {
        Radius::parse(text.as_bytes()).map(|radius| radius.metres())
    }

    #[test]
    fn radii_are_decimals_from_0_to_50() {
        for (text, expected) in [
            ("10", 10_000.0),
            ("+10", 10_000.0),
            ("0", 0.0),
            ("00050.000", 50_000.0),
            ("2.3", 2_300.0),
            ("0.0005", 0.5),
            ("1.2345678", 1_234.567_8),
            ("49.99999999999999999999999999999", 50_000.0),
        ] {
            assert_eq!(metres(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "+",
            "-1",
            "-0",
            "++1",
            ".5",
            "5.",
            "+.5",
            ".",
            "50.00000000000000000000000000001",
            "51",
            "1e1",
            "nan",
            "inf",
            "0x1",
            "1_0",
            "1,5",
            "99999999999999999999999999",
            "1km",
        ] {
            assert_eq!(metres(text), None, "{text}");
        }
    }

    #[test]
    fn zero_differs_from_a_small_radius() {
        assert!(Radius::parse(b"+00.000").unwrap().is_zero());
        assert!(!Radius::parse(b"0.000001").unwrap().is_zero());
        let tiny = format!("0.{}1", "0".repeat(400));
        assert!(Radius::parse(tiny.as_bytes()).unwrap().is_zero());
    }

    #[test]
    fn bounds_are_digits_from_0_to_20() {
        for (text, expected) in [("0", 0), ("20", 20), ("000000000000000000000000005", 5)] {
            assert_eq!(
                parse_bound(text.as_bytes(), RESULTS_MAX),
                Some(expected),
                "{text}"
            );
        }
        for text in [
            "",
            "+5",
            "-5",
            "21",
            "5.0",
            "5.",
            "0x5",
            "99999999999999999999999",
            "\u{665}",
        ] {
            assert_eq!(parse_bound(text.as_bytes(), RESULTS_MAX), None, "{text}");
        }
    }

    #[test]
    fn operands_are_checked_in_place() {
        let parse = |text: &'static str| Whatsat::parse(Fields::new(text.as_bytes()));
        let whatsat = parse("kiwi.cs.ucla.edu 10 5").unwrap();
        assert_eq!(whatsat.client, b"kiwi.cs.ucla.edu");
        assert_eq!(
            (whatsat.radius.metres(), whatsat.results_max),
            (10_000.0, 5)
        );
        assert_eq!(parse("kiwi 51 5"), Err(InvalidOperand::Radius));
        assert_eq!(parse("kiwi 50 21"), Err(InvalidOperand::Bound));
        assert_eq!(parse("kiwi 50"), Err(InvalidOperand::Count));
    }

    proptest! {
        #[test]
        fn metres_are_the_nearest_double(whole in 0_u32..50, fraction in "[0-9]{1,12}") {
            let text = format!("{whole}.{fraction}");
            let padded = format!("{fraction:0<3}");
            let (moved, rest) = padded.split_at(3);
            let expected: f64 = format!("{whole}{moved}.{rest}0").parse().unwrap();
            prop_assert_eq!(metres(&text), Some(expected));
        }
    }
}
