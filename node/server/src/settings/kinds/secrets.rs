//! Texts that no output shows.

use std::fmt;

use super::Kind;

/// A text that no message, report or debug output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(crate) fn new(text: String) -> Self {
        Secret(text)
    }

    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Texts that no output shows.
pub(in crate::settings) struct Secrets;

impl Kind for Secrets {
    type Value = Secret;

    fn parse(&self, text: &str) -> Result<Secret, String> {
        Ok(Secret::new(text.to_owned()))
    }

    fn show(&self, _: &Secret) -> String {
        "set".to_owned()
    }

    fn unit(&self) -> String {
        "SECRET".to_owned()
    }

    fn may_be_told(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_nowhere() {
        let secret = Secrets.parse("abc").unwrap();
        assert_eq!((secret.reveal(), &*Secrets.show(&secret)), ("abc", "set"));
        assert_eq!(format!("{secret:?}"), "Secret");
    }
}
