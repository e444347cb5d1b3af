//! Sets logging up, once per process.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd as _;

use tracing::{Dispatch, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use super::flood_guard::FloodGuard;
use super::line::LineShape;
use super::log_thread::LogThread;
use super::named_json::NamedJson;
use super::text_fields::TextFields;
use super::{LogFilter, LogFormat, panic_hook};

/// The filter and the format of the log.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// Which lines.
    pub filter: LogFilter,
    /// In which form.
    pub format: LogFormat,
}

/// Why there is no log. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The thread that writes, or its copy of standard error, cannot be had.
    #[error("the log cannot be started: {0}")]
    Thread(#[from] io::Error),
    /// Logging was set up before; that set-up stays.
    #[error(transparent)]
    Twice(#[from] TryInitError),
}

/// Sends log lines of this process, which serves as `server`, to standard error. Colours are used
/// on a terminal only. A panic is logged like any other error, in the form that was asked for.
///
/// Nothing that logs waits for standard error, and nothing fails with it.
///
/// # Errors
/// See [`LogError`].
pub fn init(settings: &LogSettings, server: &str) -> Result<LogThread, LogError> {
    let shape = LineShape {
        format: settings.format,
        ansi: settings.format == LogFormat::Text && io::stderr().is_terminal(),
        server: server.to_owned(),
    };
    // A copy of its own, because other writers to standard error lock it while it blocks.
    let out = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let (thread, lines) = LogThread::start(out, shape.clone())?;
    subscriber(settings, &shape, lines).try_init()?;
    panic_hook::install();
    Ok(thread)
}

/// The subscriber that takes the events of this process and hands lines to `lines`.
fn subscriber(
    settings: &LogSettings,
    shape: &LineShape,
    lines: impl for<'a> MakeWriter<'a> + Send + Sync + 'static,
) -> Dispatch {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(settings.filter.to_env_filter())
        // They would go to standard error, and panic there.
        .log_internal_errors(false)
        .with_writer(lines);
    let subscriber: Box<dyn Subscriber + Send + Sync> = match settings.format {
        LogFormat::Text => {
            let text = builder
                .with_ansi(shape.ansi)
                .fmt_fields(TextFields)
                .finish();
            Box::new(text.with(FloodGuard::default()))
        }
        LogFormat::Json => {
            let json = builder
                .fmt_fields(JsonFields::new())
                .event_format(NamedJson::new(&shape.server))
                .finish();
            Box::new(json.with(FloodGuard::default()))
        }
    };
    Dispatch::new(subscriber)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;
    use herd_text::printable::is_printable;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Captured {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    fn logged(format: LogFormat, log: impl FnOnce()) -> String {
        logged_as(format, false, log)
    }

    fn logged_as(format: LogFormat, ansi: bool, log: impl FnOnce()) -> String {
        let captured = Captured::default();
        let settings = LogSettings {
            format,
            filter: LogFilter::default(),
        };
        let shape = LineShape {
            format,
            ansi,
            server: "Hill \"1\"".to_owned(),
        };
        let (thread, lines) = LogThread::start(captured.clone(), shape.clone()).unwrap();
        tracing::dispatcher::with_default(&subscriber(&settings, &shape, lines), log);
        thread.close();
        String::from_utf8(captured.0.lock().clone()).unwrap()
    }

    #[test]
    fn json_lines_name_the_server() {
        let text = logged(LogFormat::Json, || {
            let span = tracing::info_span!("link", peer = "Smith");
            span.in_scope(|| tracing::warn!(bytes = 3, "lost\n\"it\""));
            tracing::info!("second");
        });
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["server"], "Hill \"1\"");
        assert_eq!(lines[0]["message"], "lost\n\"it\"");
        assert_eq!(lines[0]["bytes"], 3);
        assert_eq!(lines[0]["span"]["peer"], "Smith");
        assert_eq!(lines[1]["server"], "Hill \"1\"");
    }

    #[test]
    fn a_line_of_json_has_no_name_twice() {
        let text = logged(LogFormat::Json, || {
            tracing::info!(
                server = "Smith",
                level = "disk",
                target = 1,
                path = "x",
                "listening"
            );
        });
        for name in ["server", "level", "target", "message", "timestamp", "path"] {
            assert_eq!(text.matches(&format!("\"{name}\":")).count(), 1, "{text}");
        }
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["server"], "Hill \"1\"");
        assert_eq!(
            (&line["level"], &line["path"]),
            (&"INFO".into(), &"x".into())
        );
    }

    /// The kinds of lines that strangers, neighbours and sick machines can repeat for ever.
    fn flood() {
        for port in 0..1_000_u16 {
            let error = io::Error::from_raw_os_error(24);
            tracing::warn!(%error, "cannot accept");
            let remote = format!("10.0.0.1:{port}");
            tracing::warn!(%remote, reason = "late", "peer connection closed");
            let incarnation = format!("Smith/{port:016x}");
            tracing::info!(neighbour = "Smith", %incarnation, remote, "link made");
            tracing::info!(%incarnation, "gone");
            tracing::error!("the store: {port}");
            tracing::debug!("not asked for");
        }
    }

    #[test]
    fn lines_that_are_repeated_do_not_fill_the_log() {
        let text = logged(LogFormat::Text, flood);
        for (kind, at_once) in [
            ("cannot accept", 10),
            ("closed", 10),
            ("the store", 10),
            ("link made", 100),
            ("gone", 100),
        ] {
            let lines = text.lines().filter(|line| line.contains(kind)).count();
            assert_eq!(lines, at_once, "{kind}: {text}");
        }
    }

    #[test]
    fn neighbours_do_not_use_up_each_others_lines() {
        let text = logged(LogFormat::Text, || {
            let link = |neighbour: &str| tracing::info!(neighbour, "link lost");
            (0..1_000).for_each(|_| link("Smith"));
            link("Jaquez");
        });
        assert!(text.contains("neighbour=\"Jaquez\""), "{text}");
    }

    /// Words of a stranger: as the message, as a field that is displayed, and as one that is quoted.
    fn log_words_of_a_stranger() {
        let words = "a\x1b[2J\x1b[31mb\nc\r\u{7}\u{9b}2J\u{202e}d";
        let span = tracing::info_span!("link", peer = %words);
        span.in_scope(|| tracing::warn!(reason = %words, words, r#type = 1, "closed: {words}"));
    }

    /// As they are shown, but for quoted text.
    const SHOWN: &str = r"a\x1b[2J\x1b[31mb\x0ac\x0d\x07\xc2\x9b2J\xe2\x80\xaed";

    #[test]
    fn a_line_has_no_control_bytes_of_strangers() {
        let text = logged(LogFormat::Text, log_words_of_a_stranger);
        assert_eq!(text.lines().count(), 1, "{text}");
        let text = text.trim_end_matches('\n');
        assert!(text.chars().all(is_printable), "{text:?}");
        assert!(
            text.contains(&format!("closed: {SHOWN} reason={SHOWN} words=\"a")),
            "{text}"
        );
        assert!(text.contains(&format!("peer={SHOWN}")), "{text}");
        assert!(text.ends_with(" type=1"), "{text}");
    }

    #[test]
    fn the_only_colours_of_a_line_are_its_own() {
        let text = logged_as(LogFormat::Text, true, log_words_of_a_stranger);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.contains("\x1b[3mreason\x1b[0m\x1b[2m=\x1b[0ma"),
            "{text:?}"
        );
        let plain = ["0", "1", "2", "3", "33"]
            .into_iter()
            .fold(text, |text, number| {
                text.replace(&format!("\x1b[{number}m"), "")
            });
        let plain = plain.trim_end_matches('\n');
        assert!(plain.chars().all(is_printable), "{plain:?}");
        assert!(
            plain.contains(&format!("closed: {SHOWN} reason={SHOWN} words=\"a")),
            "{plain}"
        );
        assert!(plain.contains(&format!("peer={SHOWN}")), "{plain}");
    }
}
