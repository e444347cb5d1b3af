//! Durations, as people write them: `800ms`, `2h`, `1m 30s`.

use std::time::Duration;

use super::Kind;

/// The longest duration that is of use: times are nanoseconds in an i64, so 292 years.
pub(in crate::settings) const EVER: Duration = Duration::from_secs(292 * 31_557_600);

/// The duration that `text` stands for. All settings and options that are durations are read by this.
///
/// # Errors
/// If the text is invalid, with the reason.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text.trim())
        .map_err(|error| format!("is not a duration such as `800ms` or `2h`: {error}"))
}

/// Durations between two bounds, both included.
#[derive(Clone, Copy, Debug)]
pub struct Durations {
    /// The shortest.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
}

impl Durations {
    /// From a millisecond on.
    pub(crate) const fn up_to(max: Duration) -> Self {
        Durations {
            min: Duration::from_millis(1),
            max,
        }
    }
}

impl Kind for Durations {
    type Value = Duration;

    fn parse(&self, text: &str) -> Result<Duration, String> {
        let value = duration(text)?;
        if (self.min..=self.max).contains(&value) {
            return Ok(value);
        }
        let [min, max] = [self.min, self.max].map(humantime::format_duration);
        Err(format!("is not from {min} to {max}"))
    }

    fn show(&self, value: &Duration) -> String {
        humantime::format_duration(*value).to_string()
    }

    fn unit(&self) -> String {
        "DURATION".to_owned()
    }

    fn range(&self) -> String {
        let [min, max] = [self.min, self.max].map(humantime::format_duration);
        match (self.min, self.max) {
            (Duration::ZERO, EVER) => String::new(),
            (_, EVER) => format!("from `{min}`"),
            _ => format!("`{min}` to `{max}`"),
        }
    }
}

/// Durations, or nothing for 0.
pub(in crate::settings) struct UnlessZero;

impl UnlessZero {
    const ALL: Durations = Durations {
        min: Duration::ZERO,
        max: EVER,
    };
}

impl Kind for UnlessZero {
    type Value = Option<Duration>;

    fn parse(&self, text: &str) -> Result<Option<Duration>, String> {
        let value = Self::ALL.parse(text)?;
        Ok((!value.is_zero()).then_some(value))
    }

    fn show(&self, value: &Option<Duration>) -> String {
        match value {
            Some(value) => Self::ALL.show(value),
            None => "no limit".to_owned(),
        }
    }

    fn unit(&self) -> String {
        Self::ALL.unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_may_stand_for_no_limit() {
        let limit = |text| UnlessZero.parse(text);
        assert_eq!(limit("2h"), Ok(Some(Duration::from_secs(7_200))));
        assert_eq!(limit("1m 30s"), Ok(Some(Duration::from_secs(90))));
        assert_eq!(limit("0"), Ok(None));
        assert_eq!(limit("0s"), Ok(None));
        assert!(limit("293years").unwrap_err().contains("292years"));
        for text in ["", "2", "-1h", "two hours", "99999999999999999999y"] {
            let reason = limit(text).unwrap_err();
            assert!(reason.contains("is not a duration"), "{text}: {reason}");
        }
    }

    #[test]
    fn bounds_belong_to_the_range() {
        let kind = Durations::up_to(Duration::from_secs(25));
        assert_eq!(kind.parse("800ms"), Ok(Duration::from_millis(800)));
        assert_eq!(kind.parse("25s"), Ok(Duration::from_secs(25)));
        let reason = "is not from 1ms to 25s".to_owned();
        for text in ["26s", "0s", "999us"] {
            assert_eq!(kind.parse(text), Err(reason.clone()), "{text}");
        }
    }
}
