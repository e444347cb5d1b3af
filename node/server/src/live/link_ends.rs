//! The state of one link, by the reports of its two ends.

use serde::Serialize;

use herd_replica::link_words::LinkWord;

/// The state of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LinkState {
    Up,
    Down,
    /// No end that is heard of has reported: it may be up or down.
    Unknown,
}

/// The state of a link, and its lag, which is the greater of the two ends'. An end says nothing if its server is not heard
/// of, or has not told. A link that one end has lost is down, though the other may not have noticed yet.
#[must_use]
pub(super) fn combine(ends: [Option<&LinkWord>; 2]) -> (LinkState, Option<u64>) {
    let (mut told, mut is_up, mut lag) = (false, true, None);
    for word in ends.into_iter().flatten() {
        told = true;
        is_up &= word.up;
        lag = lag.max(word.lag_groups);
    }
    match (told, is_up) {
        (true, true) => (LinkState::Up, lag),
        (true, false) => (LinkState::Down, None),
        (false, _) => (LinkState::Unknown, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ends_make_a_link() {
        let word = |up, lag_groups| LinkWord {
            neighbour: "Smith".into(),
            up,
            lag_groups,
        };
        let (in_step, behind) = (word(true, Some(0)), word(true, Some(40)));
        let (up, down) = (word(true, None), word(false, Some(7)));
        let (in_step, behind) = (Some(&in_step), Some(&behind));
        let (up, down) = (Some(&up), Some(&down));
        let cases = [
            (None, None, (LinkState::Unknown, None)),
            (None, down, (LinkState::Down, None)),
            (behind, down, (LinkState::Down, None)),
            (down, down, (LinkState::Down, None)),
            (None, in_step, (LinkState::Up, Some(0))),
            (None, up, (LinkState::Up, None)),
            (in_step, up, (LinkState::Up, Some(0))),
            (in_step, behind, (LinkState::Up, Some(40))),
            (up, up, (LinkState::Up, None)),
        ];
        for (a, b, expected) in cases {
            assert_eq!(combine([a, b]), expected, "{a:?} {b:?}");
            assert_eq!(combine([b, a]), expected, "{b:?} {a:?}");
        }
    }
}
