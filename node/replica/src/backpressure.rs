//! When a server takes in more than it can replicate.

use super::timing::{LAG_GROUPS_MAX, PENDING_RECORDS_MAX};

/// Whether clients should be slowed down.
///
/// `pending` is how many records wait to be published. `lags` are, for each neighbour that is
/// connected and has caught up since it was, how many of our groups it has not merged. The best of
/// them counts: a neighbour that is slow, stopped or catching up delays nobody, as long as another
/// one carries our records on.
#[must_use]
pub fn is_overloaded(pending: usize, lags: impl IntoIterator<Item = u64>) -> bool {
    pending > PENDING_RECORDS_MAX
        || lags
            .into_iter()
            .min()
            .is_some_and(|lag| lag > LAG_GROUPS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_neighbour_counts() {
        assert!(!is_overloaded(0, []));
        assert!(!is_overloaded(0, [LAG_GROUPS_MAX + 1, 3]));
        assert!(is_overloaded(0, [LAG_GROUPS_MAX + 1, LAG_GROUPS_MAX + 9]));
        assert!(is_overloaded(PENDING_RECORDS_MAX + 1, [0]));
    }
}
