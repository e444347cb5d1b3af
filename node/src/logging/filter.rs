//! Which log lines are shown.

use std::fmt;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Shows what `replication/link/session.rs` says of links.
const LINKS_SHOWN: &str = "herd_node::replication::link::session=info";

/// A checked filter: a level such as `debug`, or parts such as `info,herd_node::http=trace`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(String);

/// Why a text is not a filter.
#[derive(Debug, thiserror::Error)]
pub enum InvalidFilter {
    /// A single word that is no level. It could name a target, but then it is misspelt nearly
    /// always, and would hide every line.
    #[error("is neither a level (error, warn, info, debug, trace, off) nor TARGET=LEVEL")]
    Word,
    /// A part that cannot be read.
    #[error("is not a log filter: {0}")]
    Syntax(#[from] tracing_subscriber::filter::ParseError),
}

impl LogFilter {
    /// Links made and lost are shown at every level but `off`, unless the filter names their target
    /// itself: of two directives for one target the later one counts.
    pub(super) fn to_env_filter(&self) -> EnvFilter {
        if self.0.trim().eq_ignore_ascii_case("off") {
            return EnvFilter::new(&self.0);
        }
        EnvFilter::new(format!("{LINKS_SHOWN},{}", self.0))
    }
}

impl Default for LogFilter {
    fn default() -> Self {
        LogFilter("info".to_owned())
    }
}

impl FromStr for LogFilter {
    type Err = InvalidFilter;

    fn from_str(text: &str) -> Result<Self, InvalidFilter> {
        let is_word = |part: &&str| !part.contains(['=', '[']);
        let mut words = text.split(',').map(str::trim).filter(is_word);
        if words.any(|word| word.is_empty() || word.parse::<LevelFilter>().is_err()) {
            return Err(InvalidFilter::Word);
        }
        EnvFilter::builder().parse(text)?;
        Ok(LogFilter(text.to_owned()))
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a line of a link and a line of another part are shown at the level `info`.
    fn shown(filter: &str) -> (bool, bool) {
        let filter = filter.parse::<LogFilter>().unwrap().to_env_filter();
        let subscriber = tracing_subscriber::fmt().with_env_filter(filter).finish();
        tracing::subscriber::with_default(subscriber, || {
            let link = tracing::enabled!(
                target: "herd_node::replication::link::session",
                tracing::Level::INFO
            );
            (
                link,
                tracing::enabled!(target: "herd_node::http", tracing::Level::INFO),
            )
        })
    }

    #[test]
    fn links_made_and_lost_are_shown_unless_they_are_named() {
        assert_eq!(shown("info"), (true, true));
        assert_eq!(shown("warn"), (true, false));
        assert_eq!(shown("off"), (false, false));
        assert_eq!(
            shown("info,herd_node::replication::link::session=off"),
            (false, true)
        );
    }

    #[test]
    fn filters() {
        for text in [
            "info",
            "OFF",
            "warn,herd_node::http=trace",
            "herd[link]=debug",
        ] {
            assert_eq!(text.parse::<LogFilter>().unwrap().to_string(), text);
        }
        for text in ["", "inof", "info,", "herd_node", "herd_node=loud", "a=b=c"] {
            assert!(text.parse::<LogFilter>().is_err(), "{text}");
        }
    }
}
