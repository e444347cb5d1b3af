//! The identity of questions to a provider.

use herd_crdt::Coordinates;

use super::super::provider::NearbyQuery;

/// Positions are rounded to this fraction of a degree when answers are cached: 111 m of latitude, so that a position
/// moves by at most 79 m.
const CACHED_PARTS_PER_DEGREE: f64 = 1_000.0;

/// A question as the provider gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    latitude_bits: u64,
    longitude_bits: u64,
    radius_bits: u64,
    results_max: Option<usize>,
}

impl Question {
    /// The question as it was put. `results_max` tells whether the provider is told how many results
    /// are wanted; otherwise questions that differ in that alone are the same.
    #[must_use]
    pub fn exact(query: &NearbyQuery, results_max: bool) -> Self {
        Question {
            latitude_bits: bits(query.center.latitude_degrees),
            longitude_bits: bits(query.center.longitude_degrees),
            radius_bits: bits(query.radius_m),
            results_max: results_max.then_some(query.results_max),
        }
    }

    /// The question with its position rounded, so that neighbours share an answer.
    #[must_use]
    pub fn rounded(query: &NearbyQuery) -> Self {
        let round =
            |degrees: f64| (degrees * CACHED_PARTS_PER_DEGREE).round() / CACHED_PARTS_PER_DEGREE;
        let center = Coordinates {
            latitude_degrees: round(query.center.latitude_degrees),
            longitude_degrees: round(query.center.longitude_degrees),
        };
        Question::exact(&NearbyQuery { center, ..*query }, false)
    }

    /// The question for the provider. Without a number of results in `query` it has `results_max`.
    #[must_use]
    pub fn query(&self, results_max: usize) -> NearbyQuery {
        NearbyQuery {
            center: Coordinates {
                latitude_degrees: f64::from_bits(self.latitude_bits),
                longitude_degrees: f64::from_bits(self.longitude_bits),
            },
            radius_m: f64::from_bits(self.radius_bits),
            results_max: self.results_max.unwrap_or(results_max),
        }
    }
}

/// The bits of a number; those of the two zeros are the same.
fn bits(number: f64) -> u64 {
    (number + 0.0).to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(latitude_degrees: f64, longitude_degrees: f64, results_max: usize) -> NearbyQuery {
        NearbyQuery {
            center: Coordinates {
                latitude_degrees,
                longitude_degrees,
            },
            radius_m: 1_500.0,
            results_max,
        }
    }

    #[test]
    fn parameters_that_are_not_sent_do_not_matter() {
        let (five, six) = (query(0.0, 1.0, 5), query(-0.0, 1.0, 6));
        assert_eq!(Question::exact(&five, false), Question::exact(&six, false));
        assert_ne!(Question::exact(&five, true), Question::exact(&six, true));
        assert_eq!(Question::exact(&five, true).query(20), five);
    }

    #[test]
    fn neighbours_share_a_rounded_question() {
        let a = query(60.169_76, 24.938_41, 5);
        let b = query(60.170_2, 24.937_9, 5);
        assert_ne!(Question::exact(&a, false), Question::exact(&b, false));
        assert_eq!(Question::rounded(&a), Question::rounded(&b));
        let center = Question::rounded(&a).query(20).center;
        assert_eq!(
            (center.latitude_degrees, center.longitude_degrees),
            (60.17, 24.938)
        );
    }
}
