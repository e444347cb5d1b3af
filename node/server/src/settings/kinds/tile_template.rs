//! Where tiles of a map come from.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

use super::Kind;

/// The address of a tile with places for its numbers, such as `https://tile.example.org/{z}/{x}/{y}.png`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileTemplate {
    text: String,
    source: String,
}

impl TileTemplate {
    /// The template.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where its tiles come from, as a source of a Content-Security-Policy: `https://tile.example.org`, or
    /// `https://*.tile.example.org` if the host begins with `{s}`.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl FromStr for TileTemplate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let reason =
            "is not the address of tiles, such as https://tile.example.org/{z}/{x}/{y}.png";
        let (scheme, rest) = text.split_once("://").ok_or(reason)?;
        let (authority, path) = rest.split_once('/').ok_or(reason)?;
        for number in ["{z}", "{x}", "{y}"] {
            if !path.contains(number) {
                return Err(format!("has no {number} in its path"));
            }
        }
        let host = authority.strip_prefix("{s}.").unwrap_or(authority);
        if !host.bytes().all(|byte| {
            // No blank and no semicolon: the header has more after it.
            byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte)
        }) {
            return Err(reason.to_owned());
        }
        let url = Url::parse(&format!("{scheme}://{host}/")).map_err(|_| reason)?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(reason.to_owned());
        }
        let origin = url.origin().ascii_serialization();
        let source = match host.len() == authority.len() {
            true => origin,
            false => origin.replacen("://", "://*.", 1),
        };
        let is_plain = |c: char| c.is_ascii_graphic();
        if !text.chars().all(is_plain) {
            return Err("holds a blank, or a letter that has to be percent-encoded".to_owned());
        }
        Ok(TileTemplate {
            text: text.to_owned(),
            source,
        })
    }
}

impl fmt::Display for TileTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// See [`TileTemplate`].
pub(in crate::settings) struct Tiles;

impl Kind for Tiles {
    type Value = TileTemplate;

    fn parse(&self, text: &str) -> Result<TileTemplate, String> {
        text.parse()
    }

    fn show(&self, value: &TileTemplate) -> String {
        value.to_string()
    }

    fn unit(&self) -> String {
        "URL-TEMPLATE".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_names_one_source() {
        for (text, source) in [
            (
                "https://tile.example.org/{z}/{x}/{y}.png",
                "https://tile.example.org",
            ),
            (
                "https://{s}.tile.example.org/{z}/{x}/{y}{r}.png?key=a",
                "https://*.tile.example.org",
            ),
            ("http://127.0.0.1:8080/{z}/{y}/{x}", "http://127.0.0.1:8080"),
            ("https://t.example:443/{z}/{x}/{y}", "https://t.example"),
        ] {
            let template = Tiles.parse(text).unwrap();
            assert_eq!(template.source(), source);
            assert_eq!(Tiles.show(&template), text);
        }
    }

    #[test]
    fn what_could_let_others_in_is_refused() {
        for text in [
            "",
            "tile.example.org/{z}/{x}/{y}.png",
            "https://tile.example.org",
            "https://tile.example.org/{z}/{x}.png",
            "javascript://x/{z}{x}{y}",
            "https:///{z}{x}{y}",
            "https://*/{z}/{x}/{y}",
            "https://a b/{z}/{x}/{y}",
            "https://a;script-src */{z}/{x}/{y}",
            "https://{z}.example/{z}/{x}/{y}",
            "https://user@a.example/{z}/{x}/{y}",
            "https://a.example/{z}/{x}/{y} \"",
        ] {
            assert!(Tiles.parse(text).is_err(), "{text}");
        }
    }
}
