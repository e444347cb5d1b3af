//! The view that a page asks for: `/live/events?view=S,W,N,E&zoom=Z&dot=KEY` or `&client=ID`.

use super::client_text;
use super::scene::DotKey;
use super::viewport::{InvalidViewport, PageViewport};

/// The client that a page shows the record of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// None.
    Nobody,
    /// The one of this dot.
    Dot(DotKey),
    /// The one with this id.
    Client(Vec<u8>),
}

/// The view that a page asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct PageQuestion {
    /// The part of the world.
    pub(super) viewport: PageViewport,
    /// The client whose record is shown.
    pub(super) chosen: Chosen,
}

/// Why a question cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuestion {
    /// See [`InvalidViewport`].
    #[error(transparent)]
    Viewport(#[from] InvalidViewport),
    /// Not the key of a dot.
    #[error("a dot is named by 16 hexadecimal digits")]
    Dot,
    /// Not the id of a client.
    #[error("a client is named by its id in base64url")]
    Client,
}

impl PageQuestion {
    /// Reads the query part of an address; by default the whole world and no client.
    ///
    /// # Errors
    /// See [`InvalidQuestion`].
    pub fn parse(query: &str) -> Result<Self, InvalidQuestion> {
        let mut question = PageQuestion {
            viewport: PageViewport::WORLD,
            chosen: Chosen::Nobody,
        };
        let mut zoom = None;
        for part in query.split('&') {
            match part.split_once('=') {
                Some(("zoom", text)) => zoom = Some(text),
                Some(("view", text)) => question.viewport = PageViewport::parse(text)?,
                Some(("dot", text)) => {
                    question.chosen = Chosen::Dot(parse_key(text).ok_or(InvalidQuestion::Dot)?);
                }
                Some(("client", text)) => {
                    let client = client_text::decoded(text).ok_or(InvalidQuestion::Client)?;
                    question.chosen = Chosen::Client(client);
                }
                _ => {}
            }
        }
        if let Some(text) = zoom {
            question.viewport = question.viewport.at_zoom(text)?;
        }
        Ok(question)
    }
}

/// A key as pages name it.
#[must_use]
pub(super) fn key_text(key: DotKey) -> String {
    format!("{key:016x}")
}

fn parse_key(text: &str) -> Option<DotKey> {
    let is_key = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_key {
        return None;
    }
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn questions_name_a_view_and_a_client() {
        let parse = PageQuestion::parse;
        let nothing = PageQuestion {
            viewport: PageViewport::WORLD,
            chosen: Chosen::Nobody,
        };
        assert_eq!(parse(""), Ok(nothing.clone()));
        assert_eq!(parse("other=1&view"), Ok(nothing));
        let question = parse("view=1,2,3,4&client=a2l3aQ").unwrap();
        assert_eq!(question.viewport, PageViewport::parse("1,2,3,4").unwrap());
        assert_eq!(question.chosen, Chosen::Client(b"kiwi".to_vec()));
        assert_eq!(
            parse(&format!("dot={}", key_text(0xabc))).unwrap().chosen,
            Chosen::Dot(0xabc)
        );
        let zoomed = parse("zoom=3&view=1,2,3,4").unwrap().viewport;
        assert_eq!(zoomed, question.viewport.at_zoom("3").unwrap());
        assert!(parse("view=1").is_err() && parse("zoom=x").is_err());
        assert_eq!(parse("dot=+00000000000000a"), Err(InvalidQuestion::Dot));
        assert_eq!(parse("client=%00"), Err(InvalidQuestion::Client));
    }

    proptest! {
        #[test]
        fn any_query_is_answered_or_refused(query in "\\PC{0,60}") {
            let _ = PageQuestion::parse(&query);
        }
    }
}
