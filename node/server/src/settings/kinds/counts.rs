//! Whole numbers: counts, rates, and sizes in bytes.

use std::num::NonZeroU32;

use super::Kind;

/// Counts between two bounds, both included.
pub(in crate::settings) struct Counts {
    pub(in crate::settings) min: usize,
    pub(in crate::settings) max: usize,
}

impl Counts {
    pub(in crate::settings) const fn up_to(max: usize) -> Self {
        Counts { min: 1, max }
    }

    fn parse_as(&self, text: &str, what: &str) -> Result<usize, String> {
        let number = text.trim().parse().ok();
        let number = number.filter(|number| (self.min..=self.max).contains(number));
        number.ok_or_else(|| {
            format!(
                "is not a whole number{what} from {} to {}",
                self.min, self.max
            )
        })
    }
}

impl Kind for Counts {
    type Value = usize;

    fn parse(&self, text: &str) -> Result<usize, String> {
        self.parse_as(text, "")
    }

    fn show(&self, value: &usize) -> String {
        value.to_string()
    }

    fn unit(&self) -> String {
        "COUNT".to_owned()
    }

    fn range(&self) -> String {
        format!("{} to {}", self.min, self.max)
    }
}

/// Sizes in bytes between two bounds, both included.
pub(in crate::settings) struct Sizes {
    pub(in crate::settings) min: usize,
    pub(in crate::settings) max: usize,
}

impl Sizes {
    const fn counts(&self) -> Counts {
        let (min, max) = (self.min, self.max);
        Counts { min, max }
    }
}

impl Kind for Sizes {
    type Value = usize;

    fn parse(&self, text: &str) -> Result<usize, String> {
        self.counts().parse_as(text, " of bytes")
    }

    fn show(&self, value: &usize) -> String {
        value.to_string()
    }

    fn unit(&self) -> String {
        "BYTES".to_owned()
    }

    fn range(&self) -> String {
        format!("{} bytes", self.counts().range())
    }
}

/// How many of something in a unit of time.
pub(in crate::settings) struct Rates {
    pub(in crate::settings) max: u32,
}

impl Kind for Rates {
    type Value = NonZeroU32;

    fn parse(&self, text: &str) -> Result<NonZeroU32, String> {
        let number = text.trim().parse().ok();
        let number = number.filter(|number: &NonZeroU32| number.get() <= self.max);
        number.ok_or_else(|| format!("is not a whole number from 1 to {}", self.max))
    }

    fn show(&self, value: &NonZeroU32) -> String {
        value.to_string()
    }

    fn unit(&self) -> String {
        "COUNT".to_owned()
    }

    fn range(&self) -> String {
        format!("1 to {}", self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_belong_to_the_range() {
        let kind = Counts::up_to(9);
        assert_eq!((kind.parse("1"), kind.parse(" 9 ")), (Ok(1), Ok(9)));
        for text in ["0", "10", "-1", "x", "1.0"] {
            let reason = kind.parse(text).unwrap_err();
            assert_eq!(reason, "is not a whole number from 1 to 9");
        }
        let reason = Sizes { min: 2, max: 3 }.parse("1").unwrap_err();
        assert_eq!(reason, "is not a whole number of bytes from 2 to 3");
        let rates = Rates { max: 2 };
        assert_eq!(rates.parse("2").map(NonZeroU32::get), Ok(2));
        assert!(rates.parse("0").is_err() && rates.parse("3").is_err());
    }
}
