//! JSON lines that name the server, so that lines of several servers can be put together.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent};
use tracing_subscriber::registry::LookupSpan;

/// The library's JSON form with `"server"` as the first member.
pub(super) struct NamedJson {
    /// `{"server":"NAME",`
    start: String,
    json: Format<Json>,
}

impl NamedJson {
    pub(super) fn new(server: &str) -> Self {
        NamedJson {
            start: format!("{{\"server\":{},", serde_json::Value::from(server)),
            json: Format::default().json().flatten_event(true),
        }
    }
}

impl<S> FormatEvent<S, JsonFields> for NamedJson
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.json
            .format_event(context, Writer::new(&mut line), event)?;
        writer.write_str(&self.start)?;
        writer.write_str(line.strip_prefix('{').unwrap_or(&line))
    }
}
