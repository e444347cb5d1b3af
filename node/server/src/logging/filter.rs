//! Which log lines are shown.

use std::fmt;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Shows the lines of `gossip/src/link/session.rs` about links.
const LINKS_SHOWN: &str = "herd_gossip::link::session=info";

/// Hides the lines of the store's library about its own work, unless the filter names them.
const STORE_QUIET: &str = "fjall=warn,lsm_tree=warn";

/// How targets began before each part of the program became a crate. A filter with it would hide lines without a word.
const FORMER_TARGETS: &str = "herd_node";

/// A checked filter: a level such as `debug`, or parts such as `info,herd_server::http=trace`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(String);

/// Why a text is not a filter.
#[derive(Debug, thiserror::Error)]
pub enum InvalidFilter {
    /// A single word that is no level. It could name a target, but then it is misspelt nearly
    /// always, and would hide every line.
    #[error("is neither a level (error, warn, info, debug, trace, off) nor TARGET=LEVEL")]
    Word,
    /// A target that no line has any more.
    #[error(
        "names {FORMER_TARGETS}, and no line has such a target now: operations.md lists the targets, \
         herd_server::http for one"
    )]
    FormerTarget,
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
        EnvFilter::new(format!("{LINKS_SHOWN},{STORE_QUIET},{}", self.0))
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
        if text.contains(FORMER_TARGETS) {
            return Err(InvalidFilter::FormerTarget);
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
                target: "herd_gossip::link::session",
                tracing::Level::INFO
            );
            (
                link,
                tracing::enabled!(target: "herd_server::http", tracing::Level::INFO),
            )
        })
    }

    #[test]
    fn links_made_and_lost_are_shown_unless_they_are_named() {
        assert_eq!(shown("info"), (true, true));
        assert_eq!(shown("warn"), (true, false));
        assert_eq!(shown("off"), (false, false));
        assert_eq!(shown("info,herd_gossip::link::session=off"), (false, true));
    }

    #[test]
    fn the_library_of_the_store_is_quiet_unless_it_is_named() {
        let shown = |filter: &str| {
            let filter = filter.parse::<LogFilter>().unwrap().to_env_filter();
            let subscriber = tracing_subscriber::fmt().with_env_filter(filter).finish();
            tracing::subscriber::with_default(
                subscriber,
                || tracing::enabled!(target: "lsm_tree::tree", tracing::Level::INFO),
            )
        };
        assert!(!shown("info"));
        assert!(!shown("debug"));
        assert!(shown("info,lsm_tree=info"));
    }

    #[test]
    fn filters() {
        for text in [
            "info",
            "OFF",
            "warn,herd_server::http=trace",
            "herd[link]=debug",
        ] {
            assert_eq!(text.parse::<LogFilter>().unwrap().to_string(), text);
        }
        for text in ["", "inof", "info,", "herd", "herd=loud", "a=b=c"] {
            assert!(text.parse::<LogFilter>().is_err(), "{text}");
        }
        let former = format!("info,{FORMER_TARGETS}::http=debug").parse::<LogFilter>();
        assert!(matches!(former, Err(InvalidFilter::FormerTarget)));
    }
}
