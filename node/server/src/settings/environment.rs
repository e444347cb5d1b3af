//! The variables `HERD_*`, read once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use super::nearest::nearest;
use super::{Command, Given, Origin, Setting, Source};

const PREFIX: &str = "HERD_";

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

    /// The names of the variables of `command` whose values are not UTF-8.
    pub fn not_text(&self, command: Command) -> impl Iterator<Item = &str> {
        let read: Vec<String> = Setting::of(command).map(Setting::variable).collect();
        let names = self.not_text.iter();
        names
            .filter(move |name| read.contains(name))
            .map(String::as_str)
    }

    /// The variables that set nothing of `command`, likely misspelt, each with the known one that is like it. Those
    /// that a person sets for a session, such as `HERD_TO`, are meant for another command.
    #[must_use]
    pub fn unknown(&self, command: Command) -> Vec<(&str, Option<String>)> {
        let is_of_session = |setting: &Setting| !setting.is_of(Command::Serve);
        let read: Vec<String> = Setting::of(command).map(Setting::variable).collect();
        let all = Setting::ALL.iter().copied();
        let of_session: Vec<String> = all.filter(is_of_session).map(Setting::variable).collect();
        let names = self.values.keys().chain(&self.not_text).map(String::as_str);
        names
            .filter(|name| read.iter().chain(&of_session).all(|known| known != name))
            .map(|name| (name, like(name, &read)))
            .collect()
    }
}

/// The known variable that is like this one. The prefix makes none alike.
fn like(name: &str, known: &[String]) -> Option<String> {
    let known = known.iter().filter_map(|known| known.strip_prefix(PREFIX));
    let like = nearest(name.strip_prefix(PREFIX)?, known.map(str::to_owned));
    like.map(|like| format!("{PREFIX}{like}"))
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
        let names = |environment: &Environment, command| environment.not_text(command).count();
        assert_eq!(
            environment.not_text(Command::Serve).next(),
            Some("HERD_NAME")
        );
        assert_eq!(names(&environment, Command::Send), 0);
        assert_eq!(environment.unknown(Command::Local), [("HERD_NAME", None)]);
        let other = Environment::new([("PATH".into(), value)]);
        assert_eq!(names(&other, Command::Serve), 0);
    }

    #[test]
    fn only_variables_of_herd_count_and_empty_ones_do_not() {
        let pairs = [
            ("HERD_LOG", "debug"),
            ("HERD_NAME", ""),
            ("HERD_LOGG", "debug"),
            ("HERD_TO", "hill:1"),
            ("PATH", "/bin"),
        ];
        let environment = Environment::new(pairs.map(|(name, value)| (name.into(), value.into())));
        let log = environment.get(Setting::Log).unwrap();
        assert_eq!(log.text, "debug");
        assert_eq!(log.origin.to_string(), "HERD_LOG");
        assert_eq!(environment.get(Setting::Name), None);
        let misspelt = ("HERD_LOGG", Some("HERD_LOG".to_owned()));
        assert_eq!(environment.unknown(Command::Serve), [misspelt]);
        let unknown = environment.unknown(Command::Send);
        assert_eq!(unknown, [("HERD_LOG", None), ("HERD_LOGG", None)]);
    }
}
