//! Sets logging up, once per process.

use std::io::{self, IsTerminal};
use std::panic;

use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use super::named_json::NamedJson;
use super::{LogFilter, LogFormat};

/// What is logged, and how.
#[derive(Clone, Debug, Default)]
pub struct LogSettings {
    /// Which lines.
    pub filter: LogFilter,
    /// In which form.
    pub format: LogFormat,
}

/// Sends log lines of this process, which serves as `server`, to standard error. Colours are used
/// on a terminal only. A panic is logged like any other error, in the form that was asked for.
///
/// # Errors
/// Logging was set up before; that set-up stays.
pub fn init(settings: &LogSettings, server: &str) -> Result<(), TryInitError> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(settings.filter.to_env_filter())
        .with_writer(io::stderr);
    match settings.format {
        LogFormat::Text => builder
            .with_ansi(io::stderr().is_terminal())
            .finish()
            .try_init()?,
        LogFormat::Json => builder
            .fmt_fields(JsonFields::new())
            .event_format(NamedJson::new(server))
            .finish()
            .try_init()?,
    }
    panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let payload = panic.payload();
        let owned = payload.downcast_ref::<String>().map(String::as_str);
        let reason = owned.or_else(|| payload.downcast_ref::<&str>().copied());
        let reason = reason.unwrap_or("no message");
        tracing::error!(place, "panicked: {reason}");
    }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

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

    #[test]
    fn json_lines_name_the_server() {
        let captured = Captured::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(captured.clone())
            .fmt_fields(JsonFields::new())
            .event_format(NamedJson::new("Hill \"1\""))
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("link", peer = "Smith");
            span.in_scope(|| tracing::warn!(bytes = 3, "lost\n\"it\""));
            tracing::info!("second");
        });
        let text = String::from_utf8(captured.0.lock().clone()).unwrap();
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
}
