//! A value, or a word in its place.

use super::Kind;

/// A value, or nothing for a word.
pub(in crate::settings) struct OrWord<K> {
    word: &'static str,
    kind: K,
}

/// A value, or nothing for `off`.
pub(in crate::settings) const fn off_or<K: Kind>(kind: K) -> OrWord<K> {
    OrWord { word: "off", kind }
}

/// A value, or nothing for `auto`.
pub(in crate::settings) const fn auto_or<K: Kind>(kind: K) -> OrWord<K> {
    OrWord { word: "auto", kind }
}

impl<K: Kind> Kind for OrWord<K> {
    type Value = Option<K::Value>;

    fn parse(&self, text: &str) -> Result<Self::Value, String> {
        if text.trim() == self.word {
            return Ok(None);
        }
        let value = self.kind.parse(text);
        value
            .map(Some)
            .map_err(|reason| format!("is not `{}` and {reason}", self.word))
    }

    fn show(&self, value: &Self::Value) -> String {
        match value {
            Some(value) => self.kind.show(value),
            None => self.word.to_owned(),
        }
    }

    fn unit(&self) -> String {
        format!("{}|{}", self.kind.unit(), self.word)
    }

    fn range(&self) -> String {
        match self.kind.range() {
            range if range.is_empty() => range,
            range => format!("{range}, or `{}`", self.word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Counts;
    use super::*;

    #[test]
    fn the_word_stands_for_nothing() {
        let kind = off_or(Counts::up_to(9));
        assert_eq!(
            (kind.parse("off"), kind.parse("9")),
            (Ok(None), Ok(Some(9)))
        );
        assert_eq!(
            kind.parse("of"),
            Err("is not `off` and is not a whole number from 1 to 9".to_owned())
        );
        assert_eq!(kind.unit(), "COUNT|off");
    }
}
