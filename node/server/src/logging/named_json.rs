//! JSON lines that name the server, so that lines of several servers can be put together.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
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
        match serde_json::from_str::<Members>(&line) {
            Ok(members) => members.write(&mut writer),
            // The library writes JSON; whatever else it writes must not be lost.
            Err(_) => writer.write_str(line.strip_prefix('{').unwrap_or(&line)),
        }
    }
}

/// The members of an object, in order, each name once: the first of a name stays, and the name of the server is there
/// already. Those that the crate `log` adds go: where its lines are from, the target says.
struct Members(Vec<(String, Box<RawValue>)>);

impl Members {
    fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        for (place, (name, value)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let name = serde_json::Value::from(name.as_str());
            write!(writer, "{comma}{name}:{}", value.get())?;
        }
        writer.write_str("}\n")
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members: Vec<(String, Box<RawValue>)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    let is_known = members.iter().any(|(known, _)| *known == name);
                    if !is_known && name != "server" && !name.starts_with("log.") {
                        members.push((name, value));
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}
