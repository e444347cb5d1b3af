//! The types that settings can have. Each has one parser, whose errors continue a sentence that starts with the text.

mod addresses;
mod choices;
mod counts;
mod durations;
mod or_word;
mod paths;
mod secrets;
mod tile_template;

pub(super) use addresses::{HostNames, Listen, Origins, Port, Servers, Text, WebAddress};
pub(super) use choices::{Choice, Filter, OneOf, Switch};
pub(super) use counts::{Counts, Rates, Sizes};
pub use durations::{Durations, duration};
pub(super) use durations::{EVER, UnlessZero};
pub(super) use or_word::{auto_or, off_or};
pub(super) use paths::{FileToAppend, PathTo, Socket};
pub use secrets::Secret;
pub(super) use secrets::Secrets;
pub use tile_template::TileTemplate;
pub(super) use tile_template::Tiles;

/// A type of values, with their bounds.
pub trait Kind {
    /// The type of the value.
    type Value;

    /// The value that `text` stands for.
    ///
    /// # Errors
    /// If the text is invalid, with the reason and the valid form.
    fn parse(&self, text: &str) -> Result<Self::Value, String>;

    /// A text that stands for the value, or describes it.
    fn show(&self, value: &Self::Value) -> String;

    /// The kind of a value, for `--help`: `DURATION`, `COUNT`, `FILE`, ...
    fn unit(&self) -> String;

    /// Which values there are, for documents; empty where the unit says it.
    fn range(&self) -> String {
        String::new()
    }

    /// Whether the flag alone stands for `true`.
    fn is_switch(&self) -> bool {
        false
    }

    /// Whether the flag may be given several times.
    fn is_list(&self) -> bool {
        false
    }

    /// Whether a wrong text may be repeated in messages: some may hold a key or a password.
    fn may_be_told(&self) -> bool {
        true
    }
}
