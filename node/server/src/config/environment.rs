//! The variables `HERD_*`, read once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use super::{Given, Origin, Setting, Source};

const PREFIX: &str = "HERD_";

/// Where `herd send` connects to, if its flag does not say. A person sets it for a session, so it is
/// in the environment of other commands too.
pub(super) const SEND_TO: &str = "HERD_TO";

/// The token that `herd send`, `herd status` and `herd top` show a server, set for a session too.
pub const TOKEN_VARIABLE: &str = "HERD_TOKEN";

/// The `HERD_*` variables that are set and not empty.
#[derive(Clone, Default)]
pub struct Environment {
    values: BTreeMap<String, String>,
    not_text: Vec<String>,
}

impl Environment {
    /// Keeps the variables whose names start with `HERD_`. An empty value counts as not set.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut environment = Environment::default();
        for (name, value) in variables {
            match (name.into_string(), value.into_string()) {
                (Ok(name), _) if !name.starts_with(PREFIX) => {}
                (Ok(_), Ok(value)) if value.is_empty() => {}
                (Ok(name), Ok(value)) => {
                    environment.values.insert(name, value);
                }
                (Ok(name), Err(_)) => environment.not_text.push(name),
                (Err(_), _) => {}
            }
        }
        environment
    }

    /// The variables of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::new(std::env::vars_os())
    }

    /// The names of the variables whose values are not UTF-8.
    #[must_use]
    pub fn not_text(&self) -> &[String] {
        &self.not_text
    }

    /// The variables that set none of `settings`: likely misspelt. `HERD_TO` and `HERD_TOKEN` are meant
    /// for another command.
    #[must_use]
    pub fn unknown(&self, settings: &[Setting]) -> Vec<&str> {
        let known: Vec<String> = settings.iter().map(|setting| setting.variable()).collect();
        let names = self
            .values
            .keys()
            .map(String::as_str)
            .filter(|name| ![SEND_TO, TOKEN_VARIABLE].contains(name));
        names
            .filter(|name| known.iter().all(|known| known != name))
            .collect()
    }
}

/// Names only: a value may be a key.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Source for Environment {
    fn get(&self, setting: Setting) -> Option<Given> {
        self.values.get(&setting.variable()).map(|text| Given {
            text: text.clone(),
            origin: Origin::Variable(setting),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn debug_shows_no_values() {
        let environment = Environment::new([("HERD_PLACES_KEY".into(), "AIza-secret".into())]);
        assert_eq!(format!("{environment:?}"), "{\"HERD_PLACES_KEY\"}");
    }

    #[test]
    fn bytes_that_are_not_text_are_noted() {
        let value = OsString::from_vec(vec![0xff]);
        let environment = Environment::new([("HERD_NAME".into(), value.clone())]);
        assert_eq!(environment.not_text(), ["HERD_NAME"]);
        assert!(
            Environment::new([("PATH".into(), value)])
                .not_text()
                .is_empty()
        );
    }

    #[test]
    fn only_variables_of_herd_count_and_empty_ones_do_not() {
        let pairs = [
            ("HERD_LOG", "debug"),
            ("HERD_NAME", ""),
            ("HERD_LOGG", "debug"),
            ("PATH", "/bin"),
        ];
        let environment = Environment::new(pairs.map(|(name, value)| (name.into(), value.into())));
        let log = environment.get(Setting::Log).unwrap();
        assert_eq!(log.text, "debug");
        assert_eq!(log.origin.to_string(), "HERD_LOG");
        assert_eq!(environment.get(Setting::Name), None);
        assert_eq!(environment.unknown(&Setting::SERVE), ["HERD_LOGG"]);
        assert_eq!(environment.unknown(&[]), ["HERD_LOG", "HERD_LOGG"]);
    }
}
