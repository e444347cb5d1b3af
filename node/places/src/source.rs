//! Where places come from, and under which licence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The most sources that one table can have: a place names its source in one byte.
pub(crate) const SOURCES_MAX: usize = 255;

/// A source of places. Tables hold it as JSON, where fields of later versions are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// How rows of an import refer to it.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Which release of it was taken.
    #[serde(default)]
    pub version: String,
    /// The licence of its data.
    #[serde(default)]
    pub licence: String,
    /// Where it lives.
    #[serde(default)]
    pub url: String,
    /// The attribution in every reply with a place of this source; empty for none.
    #[serde(default)]
    pub attribution_html: String,
    /// The beginning of the ids of all its places, such as `gn:`; may be empty.
    #[serde(default)]
    pub id_prefix: String,
}

/// Why a text does not describe sources.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    /// Not TOML, a field is missing, or a value has the wrong type.
    #[error("not a list of `[[source]]` tables: {0}")]
    Malformed(#[from] toml::de::Error),
    /// A field that no source has, perhaps misspelt.
    #[error("source `{key}` has the unknown field `{field}`")]
    UnknownField {
        /// The key of the source.
        key: String,
        /// The field.
        field: String,
    },
    /// There is no source in it, or more than a table can hold.
    #[error("{0} sources; give 1 to {SOURCES_MAX} `[[source]]` tables")]
    Count(usize),
    /// Two sources have one key, so a row could not say which it means.
    #[error("source key `{0}` appears twice; give each source its own")]
    Twice(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourcesFile {
    #[serde(default)]
    source: Vec<SourceEntry>,
}

#[derive(Deserialize)]
struct SourceEntry {
    #[serde(flatten)]
    source: Source,
    #[serde(flatten)]
    unknown: BTreeMap<String, toml::Value>,
}

/// Reads a list of sources from TOML: `[[source]]` tables with the fields of [`Source`].
///
/// # Errors
/// If the text is invalid; see [`SourcesError`].
pub fn parse_sources(text: &str) -> Result<Vec<Source>, SourcesError> {
    let SourcesFile { source: entries } = toml::from_str(text)?;
    let mut sources = Vec::with_capacity(entries.len());
    for SourceEntry { source, unknown } in entries {
        if let Some(field) = unknown.into_keys().next() {
            let key = source.key;
            return Err(SourcesError::UnknownField { key, field });
        }
        sources.push(source);
    }
    if sources.is_empty() || sources.len() > SOURCES_MAX {
        return Err(SourcesError::Count(sources.len()));
    }
    for (index, source) in sources.iter().enumerate() {
        if sources.iter().take(index).any(|s| s.key == source.key) {
            return Err(SourcesError::Twice(source.key.clone()));
        }
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_from_toml() {
        let text = "[[source]]\nkey = 'a'\nname = 'A'\nid_prefix = 'a:'\n\
                    [[source]]\nkey = 'b'\nname = 'B'\nlicence = 'MIT'\n";
        let sources = parse_sources(text).unwrap();
        assert_eq!(sources.len(), 2);
        assert_eq!(sources[0].id_prefix, "a:");
        assert_eq!(sources[1].licence, "MIT");
    }

    #[test]
    fn a_table_may_know_more_about_a_source() {
        let json = r#"{"key":"a","name":"A","mood":"fine"}"#;
        assert_eq!(serde_json::from_str::<Source>(json).unwrap().name, "A");
    }

    #[test]
    fn mistakes_are_named() {
        let error = |text| parse_sources(text).unwrap_err().to_string();
        assert!(error("").starts_with("0 sources"));
        assert!(error("[[sources]]\nkey = 'a'\n").contains("`sources`"));
        assert!(error("[[source]]\nkey = 1\nname = 'a'\n").contains("invalid type"));
        assert!(error("[[source]]\nkey = 'a'\n").contains("missing field `name`"));
        assert!(error("[[source]]\nkey='a'\nname='a'\nlicense='MIT'").contains("`license`"));
        let twice = "[[source]]\nkey='a'\nname='a'\n".repeat(2);
        assert!(error(&twice).contains("`a` appears twice"));
    }
}
