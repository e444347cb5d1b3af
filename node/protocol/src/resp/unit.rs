//! Units of lengths.

use super::error::InvalidRequest;

/// A unit of lengths, as Redis has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthUnit {
    /// Metres.
    Metres,
    /// Kilometres.
    Kilometres,
    /// Feet.
    Feet,
    /// Statute miles.
    Miles,
}

impl LengthUnit {
    /// Reads `m`, `km`, `ft` or `mi`, in any case.
    ///
    /// # Errors
    /// If it is none of these.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidRequest> {
        for (name, unit) in [
            ("m", LengthUnit::Metres),
            ("km", LengthUnit::Kilometres),
            ("ft", LengthUnit::Feet),
            ("mi", LengthUnit::Miles),
        ] {
            if text.eq_ignore_ascii_case(name.as_bytes()) {
                return Ok(unit);
            }
        }
        Err(InvalidRequest::Unit)
    }

    /// Its length.
    #[must_use]
    pub fn metres(self) -> f64 {
        match self {
            LengthUnit::Metres => 1.0,
            LengthUnit::Kilometres => 1_000.0,
            LengthUnit::Feet => 0.3048,
            // As Redis has it; the international mile has 1,609.344 m.
            LengthUnit::Miles => 1_609.34,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_have_the_lengths_that_redis_gives_them() {
        for (text, metres) in [
            ("m", 1.0),
            ("KM", 1_000.0),
            ("ft", 0.3048),
            ("Mi", 1_609.34),
        ] {
            assert_eq!(LengthUnit::parse(text.as_bytes()).unwrap().metres(), metres);
        }
        for text in ["", "mm", "k m", "metres"] {
            assert_eq!(
                LengthUnit::parse(text.as_bytes()),
                Err(InvalidRequest::Unit)
            );
        }
    }
}
