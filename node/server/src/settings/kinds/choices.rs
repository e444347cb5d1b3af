//! Yes or no, one of several words, and log filters.

use std::fmt::Display;
use std::str::FromStr;

use super::Kind;
use crate::logging::{InvalidFilter, LogFilter};

/// Yes or no.
pub(in crate::settings) struct Switch;

impl Kind for Switch {
    type Value = bool;

    fn parse(&self, text: &str) -> Result<bool, String> {
        match text {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err("is neither `true` nor `false`".to_owned()),
        }
    }

    fn show(&self, value: &bool) -> String {
        value.to_string()
    }

    fn unit(&self) -> String {
        "true|false".to_owned()
    }

    fn is_switch(&self) -> bool {
        true
    }
}

/// One of several words, which its type reads.
pub(in crate::settings) struct Choice<T: 'static>(pub(in crate::settings) &'static [T]);

impl<T: FromStr<Err: Display> + Display> Kind for Choice<T> {
    type Value = T;

    fn parse(&self, text: &str) -> Result<T, String> {
        text.parse().map_err(|error: T::Err| error.to_string())
    }

    fn show(&self, value: &T) -> String {
        value.to_string()
    }

    fn unit(&self) -> String {
        let words: Vec<String> = self.0.iter().map(T::to_string).collect();
        words.join("|")
    }
}

/// Log lines to show.
pub(in crate::settings) struct Filter;

impl Kind for Filter {
    type Value = LogFilter;

    fn parse(&self, text: &str) -> Result<LogFilter, String> {
        text.parse()
            .map_err(|error: InvalidFilter| error.to_string())
    }

    fn show(&self, value: &LogFilter) -> String {
        value.to_string()
    }

    fn unit(&self) -> String {
        "FILTER".to_owned()
    }
}

/// Two words, of which the first stands for `true`.
pub(in crate::settings) struct OneOf(
    pub(in crate::settings) &'static str,
    pub(in crate::settings) &'static str,
);

impl Kind for OneOf {
    type Value = bool;

    fn parse(&self, text: &str) -> Result<bool, String> {
        match text {
            text if text == self.0 => Ok(true),
            text if text == self.1 => Ok(false),
            _ => Err(format!("is neither `{}` nor `{}`", self.0, self.1)),
        }
    }

    fn show(&self, value: &bool) -> String {
        if *value { self.0 } else { self.1 }.to_owned()
    }

    fn unit(&self) -> String {
        format!("{}|{}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_apart() {
        assert_eq!(
            (Switch.parse("yes"), Switch.parse("0")),
            (Ok(true), Ok(false))
        );
        assert!(Switch.parse("maybe").is_err());
        let kind = OneOf("embedded", "off");
        assert_eq!(
            (kind.parse("embedded"), kind.parse("off")),
            (Ok(true), Ok(false))
        );
        assert_eq!(
            kind.parse("maybe"),
            Err("is neither `embedded` nor `off`".to_owned())
        );
    }
}
