//! What a server tells the herd of its own links, so that each server can show all of them.
//!
//! It is the value of one key of gossip: a line for each neighbour, `up 12 Smith` or `down - Smith`, with
//! the groups that the neighbour has not merged yet, or `-` for what is not known. Words that a later program adds to
//! a line are ignored. Nothing in replication is decided by it.

use std::fmt::Write as _;

use herd_crdt::ServerName;
use std::time::Instant;

use super::timing::{LAG_TOLD_GAP, LAG_TOLD_MIN, LINKS_TOLD_BYTES_MAX, LINKS_TOLD_GAP};
use herd_topology::SERVERS_MAX;

/// What the server at one end of a link says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkWord {
    /// The server at the other end.
    pub neighbour: ServerName,
    /// Whether there is a connection.
    pub up: bool,
    /// Groups of the one who speaks that the other has not merged yet.
    pub lag_groups: Option<u64>,
}

/// The text for `words`. Links that are down come first: what does not fit into
/// [`LINKS_TOLD_BYTES_MAX`] is left out.
fn text_of(words: &[LinkWord]) -> String {
    let (up, down): (Vec<_>, Vec<_>) = words.iter().partition(|word| word.up);
    let mut text = String::new();
    for word in down.into_iter().chain(up) {
        let length = text.len();
        let state = if word.up { "up" } else { "down" };
        // Writing to a string cannot fail.
        let _ = match word.lag_groups {
            Some(lag) => writeln!(text, "{state} {lag} {}", word.neighbour),
            None => writeln!(text, "{state} - {}", word.neighbour),
        };
        if text.len() > LINKS_TOLD_BYTES_MAX {
            text.truncate(length);
            break;
        }
    }
    text
}

/// What a text says. Lines that are no words are left out, and all beyond [`SERVERS_MAX`].
#[must_use]
pub fn parse(text: &str) -> Vec<LinkWord> {
    text.lines()
        .take(SERVERS_MAX)
        .filter_map(parse_line)
        .collect()
}

fn parse_line(line: &str) -> Option<LinkWord> {
    let (state, rest) = line.split_once(' ')?;
    let (lag, rest) = rest.split_once(' ')?;
    let neighbour = rest.split(' ').next()?;
    let up = match state {
        "up" => true,
        "down" => false,
        _ => return None,
    };
    let lag_groups = match lag {
        "-" => None,
        lag => Some(lag.parse().ok()?),
    };
    Some(LinkWord {
        neighbour: neighbour.into(),
        up,
        lag_groups,
    })
}

/// Remembers what the herd was told last, and says when something else is worth telling.
#[derive(Debug, Default)]
pub struct LinkTeller {
    told: Vec<LinkWord>,
    told_at: Option<Instant>,
}

impl LinkTeller {
    /// The text to tell, if there is one. `words` are of the same neighbours in the same order each
    /// time.
    pub fn look(&mut self, words: Vec<LinkWord>, now: Instant) -> Option<String> {
        let waited = self.told_at.map(|at| now.saturating_duration_since(at));
        let told = || self.told.iter().zip(&words);
        let is_due = match waited {
            None => !words.is_empty(),
            Some(waited) if waited < LINKS_TOLD_GAP => false,
            Some(waited) => {
                told().any(|(told, word)| told.up != word.up)
                    || waited >= LAG_TOLD_GAP
                        && told()
                            .any(|(told, word)| is_worth_telling(told.lag_groups, word.lag_groups))
            }
        };
        if !is_due {
            return None;
        }
        let text = text_of(&words);
        self.told = words;
        self.told_at = Some(now);
        Some(text)
    }
}

/// Whether a lag differs enough from the one that was told. While a server works, its neighbours are
/// some groups behind all the time: that is no news. That they are in step again is.
fn is_worth_telling(told: Option<u64>, lag: Option<u64>) -> bool {
    match (told, lag) {
        (Some(told), Some(lag)) => {
            let level = |lag: u64| (lag >= LAG_TOLD_MIN).then(|| lag.ilog2());
            level(told) != level(lag) || (told > 0 && lag == 0)
        }
        (told, lag) => told.is_some() != lag.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn word(neighbour: &str, up: bool, lag_groups: Option<u64>) -> LinkWord {
        LinkWord {
            neighbour: neighbour.into(),
            up,
            lag_groups,
        }
    }

    #[test]
    fn what_is_malformed_is_left_out() {
        let text = "up 12 Smith and more\n\nup Hill\nsideways 1 Hill\ndown -1 Hill\ndown - Jaquez\nup 1 \n";
        let parsed = parse(text);
        let expected = [
            word("Smith", true, Some(12)),
            word("Jaquez", false, None),
            // Names are looked up in the topology, which has none that is empty.
            word("", true, Some(1)),
        ];
        assert_eq!(parsed, expected);
        let many = "up 0 Hill\n".repeat(SERVERS_MAX + 7);
        assert_eq!(parse(&many).len(), SERVERS_MAX);
    }

    #[test]
    fn of_too_many_links_those_that_are_down_are_told() {
        let name = |number: usize| format!("{number:0>60}");
        let last = SERVERS_MAX - 1;
        let words: Vec<LinkWord> = (0..SERVERS_MAX)
            .map(|number| word(&name(number), number != last, None))
            .collect();
        let text = text_of(&words);
        assert!(text.len() <= LINKS_TOLD_BYTES_MAX);
        assert!(text.len() + 70 > LINKS_TOLD_BYTES_MAX);
        assert_eq!(parse(&text)[0], words[last]);
    }

    #[test]
    fn a_change_of_lag_is_told_when_it_says_something() {
        let cases = [
            (Some(0), Some(LAG_TOLD_MIN - 1), false),
            (Some(LAG_TOLD_MIN - 1), Some(1), false),
            (Some(1), Some(0), true),
            (Some(0), Some(LAG_TOLD_MIN), true),
            (Some(64), Some(127), false),
            (Some(64), Some(128), true),
            (Some(64), Some(3), true),
            (None, Some(0), true),
            (Some(0), None, true),
            (None, None, false),
        ];
        for (told, lag, is_told) in cases {
            assert_eq!(is_worth_telling(told, lag), is_told, "{told:?} {lag:?}");
        }
    }

    #[test]
    fn links_are_told_when_they_change_and_not_too_often() {
        let mut teller = LinkTeller::default();
        let start = crate::testing::start();
        let mut look = |after: Duration, words: &[LinkWord]| {
            teller.look(words.to_vec(), start + after).is_some()
        };
        let (down, up) = ([word("Hill", false, None)], [word("Hill", true, None)]);
        let behind = [word("Hill", true, Some(100))];
        let instant = Duration::from_millis(1);
        assert!(!look(Duration::ZERO, &[]), "nobody has links of no one");
        assert!(look(Duration::ZERO, &down));
        assert!(!look(LINKS_TOLD_GAP - instant, &up));
        assert!(look(LINKS_TOLD_GAP, &up));
        let told = LINKS_TOLD_GAP;
        assert!(!look(told + LAG_TOLD_GAP - instant, &behind));
        assert!(look(told + LAG_TOLD_GAP, &behind));
        assert!(!look(Duration::from_secs(3_600), &behind));
        assert!(look(Duration::from_secs(3_601), &down));
    }

    proptest! {
        #[test]
        fn words_come_back_as_they_were(
            words in proptest::collection::vec(
                ("[!-~]{1,40}", any::<bool>(), any::<Option<u64>>()),
                0..20,
            ),
        ) {
            let words: Vec<_> = words.iter().map(|(name, up, lag)| word(name, *up, *lag)).collect();
            let mut parsed = parse(&text_of(&words));
            let mut expected = words;
            let key = |word: &LinkWord| (word.neighbour.clone(), word.up, word.lag_groups);
            parsed.sort_by_key(key);
            expected.sort_by_key(key);
            prop_assert_eq!(parsed, expected);
        }

        #[test]
        fn any_text_is_read(text in "((up|down|) ?([0-9]{0,30}|-) ?.{0,9}\n?){0,20}|\\PC*|(.|\n)*") {
            prop_assert!(parse(&text).len() <= text.lines().count());
        }
    }
}
