//! What a watcher was told, folded, is what its server answers; and the seeds tell watchers all that can be told.

use std::collections::BTreeMap;

use herd_locations::{Said, StreamFault};

use super::Found;

/// `checked` is the comparison of a stream with the map of its server.
pub(in super::super) fn tells_what_is_so(server: &str, checked: Result<(), StreamFault>) -> Found {
    checked.map_err(|fault| format!("a watcher of {server}: {fault}"))
}

/// `lines` are those of many seeds, by their first words. Seeds without one of them prove nothing about it.
pub(in super::super) fn all_words_are_told(lines: &BTreeMap<&'static str, usize>) -> Found {
    let missed: Vec<_> = Said::WORDS
        .iter()
        .filter(|word| !lines.contains_key(*word))
        .collect();
    match missed.is_empty() {
        true => Ok(()),
        false => Err(format!("no seed tells {missed:?}")),
    }
}

#[cfg(test)]
mod tests {
    use herd_locations::{CheckedWatch, Locations, Progress};
    use herd_watch::Subject;

    use super::super::samples::record;
    use super::*;

    #[test]
    fn a_notification_that_is_lost_is_found() {
        let locations = Locations::default();
        locations.report(record("kiwi", "1"));
        let mut watch = CheckedWatch::begin(&locations, Subject::All, 9);
        let mut check = || {
            assert_eq!(watch.catch_up(&locations), Progress::Idle);
            tells_what_is_so("Hill", watch.check(&locations))
        };
        assert_eq!(check(), Ok(()));
        locations.report(record("kiwi", "2"));
        assert_eq!(check(), Ok(()));
        locations.report(record("kiwi", "3"));
        assert!(watch.lose_a_mark());
        assert_eq!(watch.catch_up(&locations), Progress::Idle);
        assert!(tells_what_is_so("Hill", watch.check(&locations)).is_err());
    }

    #[test]
    fn a_word_that_is_not_told_is_found() {
        let mut lines: BTreeMap<_, _> = Said::WORDS.iter().map(|&word| (word, 1)).collect();
        assert_eq!(all_words_are_told(&lines), Ok(()));
        lines.remove("GONE");
        assert!(all_words_are_told(&lines).is_err());
    }
}
