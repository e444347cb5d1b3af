//! Log lines of a server that matter to a person who watches the herd.

use std::borrow::Cow;

use herd_server::logging::LogFormat;

/// The messages of links; `gossip/src/link/session.rs` writes them.
const LINK_MADE: &str = "link made";
const LINK_LOST: &str = "link lost";
const CUT_OFF: &str = "cut off: ";

/// Messages that the end of a process or of a link, which is told of anyway, brings with it.
const FOLLOWS_FROM_LOSS: [&str; 4] = [
    "gone: not heard of",
    "neighbours lost",
    "neighbour not reached",
    "stopping: no neighbour has said",
];

/// What one log line tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The link to this neighbour is up.
    LinkMade(String),
    /// The link to this neighbour is down.
    LinkLost(String),
    /// No link is up.
    CutOff,
    /// A warning or an error of another kind.
    Trouble,
    /// Nothing that a person must know.
    Nothing,
}

impl News {
    /// Reads a whole line of a log in this form. A line that is none, as of a library that writes to standard error
    /// itself, is trouble: it must not be lost.
    pub(super) fn read(format: LogFormat, line: &[u8]) -> News {
        let line = String::from_utf8_lossy(line);
        let event = match format {
            LogFormat::Text => Event::of_text(&line),
            LogFormat::Json => Event::of_json(&line),
        };
        match event {
            Some(event) => event.news(),
            None if line.trim().is_empty() => News::Nothing,
            None => News::Trouble,
        }
    }
}

/// The parts of a line.
struct Event<'a> {
    is_trouble: bool,
    /// The message, and in a line of text the fields behind it.
    message: Cow<'a, str>,
    neighbour: Option<Cow<'a, str>>,
}

impl<'a> Event<'a> {
    /// `TIME LEVEL TARGET: MESSAGE NAME=VALUE...`
    fn of_text(line: &'a str) -> Option<Self> {
        let (_time, rest) = line.split_once(' ')?;
        let (level, rest) = rest.trim_start().split_once(' ')?;
        let (_target, message) = rest.split_once(": ")?;
        let field = message.split_once(" neighbour=").map(|(_, rest)| rest);
        let neighbour = field.and_then(|rest| rest.split(' ').next());
        Some(Event {
            is_trouble: is_trouble(level)?,
            message: message.into(),
            neighbour: neighbour.map(Cow::from),
        })
    }

    fn of_json(line: &str) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        let text = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
        Some(Event {
            is_trouble: is_trouble(&text("level")?)?,
            message: text("message").unwrap_or_default().into(),
            neighbour: text("neighbour").map(Cow::from),
        })
    }

    fn news(&self) -> News {
        match &self.neighbour {
            Some(neighbour) if self.message.starts_with(LINK_MADE) => {
                News::LinkMade(neighbour.to_string())
            }
            Some(neighbour) if self.message.starts_with(LINK_LOST) => {
                News::LinkLost(neighbour.to_string())
            }
            _ if !self.is_trouble => News::Nothing,
            _ if self.message.starts_with(CUT_OFF) => News::CutOff,
            _ if FOLLOWS_FROM_LOSS
                .iter()
                .any(|follows| self.message.starts_with(follows)) =>
            {
                News::Nothing
            }
            _ => News::Trouble,
        }
    }
}

/// Whether a level is that of a warning or an error; `None` if it is no level.
fn is_trouble(level: &str) -> Option<bool> {
    match level {
        "WARN" | "ERROR" => Some(true),
        "INFO" | "DEBUG" | "TRACE" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &str) -> News {
        News::read(LogFormat::Text, line.as_bytes())
    }

    #[test]
    fn lines_of_text() {
        let time = "2026-11-30T21:00:00.000000Z";
        let link = "herd_gossip::link::session: link";
        assert_eq!(
            text(&format!(
                "{time}  INFO {link} made neighbour=Smith incarnation=Smith/1"
            )),
            News::LinkMade("Smith".to_owned())
        );
        assert_eq!(
            text(&format!(
                "{time}  WARN {link} lost neighbour=Smith reason=link made"
            )),
            News::LinkLost("Smith".to_owned())
        );
        assert_eq!(
            text(&format!("{time}  INFO herd_server: link made it")),
            News::Nothing
        );
        assert_eq!(
            text(&format!("{time} ERROR herd_server: the store: full")),
            News::Trouble
        );
        let gone = format!("{time}  WARN herd_replica: gone: not heard of for 10 s incarnation=x");
        assert_eq!(text(&gone), News::Nothing);
        let cut_off = format!("{time}  WARN herd_gossip::link::session: cut off: no link is left.");
        assert_eq!(text(&cut_off), News::CutOff);
        assert_eq!(text("no line of a log"), News::Trouble);
        assert_eq!(text(""), News::Nothing);
    }

    #[test]
    fn lines_of_json() {
        let json = |line: &str| News::read(LogFormat::Json, line.as_bytes());
        assert_eq!(
            json(r#"{"server":"Hill","level":"INFO","message":"link made","neighbour":"Smith"}"#),
            News::LinkMade("Smith".to_owned())
        );
        assert_eq!(json(r#"{"level":"WARN","message":"full"}"#), News::Trouble);
        assert_eq!(json(r#"{"level":"INFO","message":"full"}"#), News::Nothing);
        assert_eq!(json("{"), News::Trouble);
    }
}
