//! The name that somebody may have meant.

/// How alike two names must be, from 0 to 1.
const ALIKE_MIN: f64 = 0.7;

/// The known name that is most like `name`, if one is like it.
pub(super) fn nearest(name: &str, known: impl IntoIterator<Item = String>) -> Option<String> {
    let rated = known
        .into_iter()
        .map(|known| (strsim::normalized_damerau_levenshtein(name, &known), known));
    let alike = rated.filter(|(likeness, _)| *likeness >= ALIKE_MIN);
    let best = alike.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_alike_are_named() {
        let known = || ["name", "log", "log_format"].map(str::to_owned);
        assert_eq!(nearest("nam", known()).as_deref(), Some("name"));
        assert_eq!(nearest("logformat", known()).as_deref(), Some("log_format"));
        assert_eq!(nearest("colour", known()), None);
    }
}
