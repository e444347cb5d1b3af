//! The state of one link, by the reports of its two ends.

use serde::Serialize;

use herd_replica::link_words::LinkWord;

/// The state of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LinkState {
    Up,
    Down,
    /// No end has reported.
    Unseen,
}

/// The knowledge of one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkEnd<'a> {
    /// Its server is not heard of.
    Gone,
    /// Its server is live and has not told.
    Silent,
    /// Its server says this.
    Says(&'a LinkWord),
}

/// The state of a link, and its lag, which is the greater of the two ends'. A link that one end has lost is
/// down, though the other may not have noticed yet.
#[must_use]
pub(super) fn combine(ends: [LinkEnd<'_>; 2]) -> (LinkState, Option<u64>) {
    let words = ends.iter().filter_map(|end| match end {
        LinkEnd::Says(word) => Some(word),
        LinkEnd::Gone | LinkEnd::Silent => None,
    });
    let (mut told, mut is_up, mut lag) = (false, true, None);
    for word in words {
        told = true;
        is_up &= word.up;
        lag = lag.max(word.lag_groups);
    }
    match (told, is_up) {
        (true, true) => (LinkState::Up, lag),
        (true, false) => (LinkState::Down, None),
        // A server that is gone has no links.
        (false, _) if ends.contains(&LinkEnd::Gone) => (LinkState::Down, None),
        (false, _) => (LinkState::Unseen, None),
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
        let (in_step, behind) = (LinkEnd::Says(&in_step), LinkEnd::Says(&behind));
        let (up, down) = (LinkEnd::Says(&up), LinkEnd::Says(&down));
        let cases = [
            (LinkEnd::Gone, LinkEnd::Gone, (LinkState::Down, None)),
            (LinkEnd::Gone, LinkEnd::Silent, (LinkState::Down, None)),
            (LinkEnd::Silent, LinkEnd::Silent, (LinkState::Unseen, None)),
            (LinkEnd::Gone, down, (LinkState::Down, None)),
            (LinkEnd::Silent, down, (LinkState::Down, None)),
            (behind, down, (LinkState::Down, None)),
            (down, down, (LinkState::Down, None)),
            (LinkEnd::Gone, in_step, (LinkState::Up, Some(0))),
            (LinkEnd::Silent, in_step, (LinkState::Up, Some(0))),
            (LinkEnd::Silent, up, (LinkState::Up, None)),
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
